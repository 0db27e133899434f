package llm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

func TestAskAndRead(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	q := customerQuestion()
	answer, err := b.Ask(testContext(t), q)
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	if answer.Usage.Calls != 1 || answer.Usage.PromptTokens == 0 || answer.Usage.CompletionTokens == 0 || answer.Usage.Estimated {
		t.Errorf("usage = %+v, want one call with reported tokens", answer.Usage)
	}
	got, err := b.Read(q, answer.Raw)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if got.Action != analysis.ActionMapToExisting || got.Entity != 1 || len(got.Rejected) != 0 {
		t.Fatalf("proposal = %+v, want a mapping to entity 1 without rejects", got)
	}
	targets := map[string][]int{}
	for _, m := range got.Mappings {
		targets[m.Target] = m.Sources
	}
	want := map[string][]int{"email": {0}, "full_name": {1}}
	if diff := cmp.Diff(want, targets); diff != "" {
		t.Errorf("mappings (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]int{2}, got.Unmapped); diff != "" {
		t.Errorf("unmapped (-want +got)\n%s", diff)
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		script []llmtest.Step
		waits  []time.Duration
	}{
		{"full jitter", []llmtest.Step{llmtest.ServerError(), llmtest.Reset()}, []time.Duration{time.Second / 4, time.Second / 2}},
		{"asked to wait", []llmtest.Step{llmtest.RateLimited("4")}, []time.Duration{4400 * time.Millisecond}},
		{"asked by a 503", []llmtest.Step{llmtest.Status(503, "", "Retry-After", "2")}, []time.Duration{2200 * time.Millisecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, c.script...)
			answer, err := b.Ask(testContext(t), customerQuestion())
			if err != nil {
				t.Fatalf("Ask: %v", err)
			}
			if _, err := b.Read(customerQuestion(), answer.Raw); err != nil {
				t.Errorf("Read: %v", err)
			}
			if diff := cmp.Diff(c.waits, b.waits.all()); diff != "" {
				t.Errorf("waits (-want +got)\n%s", diff)
			}
		})
	}
}

func TestRepeatsStayInBudget(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *Config) { cfg.Timeout = 3 * time.Second }, llmtest.RateLimited("4"))
	_, err := b.Ask(testContext(t), customerQuestion())
	if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelRateLimited || len(b.waits.all()) != 0 {
		t.Errorf("error %v after waits %v, want rate_limited without a wait", err, b.waits.all())
	}
}

func TestCancellationIsTheCallers(t *testing.T) {
	t.Parallel()
	errDraining := errors.New("draining")
	for _, step := range []llmtest.Step{llmtest.Hang(), llmtest.Stall()} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, step)
			ctx, cancel := context.WithCancelCause(testContext(t))
			result := make(chan error, 1)
			go func() {
				_, err := b.Ask(ctx, customerQuestion())
				result <- err
			}()
			if err := b.server.Wait(testContext(t), 1); err != nil {
				t.Fatal(err)
			}
			cancel(errDraining)
			if err := <-result; !errors.Is(err, errDraining) || analysis.ModelErrorOf(err) != nil {
				t.Errorf("error = %v, want the cause of the cancellation", err)
			}
			if _, err := b.Ask(ctx, customerQuestion()); !errors.Is(err, errDraining) || b.server.Count() != 1 {
				t.Errorf("second call: %v after %d requests, want the cause and no request", err, b.server.Count())
			}
		})
	}
	t.Run("while waiting", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil, llmtest.ServerError())
		ctx, cancel := context.WithCancelCause(testContext(t))
		b.Client.sleep = func(ctx context.Context, _ time.Duration) error {
			cancel(errDraining)
			return sleep(ctx, time.Hour)
		}
		if _, err := b.Ask(ctx, customerQuestion()); !errors.Is(err, errDraining) {
			t.Errorf("error = %v, want the cause of the cancellation", err)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil, llmtest.Hang())
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := b.Ask(ctx, customerQuestion()); !errors.Is(err, context.DeadlineExceeded) || analysis.ModelErrorOf(err) != nil {
			t.Errorf("error = %v, want the caller's deadline", err)
		}
	})
}

func TestCache(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	q := customerQuestion()
	first, err := b.Ask(testContext(t), q)
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	second, err := b.Ask(testContext(t), q)
	if err != nil {
		t.Fatalf("Ask again: %v", err)
	}
	if !bytes.Equal(first.Raw, second.Raw) {
		t.Errorf("the cached answer differs")
	}
	if diff := cmp.Diff(analysis.Usage{CachedCalls: 1}, second.Usage); diff != "" {
		t.Errorf("usage (-want +got)\n%s", diff)
	}
	q.TenantID = "another"
	if _, err := b.Ask(testContext(t), q); err != nil {
		t.Fatalf("Ask for another tenant: %v", err)
	}
	if n := b.server.Count(); n != 2 {
		t.Errorf("%d requests, want 2: one for each tenant", n)
	}
}

func TestUselessAnswerIsNotCached(t *testing.T) {
	t.Parallel()
	for _, step := range []llmtest.Step{llmtest.Content("I would rather talk."), llmtest.InventedEntity()} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, step, step)
			q := customerQuestion()
			answer, err := b.Ask(testContext(t), q)
			if err != nil {
				t.Fatalf("Ask: %v", err)
			}
			_, err = b.Read(q, answer.Raw)
			if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelBadAnswer {
				t.Errorf("Read error = %v, want bad_answer", err)
			}
			wantClean(t, b, err)
			answer, err = b.Ask(testContext(t), q)
			if err != nil {
				t.Fatalf("Ask again: %v", err)
			}
			if _, err := b.Read(q, answer.Raw); err != nil || b.server.Count() != 3 {
				t.Errorf("second answer: %v after %d requests, want a good one by a third request", err, b.server.Count())
			}
		})
	}
}

func TestCacheErrorCostsOnlyTheCall(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.cache.fail(errors.New("database is away"))
	if _, err := b.Ask(testContext(t), customerQuestion()); err != nil {
		t.Fatalf("Ask: %v", err)
	}
	if log := b.log.String(); strings.Count(log, "database is away") != 2 {
		t.Errorf("log has not both errors of the cache:\n%s", log)
	}
}

func TestTooLargeIsNotSent(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	q := customerQuestion()
	for range 32_000 {
		q.Source = append(q.Source, analysis.SourceField{Name: strings.Repeat("n", 200), Type: "string"})
	}
	_, err := b.Ask(t.Context(), q) // encoding it takes a busy machine its time
	if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelTooLarge || b.server.Count() != 0 {
		t.Errorf("error %v after %d requests, want too_large and none", err, b.server.Count())
	}
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.server.Otherwise(llmtest.WithoutJSONSchema())
	var group sync.WaitGroup
	var failures atomic.Int32
	for i := range 16 {
		group.Go(func() {
			q := customerQuestion()
			q.TenantID = fmt.Sprint("tenant", i)
			if _, err := b.Ask(testContext(t), q); err != nil {
				failures.Add(1)
			}
		})
	}
	group.Wait()
	if failures.Load() != 0 {
		t.Errorf("%d of 16 calls failed", failures.Load())
	}
}

// TestPromptVersion: results tell with which instructions they were made.
func TestPromptVersion(t *testing.T) {
	t.Parallel()
	var versioned analysis.Versioned = testReader(t)
	if first, again := versioned.PromptVersion(), versioned.PromptVersion(); len(first) != 12 || first != again {
		t.Errorf("the version is %q, then %q", first, again)
	}
}
