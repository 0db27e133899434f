package llm

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

func TestBreakerOpensAfterFailuresInARow(t *testing.T) {
	t.Parallel()
	for _, step := range []llmtest.Step{
		llmtest.ServerError(), llmtest.Status(502, "<html>"), llmtest.Status(529, ""), llmtest.Reset(), llmtest.ResetInside(),
	} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			l := &ledger{}
			b := setup(t, func(cfg *Config) { cfg.BreakerFailures, cfg.BreakerPause, cfg.Limiter = 5, time.Hour, l })
			b.server.Otherwise(step)
			for call := range 4 {
				_, err := b.Ask(testContext(t), customerQuestion())
				e := analysis.ModelErrorOf(err)
				if e == nil || e.Kind != analysis.ModelUnavailable {
					t.Fatalf("error = %v, want unavailable", err)
				}
				// Three requests, then two, then none. A call that sent one uses the attempt.
				if paused := call > 1; (e.RetryAfter > 0) != paused || e.RetryAfter > time.Hour {
					t.Errorf("call %d: retry after %s; a run waits without using an attempt when nothing was sent", call, e.RetryAfter)
				}
			}
			if n := b.server.Count(); n != 5 {
				t.Errorf("%d requests, want 5", n)
			}
			if len(l.taken) != 5 {
				t.Errorf("%d requests were taken out of the limits, want the 5 that were sent", len(l.taken))
			}
			if e := analysis.ModelErrorOf(b.Available()); e == nil || e.RetryAfter <= 0 {
				t.Errorf("Available = %v, want how long the pause is", b.Available())
			}
			if n := strings.Count(b.log.String(), "again and again"); n != 1 {
				t.Errorf("the pause is logged %d times, want once:\n%s", n, b.log)
			}
		})
	}
}

// TestBreakerIgnoresAnswers: a server that says no is there.
func TestBreakerIgnoresAnswers(t *testing.T) {
	t.Parallel()
	for _, step := range []llmtest.Step{
		llmtest.RateLimited(""), llmtest.Quota(), llmtest.Unauthorized(), llmtest.BadRequest("invalid_value"),
		llmtest.Empty(), llmtest.Refusal(), llmtest.Truncated(), llmtest.Huge(9 << 20),
	} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(cfg *Config) { cfg.BreakerFailures = 1 })
			b.server.Otherwise(step)
			for range 3 {
				if _, err := b.Ask(testContext(t), customerQuestion()); err == nil {
					t.Fatal("Ask succeeds")
				}
			}
			if err := b.Available(); err != nil {
				t.Errorf("Available = %v after answers", err)
			}
		})
	}
}

func TestBreakerIgnoresCallersThatLeave(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *Config) { cfg.BreakerFailures = 1 })
	b.server.Otherwise(llmtest.Hang())
	for n := range 3 {
		ctx, cancel := context.WithCancel(testContext(t))
		done := make(chan error, 1)
		go func() {
			_, err := b.Ask(ctx, customerQuestion())
			done <- err
		}()
		if err := b.server.Wait(ctx, n+1); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v, want the caller's", err)
		}
	}
	if err := b.Available(); err != nil {
		t.Errorf("Available = %v after calls that their callers ended", err)
	}
}

func TestBreakerResumes(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *Config) { cfg.BreakerFailures, cfg.BreakerPause = 1, time.Nanosecond }, llmtest.ServerError())
	// The pause is over before the repeat, which is the probe.
	if _, err := b.Ask(testContext(t), customerQuestion()); err != nil {
		t.Fatalf("Ask: %v", err)
	}
	if log := b.log.String(); !strings.Contains(log, "again and again") || !strings.Contains(log, "answers again") {
		t.Errorf("the log tells not of both ends of the pause:\n%s", log)
	}
}

// TestRefusalGivesBack: beside a probe a question takes its turn, is not sent, and
// gives the turn back.
func TestRefusalGivesBack(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	b := setup(t, func(cfg *Config) { cfg.BreakerFailures, cfg.BreakerPause, cfg.Limiter = 1, time.Nanosecond, l },
		llmtest.ServerError(), llmtest.Hang())
	ctx, cancel := context.WithCancel(testContext(t))
	probe := make(chan error, 1)
	go func() {
		_, err := b.Ask(ctx, customerQuestion())
		probe <- err
	}()
	if err := b.server.Wait(ctx, 2); err != nil {
		t.Fatal(err)
	}
	other := customerQuestion()
	other.TenantID = "another" // the same question would wait for the probe's answer
	_, err := b.Ask(testContext(t), other)
	if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelUnavailable || b.server.Count() != 2 {
		t.Errorf("error %v after %d requests, want a refusal beside the probe", err, b.server.Count())
	}
	l.mu.Lock()
	used := slices.Clone(l.used)
	l.mu.Unlock()
	if diff := cmp.Diff([]int{0, 0}, used); diff != "" {
		t.Errorf("settled: the failure and the refusal (-want +got)\n%s", diff)
	}
	cancel()
	if err := <-probe; !errors.Is(err, context.Canceled) {
		t.Errorf("the probe ended with %v, want its caller's cause", err)
	}
}

// TestDeadServerEndsRuns: a failed probe is an attempt. Otherwise a run would wait for
// as long as the server is down, and never fail.
func TestDeadServerEndsRuns(t *testing.T) {
	t.Parallel()
	b := setup(t, func(cfg *Config) { cfg.BreakerFailures = 2 })
	b.server.Otherwise(llmtest.ServerError())
	attempts := 0
	for range 10 {
		_, err := b.Ask(testContext(t), customerQuestion())
		if e := analysis.ModelErrorOf(err); e != nil && e.RetryAfter == 0 {
			attempts++
		}
		// The pause is over, as it is when a run comes back.
		b.breaker = newBreaker(Config{Model: "m", BreakerFailures: 1, BreakerPause: time.Hour}, b.logger)
	}
	if attempts != 10 {
		t.Errorf("%d of 10 calls to a dead server used an attempt, want all that sent a request", attempts)
	}
}

// TestOneProbeAtATime runs on a clock of its own.
func TestOneProbeAtATime(t *testing.T) {
	t.Parallel()
	down := failure{ModelError: &analysis.ModelError{Kind: analysis.ModelUnavailable}}
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(Config{Model: "m", BreakerFailures: 2, BreakerPause: time.Minute}, slog.New(slog.DiscardHandler))
		do := func(f failure) failure {
			_, got := b.do(t.Context(), func() (*reply, failure) { return nil, f })
			return got
		}
		wantRefusal := func(when string, f failure, after time.Duration) {
			t.Helper()
			if f.ModelError == nil || f.RetryAfter != after {
				t.Errorf("%s: %+v, want a refusal for %s", when, f.ModelError, after)
			}
		}
		report := func(f failure) { _ = do(f) }
		report(down)
		report(failure{}) // in a row means in a row
		report(down)
		if f := b.refuses(); f.ModelError != nil {
			t.Fatalf("open after failures that were not in a row: %v", f)
		}
		report(down)
		wantRefusal("open", b.refuses(), time.Minute)
		wait(45 * time.Second)
		wantRefusal("open for a while", do(failure{}), 15*time.Second)
		wait(16 * time.Second)

		_, probe := b.do(t.Context(), func() (*reply, failure) {
			wantRefusal("beside a probe", do(failure{}), 15*time.Second)
			return nil, down
		})
		if probe.ModelError != down.ModelError {
			t.Errorf("the probe got %+v, want what the server said", probe.ModelError)
		}
		wantRefusal("after a failed probe", b.refuses(), time.Minute)
		wait(61 * time.Second)

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		// A probe that its caller ended leaves room for the next.
		if _, f := b.do(gone, func() (*reply, failure) { return nil, down }); f.ModelError != down.ModelError {
			t.Errorf("a probe that its caller ended got %+v, want what was sent to it", f.ModelError)
		}
		report(down)
		wantRefusal("after a probe that said nothing and one that failed", b.refuses(), time.Minute)
		wait(61 * time.Second)
		report(failure{})
		if f := do(failure{}); f.ModelError != nil || b.refuses().ModelError != nil {
			t.Errorf("still refuses after a good probe: %+v", f)
		}
	})
}

// wait lets the bubble's clock pass.
func wait(d time.Duration) { <-time.After(d) }

func TestBreakerSurvivesAPanic(t *testing.T) {
	t.Parallel()
	b := newBreaker(Config{Model: "m", BreakerFailures: 1, BreakerPause: time.Nanosecond}, slog.New(slog.DiscardHandler))
	for range 3 {
		func() {
			defer func() { _ = recover() }()
			_, _ = b.do(t.Context(), func() (*reply, failure) { panic(errors.New("bug")) })
		}()
	}
	if _, f := b.do(t.Context(), func() (*reply, failure) { return nil, failure{} }); f.ModelError != nil {
		t.Errorf("a panic leaves the breaker shut: %v", f)
	}
}
