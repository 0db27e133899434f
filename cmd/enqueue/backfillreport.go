package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/store"
)

// The states of a backfill when the command ends.
const (
	backfillDone        = "completed"
	backfillInterrupted = "interrupted"
	backfillUnqueued    = "tasks_missing"
	backfillFailed      = "failed"
)

// backfillDocument is what --json prints at the end.
type backfillDocument struct {
	State   string `json:"state"`
	Problem string `json:"problem,omitempty"`
	// Tasks were put into Redis by this process, and Already were there.
	Tasks   int64   `json:"tasks"`
	Already int64   `json:"already_queued"`
	Seconds float64 `json:"seconds"`
	// PerSecond is of the analyses that this process asked for.
	PerSecond int64           `json:"per_second"`
	Backfill  *store.Backfill `json:"backfill,omitempty"`
}

// errUnknownTasks stands where Redis said nothing.
var errUnknownTasks = errors.New("not all were confirmed")

// conclude tells how it ended, watches when that is wanted, and says the exit code.
func (f *filler) conclude(ctx context.Context, err error) error {
	took := time.Since(f.began)
	opened := f.b.Opened - f.before
	doc := backfillDocument{
		State: backfillDone, Tasks: f.sender.tasks, Already: f.sender.already, Seconds: took.Seconds(),
		PerSecond: int64(float64(opened) / max(took.Seconds(), 1e-3)), Backfill: &f.b,
	}
	result := err
	switch {
	case err == nil && f.b.Ended != 0:
	case errors.Is(err, store.ErrBackfillTaken):
		doc.State = backfillFailed
	case ctx.Err() != nil:
		doc.State, result = backfillInterrupted, errInterrupted
	case err != nil:
		doc.State, result = backfillFailed, fmt.Errorf("%w; go on with `enqueue backfill --resume` when that is mended", err)
	default:
		doc.State, result = backfillUnqueued, fmt.Errorf("the analyses are stored and some of their tasks are not in Redis: %w; the workers bring them when Redis is back, "+
			"or `enqueue backfill --resume` does", cmp.Or(f.sender.problem, errUnknownTasks))
	}
	if result != nil {
		doc.Problem = result.Error()
	}
	if err := f.printBackfill(doc, opened, took); err != nil {
		return err
	}
	if doc.State == backfillInterrupted {
		f.note("interrupted after schema %d of %d; go on with `enqueue backfill --resume`", f.b.After, f.b.Last)
	}
	if result == nil && f.watch {
		return f.drain(ctx)
	}
	return result
}

func (f *filler) printBackfill(doc backfillDocument, opened int64, took time.Duration) error {
	if f.json {
		return json.NewEncoder(f.stdout).Encode(doc)
	}
	_, err := fmt.Fprintf(f.stdout, "%s asked for in %s (%s/s), %s put into %s%s\n", countedBig(opened, "analysis", "analyses"),
		took.Round(10*time.Millisecond), grouped(doc.PerSecond), countedBig(doc.Tasks, "task", "tasks"), f.queue, alreadyThere(doc.Already))
	if left := skippedText(f.b.Skipped, f.b.Filter.Force); left != "" && err == nil {
		_, err = fmt.Fprintln(f.stdout, left)
	}
	return err
}

func alreadyThere(n int64) string {
	if n == 0 {
		return ""
	}
	return ", " + grouped(n) + " were there"
}

// skippedText says what was left alone and why, empty for nothing.
func skippedText(s store.BackfillSkipped, force bool) string {
	var parts []string
	for _, part := range []struct {
		n    int64
		text string
	}{
		{s.Open, "wait or run already"},
		{s.Mapped, "mapped by humans"},
		{s.Rejected, "rejected by humans"},
		{s.Disabled, "disabled"},
	} {
		if part.n > 0 {
			parts = append(parts, grouped(part.n)+" "+part.text)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	text := "left alone: " + strings.Join(parts, ", ")
	if s.Sum() > s.Open && !force {
		text += "; --force asks for what humans decided as well"
	}
	return text
}

// planDocument is what --dry-run --json prints.
type planDocument struct {
	store.BackfillPlan
	// Asked is Eligible within the limit.
	Asked    int64     `json:"asked"`
	DryRun   bool      `json:"dry_run"`
	Estimate *estimate `json:"estimate"`
}

// estimate is what the analyses would take if they were as those before, nil where there
// were none.
type estimate struct {
	Calls            int64 `json:"calls"`
	PromptTokens     int64 `json:"prompt_tokens"`
	CompletionTokens int64 `json:"completion_tokens"`
	// CostUSD is absent where prices are not known.
	CostUSD *float64 `json:"cost_usd,omitempty"`
}

const microsPerDollar = 1e6

func estimateOf(u store.Usage, n int64) *estimate {
	if u.Runs == 0 {
		return nil
	}
	of := func(average float64) int64 { return int64(average*float64(n) + 0.5) }
	e := &estimate{Calls: of(u.Calls), PromptTokens: of(u.PromptTokens), CompletionTokens: of(u.CompletionTokens)}
	if u.Priced > 0 {
		cost := u.CostMicros * float64(n) / microsPerDollar
		e.CostUSD = &cost
	}
	return e
}

func (a *app) printPlan(p store.BackfillPlan, asked int64, dryRun bool) error {
	e := estimateOf(p.Usage, asked)
	if a.json {
		return json.NewEncoder(a.stdout).Encode(planDocument{BackfillPlan: p, Asked: asked, DryRun: dryRun, Estimate: e})
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s of %s%s\n", countedBig(p.Eligible, "schema", "schemas"),
		countedBig(p.TenantCount, "tenant", "tenants"), byStatus(p.ByStatus))
	printTenants(&text, p)
	if left := skippedText(p.Skipped, false); left != "" {
		text.WriteString(left + "\n")
	}
	if asked < p.Eligible {
		fmt.Fprintf(&text, "the first %s are asked for (--limit)\n", grouped(asked))
	}
	text.WriteString(estimateText(e, p.Usage) + "\n")
	if dryRun {
		text.WriteString("nothing was changed\n")
	}
	_, err := fmt.Fprint(a.stdout, text.String())
	return err
}

func printTenants(text *strings.Builder, p store.BackfillPlan) {
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, t := range p.Tenants {
		_, _ = fmt.Fprintf(table, "  %s\t  %s (%s)%s\n", grouped(t.Eligible), short(t.Name, 40), short(t.TenantID, 40), byStatus(t.ByStatus))
	}
	_ = table.Flush() // into memory
	if more := p.TenantCount - int64(len(p.Tenants)); more > 0 && len(p.Tenants) > 0 {
		fmt.Fprintf(text, "  and %s with fewer\n", countedBig(more, "tenant", "tenants"))
	}
}

func byStatus(counts map[schema.AnalysisStatus]int64) string {
	if len(counts) == 0 {
		return ""
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, grouped(counts[status])+" "+printable(string(status)))
	}
	return ": " + strings.Join(parts, ", ")
}

func estimateText(e *estimate, u store.Usage) string {
	if e == nil {
		return "estimate: no analysis has ended here yet, so calls, tokens and cost are not known; try it with --limit 100"
	}
	cost := "cost not known, since the model has no price"
	if e.CostUSD != nil {
		cost = fmt.Sprintf("US$ %.2f", *e.CostUSD)
		if u.Priced < u.Runs {
			cost += " where prices are known"
		}
	}
	return fmt.Sprintf("estimate, if these are as the last %s: %s to the model, %s tokens in and %s out, %s",
		countedBig(u.Runs, "analysis", "analyses"), countedBig(e.Calls, "call", "calls"), grouped(e.PromptTokens), grouped(e.CompletionTokens), cost)
}

func countedBig(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
