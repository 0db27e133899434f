package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/store"
)

// backfillCmd asks for the analysis of many schemas that are in the database.
type backfillCmd struct {
	Status     []string  `default:"pending,failed" enum:"pending,failed,completed,processing,disabled" help:"Rows to choose, by the status of their analysis. ${enum}; processing are those that the job before this service left behind, disabled needs --force."`
	Tenant     string    `short:"t" help:"Only those of one tenant: its id or name."`
	Since      moment    `placeholder:"DATE" help:"Only rows created then or later: 2026-01-31, 2026-01-31T08:00:00Z, or 30d for days ago."`
	Until      moment    `placeholder:"DATE" help:"Only rows created until then; a day is included."`
	Limit      int64     `help:"At most so many, the lowest ids first; 0 for all."`
	Queue      string    `default:"${backfill}" enum:"${queues}" help:"Queue to use: ${queues}."`
	Rate       perSecond `placeholder:"N/s" help:"At most so many a second (N/s), minute (N/m) or hour (N/h). Defaults to no limit."`
	MaxPending int64     `placeholder:"N" help:"Wait while so many analyses wait in the queue; 0 for no limit."`
	Force      bool      `help:"Also rows that humans rejected, disabled or mapped; the result replaces that."`
	DryRun     bool      `help:"Count them, estimate what it costs, and change nothing."`
	Yes        bool      `short:"y" help:"Do not ask whether to begin."`
	Resume     bool      `help:"Go on with the backfill that was interrupted, with its own choice of rows."`
	Watch      bool      `help:"Stay afterwards and show how the queue drains."`
}

// Validate is called by the command line parser.
func (c *backfillCmd) Validate() error {
	since, until := c.Since.begin(), c.Until.end()
	switch {
	case c.Limit < 0 || c.MaxPending < 0:
		return errors.New("--limit and --max-pending must not be negative; 0 stands for none")
	case !since.IsZero() && !until.IsZero() && !since.Before(until):
		return fmt.Errorf("--since %s is not before --until %s, so no row is meant; exchange them", c.Since.text, c.Until.text)
	case slices.Contains(c.Status, string(schema.AnalysisDisabled)) && !c.Force && !c.Resume:
		return errors.New("--status disabled chooses what humans disabled; add --force to analyse it all the same")
	case c.Resume && c.DryRun:
		return errors.New("--resume and --dry-run can not be used together: what is left is what the interrupted backfill said")
	case c.Resume && (c.Tenant != "" || c.Since.text != "" || c.Until.text != "" || c.Limit != 0 || c.Force):
		return errors.New("--resume goes on with the rows that the interrupted backfill chose; leave out --tenant, --since, --until, --limit and --force")
	}
	return nil
}

// usageError is wrong usage that only the database can tell.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// errInterrupted ends a backfill that somebody stopped, after that was told.
var errInterrupted = errors.New("interrupted")

// shownTenants is how many tenants are listed, and listedTenants how many in a document.
const (
	shownTenants  = 20
	listedTenants = 1000
)

// Run asks page by page. Each page is in the database before its tasks are in Redis, so
// the command can be killed at any time.
func (c *backfillCmd) Run(ctx context.Context, a *app) error {
	err := c.run(ctx, a)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		a.note("interrupted before it began; nothing was changed")
		return errInterrupted
	}
	return err
}

func (c *backfillCmd) run(ctx context.Context, a *app) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	if c.DryRun {
		_, _, err := c.plan(ctx, a)
		return err
	}
	owner := run.NewOwner()
	leased, release, err := takeBackfillLease(ctx, a, owner)
	if err != nil {
		return err
	}
	defer release()
	b, err := c.begin(ctx, a, owner)
	if err != nil || b.ID == "" {
		return err
	}
	f, err := newFiller(a, c, owner, b)
	if err != nil {
		return err
	}
	return f.run(leased)
}

// begin makes the backfill, or takes the interrupted one. It is the zero value when there
// is nothing to do.
func (c *backfillCmd) begin(ctx context.Context, a *app, owner string) (store.Backfill, error) {
	if c.Resume {
		b, err := a.store.ResumeBackfill(ctx, owner)
		if errors.Is(err, store.ErrNoBackfill) {
			return b, &usageError{"there is no interrupted backfill to go on with; leave out --resume to begin one"}
		}
		if err == nil {
			a.note("going on after schema %d of %d: %s of %s are asked for already", b.After, b.Last, grouped(b.Opened), grouped(b.Total))
		}
		return b, err
	}
	plan, filter, err := c.plan(ctx, a)
	if err != nil {
		return store.Backfill{}, err
	}
	total := c.limited(plan.Eligible)
	if total == 0 {
		return store.Backfill{}, a.printNothing()
	}
	if err := c.confirm(ctx, a, total); err != nil {
		return store.Backfill{}, err
	}
	b, replaced, err := a.store.StartBackfill(ctx, owner, store.BackfillRequest{
		Filter: filter, Queue: queueOf(c.Queue), By: a.requester, Limit: c.Limit, Total: total,
	})
	if replaced != nil {
		a.note("the backfill of %s that was interrupted after schema %d is given up for this one; what it asked for stays asked for",
			replaced.By, replaced.After)
	}
	return b, err
}

func (c *backfillCmd) limited(n int64) int64 {
	if c.Limit > 0 {
		return min(n, c.Limit)
	}
	return n
}

// plan counts and prints what would be done.
func (c *backfillCmd) plan(ctx context.Context, a *app) (store.BackfillPlan, store.BackfillFilter, error) {
	filter := store.BackfillFilter{Since: c.Since.begin(), Until: c.Until.end(), Force: c.Force}
	for _, status := range c.Status {
		filter.Statuses = append(filter.Statuses, schema.AnalysisStatus(status))
	}
	var err error
	if filter.TenantID, err = a.tenantID(ctx, c.Tenant); err != nil {
		return store.BackfillPlan{}, filter, err
	}
	tenants := shownTenants
	if a.json {
		tenants = listedTenants
	}
	plan, err := a.store.PlanBackfill(ctx, filter, tenants)
	if err != nil {
		return plan, filter, err
	}
	if a.json && !c.DryRun {
		return plan, filter, nil // the document is of the end
	}
	return plan, filter, a.printPlan(plan, c.limited(plan.Eligible), c.DryRun)
}

// confirm asks a person, and refuses to guess where there is none.
func (c *backfillCmd) confirm(ctx context.Context, a *app, total int64) error {
	if c.Yes {
		return nil
	}
	if !isTerminal(a.stdin) || !isTerminal(a.stderr) {
		return &usageError{fmt.Sprintf("%s would be asked for and nobody is here to say yes; add --yes, or --dry-run to see more", countedBig(total, "analysis", "analyses"))}
	}
	return a.ask(ctx, fmt.Sprintf("Ask for %s?", countedBig(total, "analysis", "analyses")))
}

// errDeclined ends the command after somebody said no.
var errDeclined = errors.New("nothing was asked for")

// ask puts a question to which y or yes is the answer that lets the command go on.
func (a *app) ask(ctx context.Context, question string) error {
	if _, err := fmt.Fprintf(a.stderr, "%s [y/N] ", question); err != nil {
		return err
	}
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.stdin).ReadString('\n') // none is no
		answers <- line
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case line := <-answers:
		if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
			return errDeclined
		}
		return nil
	}
}

func (a *app) printNothing() error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(backfillDocument{State: backfillDone})
	}
	_, err := fmt.Fprintln(a.stdout, "nothing is left to ask for")
	return err
}

const (
	// backfillJob is the name of the lease that keeps two from working at a time.
	backfillJob = "backfill"
	// leaseTime is how long the lease of a command that was killed lasts.
	leaseTime  = 15 * time.Second
	leaseRenew = 3 * time.Second
)

// takeBackfillLease waits until the lease of a command that was killed is over. The
// context that it returns ends with the lease.
func takeBackfillLease(ctx context.Context, a *app, owner string) (leased context.Context, release func(), err error) {
	deadline := time.Now().Add(leaseTime + leaseRenew)
	for told := false; ; told = true {
		leads, err := a.store.Lead(ctx, backfillJob, owner, leaseTime)
		if err != nil {
			return nil, nil, err
		}
		if leads {
			break
		}
		if time.Now().After(deadline) {
			return nil, nil, errors.New("another backfill is at work; wait for its end, or stop it with Ctrl-C where it runs and use --resume")
		}
		if !told {
			a.note("another backfill is at work, or was killed a moment ago; waiting up to %s", leaseTime+leaseRenew)
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return nil, nil, err
		}
	}
	leased, release = a.keepLease(ctx, owner)
	return leased, release, nil
}

func (a *app) keepLease(ctx context.Context, owner string) (leased context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep(ctx, leaseRenew) == nil {
			// One that can not be renewed may still be ours: the cursor tells.
			if leads, err := a.store.Lead(ctx, backfillJob, owner, leaseTime); err == nil && !leads {
				cancel(store.ErrBackfillTaken)
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer stop()
		_ = a.store.Resign(last, backfillJob, owner) // it ends by itself
	}
}

// sleep waits, and returns the context's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
