package run

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// fakeStore keeps the promises of Store in memory: fences, one owner, one started
// event, budgets that count as the real ones do.
type fakeStore struct {
	mu   sync.Mutex
	runs map[int64]*fakeRun
	// fault is asked before each call; its error is the answer. It is set before the
	// first call, and called by several goroutines.
	fault func(ctx context.Context, op string) error
	// commits overrides how commits end, in order; then they complete.
	commits []Outcome
	calls   chan string
}

type fakeRun struct {
	schema     schema.Schema
	missing    error // of a claim
	badFields  *schema.FieldsError
	fence      int64
	attempts   int
	owner      string
	stale      bool
	cancelled  string
	state      string // pending, running, completed, failed
	checkpoint []byte
	age        time.Duration
	failure    Failure
	history    []string // codes of failed attempts, "kept" appended where the attempt was
	events     []string
	decision   Decision
}

func newFakeStore(ids ...int64) *fakeStore {
	s := &fakeStore{runs: map[int64]*fakeRun{}, calls: make(chan string, 10_000)}
	for _, id := range ids {
		s.runs[id] = &fakeRun{state: "pending", schema: schema.Schema{ID: id, TenantID: "t1"}}
	}
	return s
}

func (s *fakeStore) enter(ctx context.Context, op string) error {
	defer func() { s.calls <- op }()
	if s.fault != nil {
		if err := s.fault(ctx, op); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *fakeStore) Claim(ctx context.Context, r ClaimRequest) (*Claim, error) {
	if err := s.enter(ctx, "claim"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	run, ok := s.runs[r.SchemaID]
	switch {
	case !ok:
		return nil, ErrUnknownSchema
	case r.TenantID != "" && r.TenantID != run.schema.TenantID:
		return nil, &TenantError{SchemaID: r.SchemaID}
	case run.missing != nil:
		return nil, run.missing
	case run.state == "completed" || run.state == "failed":
		return nil, ErrNothingToDo
	case run.owner != "" && !run.stale:
		return nil, &BusyError{Retry: 30 * time.Second}
	}
	if run.state == "pending" {
		run.events = append(run.events, "started")
	}
	run.state, run.owner, run.stale = "running", r.Owner, false
	run.fence++
	run.attempts++
	claim := &Claim{
		RunID: fmt.Sprintf("run-%d", r.SchemaID), Fence: run.fence, Attempt: run.attempts,
		Schema: run.schema, Checkpoint: run.checkpoint, Age: run.age,
	}
	if run.badFields != nil {
		return claim, run.badFields
	}
	return claim, nil
}

// owned answers as the fence check of the real store does. The caller holds the lock.
func (s *fakeStore) owned(c *Claim) (*fakeRun, error) {
	run := s.runs[c.Schema.ID]
	if run.fence != c.Fence || run.state != "running" || run.owner == "" {
		return run, ErrClaimLost
	}
	return run, nil
}

func (s *fakeStore) change(ctx context.Context, op string, c *Claim, f func(*fakeRun)) error {
	if err := s.enter(ctx, op); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	run, err := s.owned(c)
	if err == nil {
		f(run)
	}
	return err
}

func (s *fakeStore) Beat(ctx context.Context, c *Claim) error {
	var cancelled string
	if err := s.change(ctx, "beat", c, func(r *fakeRun) { cancelled = r.cancelled }); err != nil {
		return err
	}
	if cancelled != "" {
		return &CancelledError{By: cancelled}
	}
	return nil
}

func (s *fakeStore) Retry(ctx context.Context, c *Claim, f Failure, keep bool) error {
	return s.change(ctx, "retry", c, func(r *fakeRun) {
		r.owner = ""
		entry := string(f.Code)
		if keep {
			entry += " kept"
			r.attempts--
		}
		r.history = append(r.history, entry)
	})
}

func (s *fakeStore) Release(ctx context.Context, c *Claim) error {
	return s.change(ctx, "release", c, func(r *fakeRun) {
		r.owner = ""
		r.attempts--
	})
}

func (s *fakeStore) Checkpoint(ctx context.Context, c *Claim, raw []byte, _ analysis.Usage) error {
	return s.change(ctx, "checkpoint", c, func(r *fakeRun) { r.checkpoint = raw })
}

func (s *fakeStore) Progress(ctx context.Context, c *Claim, p schema.Progress) error {
	return s.change(ctx, "progress", c, func(r *fakeRun) {
		r.events = append(r.events, fmt.Sprintf("progress %s %d/%d", p.Stage, p.Done, p.Total))
	})
}

func (s *fakeStore) Commit(ctx context.Context, c *Claim, d Decision) (Outcome, error) {
	outcome := Outcome{State: OutcomeCompleted}
	err := s.change(ctx, "commit", c, func(r *fakeRun) {
		r.decision = d
		if len(s.commits) > 0 {
			outcome, s.commits = s.commits[0], s.commits[1:]
		}
		switch outcome.State {
		case OutcomeFieldsChanged, OutcomeEntityGone:
			return
		case OutcomeFailed, OutcomeSchemaGone, OutcomeCancelled:
			r.state = "failed"
		default:
			r.state = "completed"
		}
		r.events = append(r.events, r.state)
	})
	return outcome, err
}

func (s *fakeStore) Fail(ctx context.Context, c *Claim, f Failure) error {
	return s.change(ctx, "fail", c, func(r *fakeRun) {
		r.state, r.failure = "failed", f
		r.events = append(r.events, "failed")
	})
}

// edit changes a run behind everybody's back.
func (s *fakeStore) edit(id int64, f func(*fakeRun)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.runs[id])
}

// run returns a copy.
func (s *fakeStore) run(id int64) fakeRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := *s.runs[id]
	r.events, r.history = slices.Clone(r.events), slices.Clone(r.history)
	return r
}

// wait returns when op was called n times more.
func (s *fakeStore) wait(t *testing.T, op string, n int) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for n > 0 {
		select {
		case call := <-s.calls:
			if call == op {
				n--
			}
		case <-limit:
			t.Fatalf("store: %s was not called, %d calls missing", op, n)
		}
	}
}

// analyzerFunc is an Analyzer by its main method.
type analyzerFunc func(ctx context.Context, r analysis.Request) (*analysis.Result, error)

func (f analyzerFunc) Analyze(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
	return f(ctx, r)
}

func (analyzerFunc) Rematch(_ schema.Schema, r analysis.Recommendation, added []schema.Entity) analysis.Recommendation {
	r.EntityName = fmt.Sprintf("rematched with %d", len(added))
	return r
}

func good(context.Context, analysis.Request) (*analysis.Result, error) {
	return &analysis.Result{Recommendation: analysis.Recommendation{EntityName: "Customer"}}, nil
}

// hang ends with its context.
func hang(ctx context.Context, _ analysis.Request) (*analysis.Result, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// script gives one answer an analysis, and then repeats the last.
func script(answers ...analyzerFunc) analyzerFunc {
	var mu sync.Mutex
	return func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
		mu.Lock()
		answer := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		mu.Unlock()
		return answer(ctx, r)
	}
}

func fails(err error) analyzerFunc {
	return func(context.Context, analysis.Request) (*analysis.Result, error) { return nil, err }
}

func newTestHandler(t *testing.T, store Store, analyzer Analyzer, cfg HandlerConfig) *Handler {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	h, err := NewHandler(store, analyzer, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
