package e2e

import (
	"testing"
)

func TestFault39Cancel(t *testing.T) {
	t.Parallel()
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		ids := g.add(shapes(2)...)
		g.enqueue(ids[:1])
		// One with a run, and one that is no more than a row.
		g.want(0, "cancelled", "enqueue", "cancel", ids[0], ids[1])
		g.wantValue("failed failed", "SELECT string_agg(ai_analysis_status, ' ') FROM schemas")
		g.start(t)
		g.prove(verdict{calls: 0, runs: "cancelled 0, cancelled 0"})
		g.wantValue("failed failed", "SELECT string_agg(kind, ' ') FROM schemacast_events")
		await(t, "no task is left", func() bool { return g.tasks(allStates...) == 0 })
	})
	t.Run("during", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		release := g.hold()
		g.start(t)
		ids := g.add(shapes(1)...)
		g.enqueue(ids)
		g.asked(1)
		g.want(0, "", "enqueue", "cancel", ids[0])
		// The model has not answered: the run does not wait for it.
		g.prove(verdict{calls: 1, runs: "cancelled 1"})
		release()
		g.wantHistory("started failed")
		g.wantValue("failed", "SELECT ai_analysis_status FROM schemas")
		await(t, "no task is left, and none is tried again", func() bool { return g.tasks(allStates...) == 0 })
		g.proveNow(verdict{calls: 1, runs: "cancelled 1"})
		// Cancelled is not forbidden.
		g.enqueue(ids, "--wait")
		g.prove(verdict{calls: -1})
		g.wantValue("completed", "SELECT ai_analysis_status FROM schemas WHERE type = 'input'")
	})
	t.Run("at the commit", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		w := g.start(t)
		w.arm("run.checkpointed=hang")
		ids := g.add(shapes(1)...)
		g.enqueue(ids)
		w.reached("run.checkpointed", 1)
		g.want(0, "being cancelled", "enqueue", "cancel", ids[0], "--timeout", "0s")
		w.arm()
		g.prove(verdict{calls: 1, runs: "cancelled 1"})
		g.wantHistory("started failed")
		g.wantValue("0", "SELECT count(*) FROM schema_mappings")
	})
	t.Run("of a worker that has died", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		first := g.start(t)
		first.arm("run.claimed=kill")
		ids := g.add(shapes(1)...)
		g.enqueue(ids)
		first.died()
		g.want(0, "being cancelled", "enqueue", "cancel", ids[0], "--timeout", "0s")
		g.loseTime()
		g.start(t)
		g.prove(verdict{calls: 0})
		g.wantValue("cancelled", "SELECT error_code FROM schemacast_runs")
		g.wantHistory("started failed")
	})
	t.Run("after", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		g.start(t)
		ids := g.add(shapes(1)...)
		g.enqueue(ids)
		g.prove(verdict{calls: 1, runs: "completed 1"})
		before := g.value(versions)
		g.want(1, "was not cancelled", "enqueue", "cancel", ids[0])
		g.proveNow(verdict{calls: 1, runs: "completed 1"})
		if after := g.value(versions); after != before {
			t.Errorf("a cancel that came late touched rows: before %s\nafter %s", before, after)
		}
	})
}
