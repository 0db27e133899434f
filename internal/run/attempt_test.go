package run

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

// takes is an analysis that lasts d unless its context ends.
func takes(d time.Duration) analyzerFunc {
	return func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
		select {
		case <-time.After(d):
			return good(ctx, r)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// lapse lets the fake time of a synctest bubble pass.
func lapse(d time.Duration) { <-time.After(d) }

// ignores lasts d whatever its context says.
func ignores(d time.Duration) analyzerFunc {
	return func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
		lapse(d)
		return good(ctx, r)
	}
}

func TestCancelWhileRunning(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		analyse analyzerFunc
	}{
		{"the analysis stops", takes(time.Hour)},
		{"its result is dropped", ignores(7 * time.Second)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore(1)
				time.AfterFunc(time.Second, func() { store.edit(1, func(r *fakeRun) { r.cancelled = "ann" }) })
				h := newTestHandler(t, store, tc.analyse, HandlerConfig{})
				started := time.Now()
				if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
					t.Fatal(err)
				}
				run := store.run(1)
				wantEvents(t, run, "started", "failed")
				if want := (Failure{Code: CodeCancelled, Text: "cancelled by ann"}); run.failure != want {
					t.Errorf("failure %+v, want %+v", run.failure, want)
				}
				if took := time.Since(started); took > 7*time.Second {
					t.Errorf("cancelling took %s", took)
				}
			})
		})
	}
}

// asynq's context ends when somebody cancels through Redis, and when the lease is
// lost. The database says at once which of the two it was.
func TestEndOfTheTaskContext(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		cancelled string
		events    []string
		took      time.Duration
	}{
		{"cancelled", "ann", []string{"started", "failed"}, time.Second},
		{"lease lost, the claim is good", "", []string{"started", "completed"}, 4 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore(1)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, func() {
					store.edit(1, func(r *fakeRun) { r.cancelled = tc.cancelled })
					cancel()
				})
				h := newTestHandler(t, store, takes(4*time.Second), HandlerConfig{})
				started := time.Now()
				if err := h.ProcessTask(ctx, taskOf1); err != nil {
					t.Fatal(err)
				}
				wantEvents(t, store.run(1), tc.events...)
				if took := time.Since(started); took != tc.took {
					t.Errorf("took %s, want %s", took, tc.took)
				}
			})
		})
	}
}

func TestLostClaimWritesNothing(t *testing.T) {
	t.Parallel()
	saves := func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
		lapse(4 * time.Second)
		if err := r.Save(ctx, []byte("stale"), analysis.Usage{}); err != nil {
			return hang(ctx, r) // other parts of the analysis go on
		}
		return good(ctx, r)
	}
	for _, tc := range []struct {
		name      string
		heartbeat time.Duration
		analyse   analyzerFunc
	}{
		{"seen by the heartbeat", 0, takes(time.Hour)},
		{"seen by the commit", 0, ignores(4 * time.Second)},
		{"seen by the checkpoint", time.Hour, saves},
		{"an error after it", 0, func(context.Context, analysis.Request) (*analysis.Result, error) {
			lapse(4 * time.Second)
			return nil, unavailable
		}},
		{"a panic after it", 0, func(context.Context, analysis.Request) (*analysis.Result, error) {
			lapse(4 * time.Second)
			panic("boom")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore(1)
				time.AfterFunc(2*time.Second, func() {
					store.edit(1, func(r *fakeRun) { r.fence, r.owner = r.fence+1, "other" })
				})
				h := newTestHandler(t, store, tc.analyse, HandlerConfig{Heartbeat: tc.heartbeat})
				started := time.Now()
				if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
					t.Fatalf("got %v, want nil: the other owner has the run", err)
				}
				if took := time.Since(started); took > 5*time.Second {
					t.Errorf("a lost claim was worked on for %s", took)
				}
				run := store.run(1)
				wantEvents(t, run, "started")
				if run.state != "running" || run.owner != "other" || run.checkpoint != nil || run.history != nil {
					t.Errorf("a stale worker changed the run: %+v", run)
				}
			})
		})
	}
}

func TestHeartbeatOutlivesTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(1)
		began := time.Now()
		store.fault = func(ctx context.Context, op string) error {
			switch at := time.Since(began); {
			case op == "beat" && at < 30*time.Second:
				return ErrUnavailable
			case op == "beat" && at < 60*time.Second:
				<-ctx.Done() // hangs
				return ctx.Err()
			case op == "beat" && at < 90*time.Second:
				panic("driver")
			}
			return nil
		}
		h := newTestHandler(t, store, takes(2*time.Minute), HandlerConfig{})
		if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, store.run(1), "started", "completed")
	})
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		h := newTestHandler(t, store, analyzerFunc(hang), HandlerConfig{})
		if l := later(t, h.ProcessTask(ctx, taskOf1)); !l.counted {
			t.Error("an exceeded limit is not counted")
		}
		if ctx.Err() != nil {
			t.Error("asynq's limit was exceeded before the end was recorded")
		}
		if got := store.run(1).history; len(got) != 1 || got[0] != string(CodeTimeout) {
			t.Errorf("history %v, want a used attempt with code %s", got, CodeTimeout)
		}
	})
}

func TestDrainReleasesTheClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(1)
		h := newTestHandler(t, store, analyzerFunc(hang), HandlerConfig{})
		time.AfterFunc(time.Second, h.drain.hurry)
		l := later(t, h.ProcessTask(t.Context(), taskOf1))
		if l.counted || l.delay != 0 {
			t.Errorf("task comes back %+v, want at once and not counted", l)
		}
		run := store.run(1)
		if run.owner != "" || run.attempts != 0 || run.state != "running" {
			t.Errorf("run %+v, want it open, unowned, with no attempt used", run)
		}
		if l := later(t, h.ProcessTask(t.Context(), taskOf1)); l.counted {
			t.Error("a task that came too late is counted")
		}
		if got := store.run(1).fence; got != 1 {
			t.Errorf("a draining worker claimed: fence %d", got)
		}
		next := newTestHandler(t, store, analyzerFunc(good), HandlerConfig{})
		if err := next.ProcessTask(t.Context(), taskOf1); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, store.run(1), "started", "completed")
	})
}

// A result that is there when the drain hurries is paid for, and committed.
func TestDrainKeepsAResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(1)
		h := newTestHandler(t, store, ignores(2*time.Second), HandlerConfig{})
		time.AfterFunc(time.Second, h.drain.hurry)
		if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
			t.Fatal(err)
		}
		wantEvents(t, store.run(1), "started", "completed")
	})
}

// While the database is down, a drain does not wait for the whole CommitTimeout.
func TestDrainCutsTheWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(1)
		store.fault = func(_ context.Context, op string) error {
			if op != "claim" {
				return ErrUnavailable
			}
			return nil
		}
		h := newTestHandler(t, store, analyzerFunc(good), HandlerConfig{CommitTimeout: time.Hour})
		time.AfterFunc(time.Minute, h.drain.hurry)
		started := time.Now()
		_ = later(t, h.ProcessTask(t.Context(), taskOf1))
		if took := time.Since(started); took != time.Minute {
			t.Errorf("took %s, want one minute", took)
		}
	})
}

// An analysis that ignores its context loses the claim after a while, so that
// another worker takes the run, and shows up as hung.
func TestHungAnalysis(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(1)
		h := newTestHandler(t, store, ignores(time.Hour), HandlerConfig{})
		var beatAt time.Time
		store.fault = func(_ context.Context, op string) error {
			if op == "beat" {
				beatAt = time.Now()
			}
			return nil
		}
		hurried := time.Now()
		done := make(chan error)
		go func() { done <- h.ProcessTask(t.Context(), taskOf1) }()
		synctest.Wait()
		h.drain.hurry()
		lapse(2 * time.Minute)
		if got := h.hung.Load(); got != 1 {
			t.Errorf("%d analyses count as hung, want 1", got)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := h.hung.Load(); got != 0 {
			t.Errorf("%d analyses count as hung after the end, want 0", got)
		}
		if kept := beatAt.Sub(hurried); kept > 31*time.Second {
			t.Errorf("the claim was kept for %s after the work was told to end", kept)
		}
	})
}

func TestProgressIsCoalesced(t *testing.T) {
	t.Parallel()
	reports := func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
		for i := range 1000 { // 10 reports in each 100 ms
			r.Progress("ask", i, 1000)
			if i%10 == 9 {
				lapse(100 * time.Millisecond)
			}
		}
		return good(ctx, r)
	}
	for _, tc := range []struct {
		name    string
		analyse analyzerFunc
		least   int
		most    int
	}{
		{"short analyses have none", func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
			r.Progress("ask", 1, 2)
			lapse(490 * time.Millisecond)
			return good(ctx, r)
		}, 0, 0},
		{"two a second", reports, 18, 20},
		{"no repetition", func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
			for range 100 {
				r.Progress("ask", 1, 2)
				lapse(100 * time.Millisecond)
			}
			return good(ctx, r)
		}, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore(1)
				h := newTestHandler(t, store, tc.analyse, HandlerConfig{})
				if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
					t.Fatal(err)
				}
				events := store.run(1).events
				if got := len(events) - 2; got < tc.least || got > tc.most {
					t.Errorf("%d progress events, want %d to %d: %v", got, tc.least, tc.most, events)
				}
				if events[len(events)-1] != "completed" {
					t.Errorf("last event is %q", events[len(events)-1])
				}
			})
		})
	}
}

// A database that hangs must not make the analyzer wait for its progress.
func TestProgressNeverBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore(1)
		store.fault = func(ctx context.Context, op string) error {
			if op == "progress" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		h := newTestHandler(t, store, analyzerFunc(func(ctx context.Context, r analysis.Request) (*analysis.Result, error) {
			for i := range 4 {
				lapse(time.Second)
				r.Progress("ask", i, 4)
			}
			return good(ctx, r)
		}), HandlerConfig{})
		started := time.Now()
		if err := h.ProcessTask(t.Context(), taskOf1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took != 4*time.Second {
			t.Errorf("took %s, want 4s", took)
		}
		wantEvents(t, store.run(1), "started", "completed")
	})
}
