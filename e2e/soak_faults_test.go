package e2e

import (
	"net/http"
	"syscall"
	"time"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// points are where a worker of the soak test kills itself.
var points = []string{
	"run.dequeued", "run.claimed", "run.analysing", "run.answered", "run.checkpointed", "run.committed",
	"store.before-commit", "broadcast.publishing", "broadcast.published",
}

// fault breaks something and says how long it stays so, and what mends it.
type fault struct {
	name string
	do   func(s *soak) (lasts time.Duration, mend func() bool)
}

// faults are drawn with equal chances; which ones come in which order is the seed's.
var faults = []fault{
	{"worker: kill -9", func(s *soak) (time.Duration, func() bool) { s.victim().kill(); return 0, nil }},
	{"worker: SIGTERM", func(s *soak) (time.Duration, func() bool) { s.tell(s.victim(), syscall.SIGTERM); return 0, nil }},
	{"worker: kill -9 at a point", func(s *soak) (time.Duration, func() bool) {
		s.victim().arm("run.committed=tell", points[s.random.IntN(len(points))]+":1=kill")
		return 0, nil
	}},
	{"worker: paused", func(s *soak) (time.Duration, func() bool) {
		w := s.victim()
		s.tell(w, syscall.SIGSTOP)
		return s.seconds(1, 45), func() bool { s.tell(w, syscall.SIGCONT); return true }
	}},
	{"redis: killed, back empty", func(s *soak) (time.Duration, func() bool) {
		s.server.Stop()
		return s.seconds(1, 10), func() bool { s.server.Start(); return true }
	}},
	{"redis: FLUSHALL", func(s *soak) (time.Duration, func() bool) {
		_ = s.redis.FlushAll(s.t.Context()).Err() // it may be down
		return 0, nil
	}},
	{"redis: network cut", func(s *soak) (time.Duration, func() bool) {
		s.toRedis.Cut()
		return s.seconds(1, 15), func() bool { s.toRedis.Restore(); return true }
	}},
	{"postgres: connections terminated", func(s *soak) (time.Duration, func() bool) {
		_, _ = s.db.Exec(s.t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		return 0, nil
	}},
	{"postgres: restart", func(s *soak) (time.Duration, func() bool) {
		s.postgres.Stop()
		return s.seconds(1, 8), func() bool { s.postgres.Start(); return true }
	}},
	{"postgres: crash", func(s *soak) (time.Duration, func() bool) {
		s.postgres.Crash()
		return s.seconds(0, 3), func() bool { s.postgres.Start(); return true }
	}},
	{"postgres: network cut", func(s *soak) (time.Duration, func() bool) {
		s.toDB.Cut()
		return s.seconds(1, 15), func() bool { s.toDB.Restore(); return true }
	}},
	{"postgres: answers lost", func(s *soak) (time.Duration, func() bool) {
		s.toDB.Restore()
		s.toDB.Truncate(int64(s.random.IntN(4000)))
		return s.seconds(1, 3), func() bool { s.toDB.Restore(); return true }
	}},
	{"soketi: down", func(s *soak) (time.Duration, func() bool) {
		s.soketi.Stop()
		return s.seconds(1, 15), func() bool { s.soketi.Start(); return true }
	}},
	{"soketi: takes and fails", broadcastFault(func(n int, _ []testenv.Published) testenv.Reply {
		return testenv.Reply{Take: n%2 == 0, Status: http.StatusBadGateway, Body: "<html>"}
	})},
	{"soketi: rate limit", broadcastFault(testenv.Refuses(http.StatusTooManyRequests, "Too many requests."))},
	{"soketi: refuses the app", broadcastFault(testenv.Refuses(http.StatusUnauthorized, "The secret authentication failed"))},
	{"model: errors", modelFault(llmtest.ServerError())},
	{"model: hangs", modelFault(llmtest.Hang())},
	{"model: rate limit", modelFault(llmtest.RateLimited("2"))},
	{"model: connection reset", modelFault(llmtest.ResetInside())},
	{"model: slow", modelFault(llmtest.Delayed(2*time.Second, llmtest.Good()))},
	{"model: bad answers", func(s *soak) (time.Duration, func() bool) {
		s.llm.Script(llmtest.Fenced(), llmtest.InventedIDs(), llmtest.DuplicateTargets(), llmtest.BadFormula(), llmtest.Content("no idea"))
		return 0, nil
	}},
}

func broadcastFault(b testenv.Behaviour) func(s *soak) (time.Duration, func() bool) {
	return func(s *soak) (time.Duration, func() bool) {
		s.recorder.Behave(b)
		return s.seconds(1, 10), func() bool { s.recorder.Behave(testenv.Takes); return true }
	}
}

func modelFault(step llmtest.Step) func(s *soak) (time.Duration, func() bool) {
	return func(s *soak) (time.Duration, func() bool) {
		s.llm.Otherwise(step)
		return s.seconds(1, 6), func() bool { s.llm.Otherwise(llmtest.Good()); return true }
	}
}

// breakSomething draws a fault. All draws are made here and in it, so that a seed
// repeats them.
func (s *soak) breakSomething(now time.Time) {
	s.t.Helper()
	f := faults[s.random.IntN(len(faults))]
	s.faults[f.name]++
	lasts, mend := f.do(s)
	if mend != nil {
		s.mends = append(s.mends, mending{due: now.Add(lasts), do: mend})
	}
}

func (s *soak) victim() *worker { return s.workers[s.random.IntN(len(s.workers))] }

// tell signals a worker, which may be gone.
func (s *soak) tell(w *worker, signal syscall.Signal) { _ = w.cmd.Process.Signal(signal) }

func (s *soak) seconds(least, most int) time.Duration {
	return time.Duration(1000*least+s.random.IntN(1000*(most-least)+1)) * time.Millisecond
}
