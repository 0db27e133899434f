package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
)

// statusCmd shows where schemas stand, and how they got there.
type statusCmd struct {
	IDs    []int64 `arg:"" name:"id" help:"Ids of the schemas (column id of the app's table schemas)."`
	Tenant string  `short:"t" help:"Refuse schemas of other tenants: the tenant's id or name."`
	Runs   int     `default:"5" help:"How many runs to show, the newest first."`
}

// Validate is called by the command line parser.
func (c *statusCmd) Validate() error {
	if c.Runs < 1 {
		return fmt.Errorf("--runs %d shows nothing; write 1 or more", c.Runs)
	}
	return positive(c.IDs)
}

// Run shows all of them; unknown ones do not stop the others.
func (c *statusCmd) Run(ctx context.Context, a *app) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	tenantID, err := a.tenantID(ctx, c.Tenant)
	if err != nil {
		return err
	}
	failed := false
	for _, id := range unique(c.IDs) {
		standing, err := a.store.Standing(ctx, id, tenantID)
		if errors.Is(err, run.ErrUnknownSchema) {
			a.note("%s", unknownSchema(id, c.Tenant))
			failed = true
			continue
		}
		if err != nil {
			return err
		}
		history, err := a.store.History(ctx, id, tenantID, c.Runs)
		if err != nil {
			return err
		}
		if err := a.printStatus(standing, history); err != nil {
			return err
		}
	}
	if failed {
		return errUnfinished
	}
	return nil
}

// statusDocument is one line of --json.
type statusDocument struct {
	SchemaID int64             `json:"schema_id"`
	TenantID string            `json:"tenant_id"`
	Standing *documentStanding `json:"standing"`
	Runs     []runDocument     `json:"runs"`
}

type runDocument struct {
	RunID            string            `json:"run_id"`
	State            string            `json:"state"`
	Outcome          string            `json:"outcome,omitempty"`
	RequestedBy      string            `json:"requested_by,omitempty"`
	Force            bool              `json:"force,omitempty"`
	Queue            string            `json:"queue,omitempty"`
	RequestedAt      time.Time         `json:"requested_at"`
	StartedAt        *time.Time        `json:"started_at,omitempty"`
	EndedAt          *time.Time        `json:"ended_at,omitempty"`
	Engine           string            `json:"engine,omitempty"`
	Model            string            `json:"model,omitempty"`
	Calls            int               `json:"llm_calls"`
	CachedCalls      int               `json:"llm_calls_cached"`
	PromptTokens     int               `json:"prompt_tokens"`
	CachedTokens     int               `json:"prompt_tokens_cached"`
	CompletionTokens int               `json:"completion_tokens"`
	ReasoningTokens  int               `json:"reasoning_tokens"`
	CostMicros       *int64            `json:"cost_micro_usd"` // null where no price is known
	ErrorCode        string            `json:"error_code,omitempty"`
	Error            string            `json:"error,omitempty"`
	Attempts         []attemptDocument `json:"attempts"`
}

type attemptDocument struct {
	Number    int64      `json:"number"`
	Times     int        `json:"times"`
	Owner     string     `json:"owner"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Outcome   string     `json:"outcome,omitempty"`
	ErrorCode string     `json:"error_code,omitempty"`
	Error     string     `json:"error,omitempty"`
}

func (a *app) printStatus(s store.Standing, runs []store.Run) error {
	if a.json {
		d := statusDocument{SchemaID: s.Schema.ID, TenantID: s.Schema.TenantID, Standing: standingDocument(s), Runs: []runDocument{}}
		for _, r := range runs {
			d.Runs = append(d.Runs, documentOf(r))
		}
		return json.NewEncoder(a.stdout).Encode(d)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "schema %d  %s  tenant %s  status %s, analysis %s\n", s.Schema.ID, orUnnamed(s.Schema.Name),
		printable(s.Schema.TenantID), s.Schema.Status, s.Schema.AnalysisStatus)
	if s.Recommendation != nil {
		b.WriteString(resultOf(s) + "\n")
	}
	if len(runs) == 0 {
		b.WriteString("  no run: nobody asked for its analysis, or it was too long ago\n")
	}
	for _, r := range runs {
		writeRun(&b, r)
	}
	_, err := io.WriteString(a.stdout, b.String())
	return err
}

func documentOf(r store.Run) runDocument {
	d := runDocument{
		RunID: r.ID, State: r.State, Outcome: string(r.Outcome), RequestedBy: r.RequestedBy, Force: r.Force, Queue: r.Queue,
		RequestedAt: r.Requested, StartedAt: orNone(r.Started), EndedAt: orNone(r.Ended), Engine: r.Engine, Model: r.Model,
		Calls: r.Usage.Calls, CachedCalls: r.Usage.CachedCalls,
		PromptTokens: r.Usage.PromptTokens, CachedTokens: r.Usage.CachedTokens,
		CompletionTokens: r.Usage.CompletionTokens, ReasoningTokens: r.Usage.ReasoningTokens,
		ErrorCode: string(r.Failure.Code), Error: r.Failure.Text, Attempts: []attemptDocument{},
	}
	if micros, known := r.Usage.Cost(); known {
		d.CostMicros = &micros
	}
	for _, t := range r.Attempts {
		d.Attempts = append(d.Attempts, attemptDocument{
			Number: t.Number, Times: t.Times, Owner: t.Owner, StartedAt: t.Started, EndedAt: orNone(t.Ended), Outcome: t.Outcome,
			ErrorCode: string(t.Failure.Code), Error: t.Failure.Text,
		})
	}
	return d
}

// writeRun writes a run as a line, and its attempts below it.
func writeRun(b *strings.Builder, r store.Run) {
	fmt.Fprintf(b, "  run %s  %s", r.ID, stateOf(r))
	if r.RequestedBy != "" {
		fmt.Fprintf(b, "  asked for by %s", printable(r.RequestedBy))
	}
	if r.Force {
		b.WriteString(", forced")
	}
	fmt.Fprintf(b, "  %s%s\n", instant(r.Requested), lasted(r.Requested, r.Ended))
	if r.Usage.Calls+r.Usage.CachedCalls > 0 {
		fmt.Fprintf(b, "    model %s: %s, %d from the cache, %d + %d tokens%s\n", printable(r.Model),
			counted(r.Usage.Calls, "call", "calls"), r.Usage.CachedCalls, r.Usage.PromptTokens, r.Usage.CompletionTokens, priced(r.Usage))
	}
	if r.Failure.Code != "" {
		fmt.Fprintf(b, "    %s: %s\n", r.Failure.Code, printable(r.Failure.Text))
	}
	hidden := r.AttemptCount
	for _, t := range r.Attempts {
		hidden -= t.Times
	}
	if hidden > 0 {
		fmt.Fprintf(b, "    %s before these\n", counted(hidden, "attempt", "attempts"))
	}
	for _, t := range r.Attempts {
		fmt.Fprintf(b, "    attempt %d  %s%s  %s  by %s\n", t.Number, instant(t.Started), lasted(t.Started, t.Ended), attemptState(t), printable(t.Owner))
		if t.Failure.Text != "" && t.Failure != r.Failure {
			fmt.Fprintf(b, "      %s: %s\n", t.Failure.Code, printable(t.Failure.Text))
		}
	}
}

// priced is what a run cost, empty when it is not known.
func priced(u analysis.Usage) string {
	micros, known := u.Cost()
	if !known || u.Calls == 0 {
		return ""
	}
	return fmt.Sprintf(", %.6f USD", float64(micros)/1e6)
}

// stateOf is the state of an open run, and how an ended one ended.
func stateOf(r store.Run) string {
	if r.Outcome != "" && !r.Ended.IsZero() {
		return string(r.Outcome)
	}
	return r.State
}

func attemptState(t store.Attempt) string {
	switch {
	case t.Outcome == "":
		return "running"
	case t.Times > 1:
		return fmt.Sprintf("%s %d times", t.Outcome, t.Times)
	}
	return t.Outcome
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// lasted is the time from a beginning to an end, empty while there is none.
func lasted(from, to time.Time) string {
	if to.IsZero() {
		return ""
	}
	return " (" + to.Sub(from).Round(time.Millisecond).String() + ")"
}

func orNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
