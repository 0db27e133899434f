package llm

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// ledger is a Limiter that says how long to wait by a script, then nothing, and
// records what it hears.
type ledger struct {
	mu     sync.Mutex
	waits  []time.Duration
	taken  []Need
	used   []int
	pauses []time.Duration
}

func (l *ledger) Take(_ context.Context, need Need) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waits) > 0 {
		wait := l.waits[0]
		l.waits = l.waits[1:]
		return wait
	}
	l.taken = append(l.taken, need)
	return 0
}

func (l *ledger) Settle(_ context.Context, _ Need, used int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used = append(l.used, used)
}

func (l *ledger) Pause(_ context.Context, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pauses = append(l.pauses, d)
}

func limited(l *ledger) func(cfg *Config) { return func(cfg *Config) { cfg.Limiter = l } }

func TestTakesAndSettles(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	b := setup(t, limited(l), llmtest.ServerError())
	ctx := analysis.WithBackfill(testContext(t))
	answer, err := b.Ask(ctx, customerQuestion())
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	if len(l.taken) != 2 || l.taken[0] != l.taken[1] || !l.taken[0].Backfill {
		t.Errorf("taken %+v, want the same need of a backfill for each of two requests", l.taken)
	}
	spent := answer.Usage.PromptTokens + answer.Usage.CompletionTokens
	if estimated := l.taken[0].Tokens; estimated < spent/2 || estimated > spent*3 {
		t.Errorf("estimated %d tokens, spent %d", estimated, spent)
	}
	if diff := cmp.Diff([]int{0, spent}, l.used); diff != "" {
		t.Errorf("settled: nothing for the failure, the usage for the answer (-want +got)\n%s", diff)
	}
	if _, err := b.Ask(testContext(t), customerQuestion()); err != nil {
		t.Fatalf("Ask again: %v", err)
	}
	if len(l.taken) != 2 {
		t.Error("a cached answer was taken out of the limits")
	}
}

func TestTimeoutStaysTaken(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	b := setup(t, func(cfg *Config) { cfg.Limiter, cfg.Timeout = l, 100*time.Millisecond }, llmtest.Hang())
	if _, err := b.Ask(testContext(t), customerQuestion()); err == nil {
		t.Fatal("Ask succeeds without an answer")
	}
	if len(l.taken) != 1 || len(l.used) != 0 {
		t.Errorf("taken %+v, settled %v; want the estimate of a request that was probably billed to stand", l.taken, l.used)
	}
}

func TestWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	t.Run("a moment", func(t *testing.T) {
		t.Parallel()
		waits := []time.Duration{5 * time.Second, 15 * time.Second}
		b := setup(t, limited(&ledger{waits: waits}))
		if _, err := b.Ask(testContext(t), customerQuestion()); err != nil {
			t.Fatalf("Ask: %v", err)
		}
		if diff := cmp.Diff(waits, b.waits.all()); diff != "" {
			t.Errorf("waits (-want +got)\n%s", diff)
		}
	})
	t.Run("too long", func(t *testing.T) {
		t.Parallel()
		b := setup(t, limited(&ledger{waits: []time.Duration{15 * time.Second, 6 * time.Second}}))
		_, err := b.Ask(testContext(t), customerQuestion())
		e := analysis.ModelErrorOf(err)
		if e == nil || e.Kind != analysis.ModelRateLimited || e.RetryAfter != 6*time.Second || b.server.Count() != 0 {
			t.Errorf("error %v after %d requests, want rate_limited for 6s and none", err, b.server.Count())
		}
	})
	t.Run("the caller leaves", func(t *testing.T) {
		t.Parallel()
		b := setup(t, limited(&ledger{waits: []time.Duration{time.Second}}))
		ctx, cancel := context.WithCancel(t.Context())
		b.sleep = func(ctx context.Context, _ time.Duration) error {
			cancel()
			return ctx.Err()
		}
		if _, err := b.Ask(ctx, customerQuestion()); err == nil || analysis.ModelErrorOf(err) != nil {
			t.Errorf("error = %v, want the cause of the cancellation", err)
		}
	})
}

// TestRetryAfterPausesAllWorkers: the word of the server is passed on, in seconds or
// as a date, and it is no failure of the run.
func TestRetryAfterPausesAllWorkers(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"seconds": "3600",
		"date":    time.Now().Add(time.Hour).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &ledger{}
			b := setup(t, limited(l), llmtest.RateLimited(header))
			_, err := b.Ask(testContext(t), customerQuestion())
			e := analysis.ModelErrorOf(err)
			if e == nil || e.Kind != analysis.ModelRateLimited || b.server.Count() != 1 || len(b.waits.all()) != 0 {
				t.Fatalf("error %v after %d requests and waits %v, want rate_limited after one and none", err, b.server.Count(), b.waits.all())
			}
			if diff := cmp.Diff([]time.Duration{e.RetryAfter}, l.pauses); diff != "" {
				t.Errorf("pauses (-want +got)\n%s", diff)
			}
			if e.RetryAfter <= 0 || e.RetryAfter > time.Hour {
				t.Errorf("retry after %s, want up to the hour that the server asked for", e.RetryAfter)
			}
		})
	}
}

func TestSilentServerPausesNobody(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	b := setup(t, limited(l))
	b.server.Otherwise(llmtest.RateLimited(""))
	if _, err := b.Ask(testContext(t), customerQuestion()); err == nil {
		t.Fatal("Ask succeeds")
	}
	if len(l.pauses) != 0 {
		t.Errorf("pauses %v, but the server named no time", l.pauses)
	}
}
