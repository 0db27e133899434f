package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/task"
)

var taskOf1 = asynq.NewTask(task.Type, []byte(`{"schema_id":1,"tenant_id":"t1","v":1}`))

var unavailable = &analysis.ModelError{Kind: analysis.ModelUnavailable, Status: 500}

// later returns the laterError that err is, and fails the test if it is another one.
func later(t *testing.T, err error) *laterError {
	t.Helper()
	var l *laterError
	if !errors.As(err, &l) {
		t.Fatalf("got %v, want an error that gives the task back", err)
	}
	return l
}

func wantEvents(t *testing.T, run fakeRun, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, run.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestNewHandlerRefusesNonsense(t *testing.T) {
	t.Parallel()
	if _, err := NewHandler(nil, analyzerFunc(good), HandlerConfig{}); err == nil {
		t.Error("no error without a store")
	}
	_, err := NewHandler(newFakeStore(), analyzerFunc(good), HandlerConfig{Confirm: "sometimes"})
	if err == nil || !strings.Contains(err.Error(), `"sometimes"`) {
		t.Errorf("got %v, want an error that names the policy", err)
	}
}

func TestRunCompletes(t *testing.T) {
	t.Parallel()
	doubtful := func(context.Context, analysis.Request) (*analysis.Result, error) {
		return &analysis.Result{Recommendation: analysis.Recommendation{EntityName: "Customer", Review: []string{"low_margin"}}}, nil
	}
	for _, tc := range []struct {
		name    string
		policy  Confirm
		analyse analyzerFunc
		confirm bool
	}{
		{"always", ConfirmAlways, doubtful, true},
		{"verified and doubtful", ConfirmVerified, doubtful, false},
		{"verified and sure", ConfirmVerified, good, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := newFakeStore(1)
			h := newTestHandler(t, store, tc.analyse, HandlerConfig{Confirm: tc.policy})
			if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
				t.Fatal(err)
			}
			run := store.run(1)
			wantEvents(t, run, "started", "completed")
			if got := run.decision.Confirm(run.decision.Result.Recommendation); got != tc.confirm {
				t.Errorf("confirm = %t, want %t", got, tc.confirm)
			}
			if got := run.decision.Rematch(make([]schema.Entity, 2)).EntityName; got != "rematched with 2" {
				t.Errorf("rematch gave %q", got)
			}
			if n, _ := h.drain.count(); n != 0 {
				t.Errorf("%d handlers count as running", n)
			}
		})
	}
}

func TestErrorsUseTheBudgetOfTheirClass(t *testing.T) {
	t.Parallel()
	bad := &analysis.ModelError{Kind: analysis.ModelBadAnswer}
	limited := &analysis.ModelError{Kind: analysis.ModelRateLimited, Status: 429, RetryAfter: 20 * time.Second}
	empty := func(context.Context, analysis.Request) (*analysis.Result, error) { return nil, nil }
	crash := func(context.Context, analysis.Request) (*analysis.Result, error) { panic("secret of the tenant") }
	for _, tc := range []struct {
		name     string
		analyse  analyzerFunc
		tries    int // deliveries until the task is acknowledged
		attempts int
		state    string
		code     Code
		text     string // part of it
	}{
		{"retry then success", script(fails(unavailable), good), 2, 2, "completed", "", ""},
		{"snoozes are free", script(fails(limited), fails(limited), fails(limited), good), 4, 1, "completed", "", ""},
		{"six attempts", fails(unavailable), 6, 6, "failed", CodeLLMUnavailable,
			"gave up after 6 attempts: language model unavailable (HTTP 500)"},
		{"bad output gets one more", fails(bad), 2, 2, "failed", CodeLLMBadOutput, "gave up after 2"},
		{"refusal gets one more", fails(&analysis.ModelError{Kind: analysis.ModelRefused}), 2, 2, "failed", CodeLLMRefused, ""},
		{"no more after others", script(fails(unavailable), fails(unavailable), fails(bad)), 3, 3, "failed", CodeLLMBadOutput, ""},
		{"permanent", fails(&analysis.ModelError{Kind: analysis.ModelConfig, Status: 401}), 1, 1, "failed", CodeLLMConfig, "HTTP 401"},
		{"unknown error", fails(errors.New("secret of the tenant")), 6, 6, "failed", CodeInternal, "worker's log"},
		{"no result", empty, 6, 6, "failed", CodeInternal, ""},
		{"panic", crash, 6, 6, "failed", CodePanic, "crashed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := newFakeStore(1)
			h := newTestHandler(t, store, tc.analyse, HandlerConfig{})
			for try := 1; try < tc.tries; try++ {
				l := later(t, h.ProcessTask(t.Context(), taskOf1))
				if strings.Contains(l.text, "secret") {
					t.Errorf("asynq is told a secret: %q", l.text)
				}
			}
			if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
				t.Fatalf("last delivery: %v", err)
			}
			run := store.run(1)
			wantEvents(t, run, "started", tc.state)
			if run.attempts != tc.attempts || run.failure.Code != tc.code {
				t.Errorf("got %d attempts and code %q, want %d and %q", run.attempts, run.failure.Code, tc.attempts, tc.code)
			}
			if !strings.Contains(run.failure.Text, tc.text) || strings.Contains(run.failure.Text, "secret") {
				t.Errorf("failure text %q, want it to contain %q and no secret", run.failure.Text, tc.text)
			}
		})
	}
}

func TestRunsThatNobodyFinishesFail(t *testing.T) {
	t.Parallel()
	store := newFakeStore(1)
	store.edit(1, func(r *fakeRun) { r.state, r.attempts = "running", 6 })
	analyse := func(context.Context, analysis.Request) (*analysis.Result, error) {
		t.Error("a payload that killed six workers was analysed again")
		return nil, nil
	}
	h := newTestHandler(t, store, analyzerFunc(analyse), HandlerConfig{})
	if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
		t.Fatal(err)
	}
	if got := store.run(1).failure.Code; got != CodeWorkerLost {
		t.Errorf("code %q, want %q", got, CodeWorkerLost)
	}
}

func TestTasksWithoutClaim(t *testing.T) {
	t.Parallel()
	const archived, acked = "archived", "acknowledged"
	payload := func(s string) *asynq.Task { return asynq.NewTask(task.Type, []byte(s)) }
	for _, tc := range []struct {
		name    string
		task    *asynq.Task
		missing error
		retried int
		want    string // archived, acknowledged, or counted/free with bounds of the delay
		text    string
		state   string
	}{
		{"unknown schema, at first", payload(`{"schema_id":9,"v":1}`), nil, 0, "counted 1s 1s", "schema 9 does not exist yet", "pending"},
		{"unknown schema, the tenth time", payload(`{"schema_id":9,"v":1}`), nil, 9, "counted 1s 1s", "", "pending"},
		{"unknown schema, in the end", payload(`{"schema_id":9,"v":1}`), nil, 10, archived, "schema 9 does not exist; enqueue", "pending"},
		{"wrong tenant", payload(`{"schema_id":1,"tenant_id":"t2","v":1}`), nil, 0, archived, "another tenant", "pending"},
		{"malformed", payload(`{"schema_id":`), nil, 0, archived, "task payload", "pending"},
		{"invalid UTF-8", payload("{\"schema_id\":1,\"\xff\":2,\"v\":1}"), nil, 0, archived, "task payload", "pending"},
		{"unknown version", payload(`{"schema_id":1,"v":2}`), nil, 0, "counted 1m 1m", "waiting for a newer worker", "pending"},
		{"unknown version for an hour", payload(`{"schema_id":1,"v":2}`), nil, 60, acked, "", "failed"},
		{"unknown version, unknown schema", payload(`{"schema_id":9,"v":2}`), nil, 60, archived, "does not exist", "pending"},
		{"unknown type", asynq.NewTask("schema:paint", nil), nil, 0, "counted 1m 1m", `"schema:paint"`, "pending"},
		{"unknown type for an hour", asynq.NewTask("schema:paint", nil), nil, 60, archived, `"schema:paint"`, "pending"},
		{"nothing to do", taskOf1, ErrNothingToDo, 0, acked, "", "pending"},
		{"ended by the claim", taskOf1, &EndedError{Failure{Code: CodeSchemaGone}}, 0, acked, "", "pending"},
		{"busy for long", taskOf1, &BusyError{Retry: time.Minute}, 0, "free 3s 3.6s", "another worker", "pending"},
		{"busy for nothing", taskOf1, &BusyError{}, 0, "free 0.5s 0.6s", "another worker", "pending"},
		{"database down", taskOf1, fmt.Errorf("%w: secret", ErrUnavailable), 3, "free 5s 6s", "not available; trying again", "pending"},
		{"database refuses", taskOf1, errors.New("secret"), 3, "counted 0s 16s", "claim failed", "pending"},
		{"ended as poison", taskOf1, &EndedError{Failure{Code: CodePoison}}, 0, acked, "", "pending"},
		{"tenant full", taskOf1, &TenantBusyError{Slots: 4}, 999, "free 0.5s 0.5s", "as many runs going on as it may", "pending"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := newFakeStore(1)
			store.edit(1, func(r *fakeRun) { r.missing = tc.missing })
			h := newTestHandler(t, store, analyzerFunc(good), HandlerConfig{CommitTimeout: time.Second})
			h.retried = func(context.Context) int { return tc.retried }
			err := h.ProcessTask(t.Context(), tc.task)
			got := acked
			var l *laterError
			switch {
			case errors.Is(err, asynq.SkipRetry):
				got = archived
			case errors.As(err, &l):
				got = tc.want
				checkDelay(t, tc.want, l)
			case err != nil:
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("task %s (%v), want %s", got, err, tc.want)
			}
			if err != nil && (!strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("asynq is told %q, want %q in it and no secret", err, tc.text)
			}
			if run := store.run(1); run.state != tc.state {
				t.Errorf("state %s, want %s", run.state, tc.state)
			}
		})
	}
}

// checkDelay reads "counted 1s 2s" or "free 1s 2s".
func checkDelay(t *testing.T, want string, l *laterError) {
	t.Helper()
	var kind, least, most string
	if _, err := fmt.Sscan(want, &kind, &least, &most); err != nil {
		t.Fatalf("task comes back (%v), want %s", l, want)
	}
	low, _ := time.ParseDuration(least)
	high, _ := time.ParseDuration(most)
	if (kind == "counted") != l.counted || l.delay < low || l.delay > high {
		t.Errorf("counted %t after %s, want %s", l.counted, l.delay, want)
	}
}

func TestBadFieldsFailTheRun(t *testing.T) {
	t.Parallel()
	store := newFakeStore(1)
	store.edit(1, func(r *fakeRun) {
		r.badFields = &schema.FieldsError{Column: "detected_fields", Reason: "is a string, not a list"}
	})
	h := newTestHandler(t, store, analyzerFunc(good), HandlerConfig{})
	if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
		t.Fatal(err)
	}
	run := store.run(1)
	wantEvents(t, run, "started", "failed")
	if run.failure.Code != CodeBadFields || !strings.Contains(run.failure.Text, "detected_fields is a string") {
		t.Errorf("failure %+v", run.failure)
	}
}

func TestGroundMovesUnderTheAnalysis(t *testing.T) {
	t.Parallel()
	fresh := schema.Schema{ID: 1, TenantID: "t1", Name: "fresh"}
	for _, tc := range []struct {
		name    string
		commits []Outcome
		seen    []string // schema name and checkpoint of each pass
		code    string
	}{
		{"fields changed", []Outcome{{State: OutcomeFieldsChanged, Schema: fresh}}, []string{" ", "fresh raw"}, ""},
		{"entity gone", []Outcome{{State: OutcomeEntityGone}}, []string{" ", " "}, ""},
		{"changed too often", []Outcome{{State: OutcomeFieldsChanged, Schema: fresh}, {State: OutcomeFailed}},
			[]string{" ", "fresh raw"}, ""},
		{"entity goes and goes", []Outcome{
			{State: OutcomeEntityGone}, {State: OutcomeEntityGone}, {State: OutcomeEntityGone}, {State: OutcomeEntityGone},
		}, []string{" ", " ", " ", " "}, "entity_gone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := newFakeStore(1)
			store.commits = tc.commits
			var seen []string
			h := newTestHandler(t, store, analyzerFunc(func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
				seen = append(seen, r.Schema.Name+" "+string(r.Checkpoint))
				if err := r.Save(ctx, []byte("raw"), analysis.Usage{}); err != nil {
					return nil, err
				}
				return good(ctx, r)
			}), HandlerConfig{})
			err := h.ProcessTask(t.Context(), taskOf1)
			if (err != nil) != (tc.code != "") {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(tc.seen, seen); diff != "" {
				t.Errorf("passes (-want +got):\n%s", diff)
			}
			run := store.run(1)
			if got := strings.Join(run.history, ","); got != tc.code {
				t.Errorf("attempts failed with %q, want %q", got, tc.code)
			}
			if last, _, _ := strings.Cut(seen[len(seen)-1], " "); run.decision.Schema.Name != last {
				t.Errorf("the last decision is about the schema %q, want %q as it was analysed", run.decision.Schema.Name, last)
			}
		})
	}
}

func TestDatabaseOutages(t *testing.T) {
	t.Parallel()
	// downFor answers that the database is not available to an op, n times.
	downFor := func(op string, n int) func(context.Context, string) error {
		return func(_ context.Context, got string) error {
			if got == op && n > 0 {
				n--
				return fmt.Errorf("%w: test", ErrUnavailable)
			}
			return nil
		}
	}
	saving := func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
		if err := r.Save(ctx, []byte("raw"), analysis.Usage{}); err != nil {
			return nil, fmt.Errorf("analyse: %w", err)
		}
		return good(ctx, r)
	}
	for _, tc := range []struct {
		name    string
		fault   func(context.Context, string) error
		events  []string
		history []string
	}{
		{"commit comes through", downFor("commit", 5), []string{"started", "completed"}, nil},
		{"checkpoint comes through", downFor("checkpoint", 5), []string{"started", "completed"}, nil},
		{"commit does not", downFor("commit", 1000), []string{"started"}, []string{"database kept"}},
		{"commit refused", func(_ context.Context, op string) error {
			if op == "commit" {
				return errors.New("value too long")
			}
			return nil
		}, []string{"started"}, []string{"database"}},
		{"commit hangs", func(ctx context.Context, op string) error {
			if op == "commit" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}, []string{"started"}, []string{"database kept"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore(1)
				store.fault = tc.fault
				h := newTestHandler(t, store, analyzerFunc(saving), HandlerConfig{})
				err := h.ProcessTask(t.Context(), taskOf1)
				if (err != nil) != (tc.history != nil) {
					t.Errorf("got %v", err)
				}
				run := store.run(1)
				wantEvents(t, run, tc.events...)
				if diff := cmp.Diff(tc.history, run.history); diff != "" {
					t.Errorf("history (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestEndThatCanNotBeRecordedLeavesTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(1)
		store.fault = func(_ context.Context, op string) error {
			if op == "fail" {
				return ErrUnavailable
			}
			return nil
		}
		h := newTestHandler(t, store, fails(&analysis.ModelError{Kind: analysis.ModelTooLarge}), HandlerConfig{})
		if l := later(t, h.ProcessTask(t.Context(), taskOf1)); l.counted {
			t.Error("an outage is counted as a failure of the task")
		}
		wantEvents(t, store.run(1), "started")
	})
}

// A snooze uses no attempt, so that only the age of a run bounds it.
func TestSnoozesEndWithAge(t *testing.T) {
	t.Parallel()
	limited := &analysis.ModelError{Kind: analysis.ModelRateLimited, Status: 429, RetryAfter: 20 * time.Second}
	quota := &analysis.ModelError{Kind: analysis.ModelQuota, Status: 429}
	for _, tc := range []struct {
		name  string
		err   error
		age   time.Duration
		limit time.Duration
		code  Code // empty when the run goes on
		text  string
	}{
		{"young", limited, 23 * time.Hour, 0, "", ""},
		{"old", limited, 24 * time.Hour, 0, CodeLLMRateLimited, "gave up after 24h0m0s: language model"},
		{"old for its setting", quota, time.Hour, time.Hour, CodeLLMQuota, "gave up after 1h0m0s: language model"},
		{"a retry has attempts instead", unavailable, 48 * time.Hour, 0, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := newFakeStore(1)
			store.edit(1, func(r *fakeRun) { r.age = tc.age })
			h := newTestHandler(t, store, fails(tc.err), HandlerConfig{GiveUpAfter: tc.limit})
			err := h.ProcessTask(t.Context(), taskOf1)
			if (err == nil) != (tc.code != "") {
				t.Errorf("got %v", err)
			}
			run := store.run(1)
			if run.failure.Code != tc.code || !strings.HasPrefix(run.failure.Text, tc.text) {
				t.Errorf("failure %+v, want %s: %s", run.failure, tc.code, tc.text)
			}
		})
	}
}

// Somebody cancelled between the last heartbeat and the commit: the run has ended.
func TestCancelledAtTheCommit(t *testing.T) {
	t.Parallel()
	store := newFakeStore(1)
	store.commits = []Outcome{{State: OutcomeCancelled}}
	h := newTestHandler(t, store, analyzerFunc(good), HandlerConfig{})
	if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
		t.Errorf("got %v, want the task acknowledged", err)
	}
	wantEvents(t, store.run(1), "started", "failed")
}

// A claim waits for the database in its slot, so that the queue is not turned over and
// over, and hands the task back when that takes long or the worker stops.
func TestClaimWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		down   time.Duration
		stop   time.Duration
		took   time.Duration // at most
		events []string
	}{
		{"short outage", 10 * time.Second, time.Hour, 14 * time.Second, []string{"started", "completed"}},
		{"long outage", time.Hour, time.Hour, 31 * time.Second, nil},
		{"shutdown", time.Hour, 5 * time.Second, 6 * time.Second, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				store := newFakeStore(1)
				store.fault = func(context.Context, string) error {
					if time.Since(began) < tc.down {
						return fmt.Errorf("%w: refused", ErrUnavailable)
					}
					return nil
				}
				h := newTestHandler(t, store, analyzerFunc(good), HandlerConfig{})
				timer := time.AfterFunc(tc.stop, h.drain.hurry)
				defer timer.Stop()
				err := h.ProcessTask(t.Context(), taskOf1)
				if took := time.Since(began); took > tc.took {
					t.Errorf("it took %s, want at most %s", took, tc.took)
				}
				wantEvents(t, store.run(1), tc.events...)
				if tc.events == nil && later(t, err).counted {
					t.Error("an outage is counted as a failure of the task")
				}
				if n := len(store.calls); n > 40 {
					t.Errorf("%d calls of a database that is down", n)
				}
			})
		})
	}
}
