package e2e

import (
	"fmt"
	"testing"

	"github.com/schemacast/schemacast/internal/task"
)

func TestFault19SchemaDeleted(t *testing.T) {
	t.Parallel()
	t.Run("while the model thinks", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		release := g.hold()
		g.start(t)
		ids := g.add(shapes(1)...)
		g.enqueue(ids)
		g.asked(1)
		g.exec("DELETE FROM schemas WHERE id = $1", ids[0])
		release()
		g.prove(verdict{calls: 1, runs: "schema_gone 1"})
		g.wantHistory("started failed")
		g.wantValue("0", "SELECT (SELECT count(*) FROM schemas) + (SELECT count(*) FROM schema_mappings)")
		await(t, "no task is left", func() bool { return g.tasks(allStates...) == 0 })
	})
	t.Run("before the claim", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		ids := g.add(shapes(1)...)
		g.enqueue(ids)
		g.exec("DELETE FROM schemas WHERE id = $1", ids[0])
		g.start(t)
		g.prove(verdict{calls: 0, runs: "schema_gone 1"})
		await(t, "no task is left", func() bool { return g.tasks(allStates...) == 0 })
	})
}

func TestFault20FieldsChangeWhileTheModelThinks(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	release := g.hold()
	g.start(t)
	list := shapes(2)
	ids := g.add(list[0])
	g.enqueue(ids)
	g.asked(1)
	g.exec("UPDATE schemas SET detected_fields = $1::text::jsonb WHERE id = $2", list[1], ids[0])
	release()
	g.prove(verdict{calls: 2, runs: "completed 1"})
	g.wantValue("1", "SELECT restarts FROM schemacast_runs")
	g.wantValue("extra_1 invoice_code invoice_id invoice_owner", "SELECT string_agg(field_path, ' ' ORDER BY field_path) FROM schema_mappings")
	g.wantHistory("started completed")
	g.wantValue("1", "SELECT count(*) FROM schemacast_events WHERE payload::json -> 'progress' ->> 'stage' = 'restart'")
}

// A schema that is never settled ends as failed, and not never.
func TestFault20FieldsChangeAgainAndAgain(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.exec(`CREATE FUNCTION unsettled() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.checkpoint IS NOT NULL AND OLD.checkpoint IS NULL THEN
				UPDATE schemas SET detected_fields = ('[{"name":"field_' || NEW.restarts || '","type":"string"}]')::json WHERE id = NEW.schema_id;
			END IF;
			RETURN NEW; END $$;
		CREATE TRIGGER unsettled BEFORE UPDATE ON schemacast_runs FOR EACH ROW EXECUTE FUNCTION unsettled()`)
	g.start(t)
	g.enqueue(g.add(shapes(1)...))
	g.prove(verdict{calls: 4, runs: "fields_changing 1"})
	g.wantHistory("started failed")
}

// The same schema from everywhere at once, under ids that asynq does not compare.
func TestFault21OneSchemaManyTasks(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	release := g.hold()
	g.start(t)
	g.start(t)
	ids := g.add(shapes(1)...)
	payload := []byte(fmt.Sprintf(`{"schema_id":%s,"v":1}`, ids[0]))
	for i := range 20 {
		queue := task.QueueInteractive
		if i%2 == 1 {
			queue = task.QueueBackfill
		}
		g.put(queue, fmt.Sprintf("twin-%d", i), task.Type, payload)
	}
	g.asked(1)
	release()
	g.prove(verdict{calls: 1, runs: "completed 1"})
	g.wantHistory("started completed")
	g.hurry("no task is left", func() bool { return g.tasks(allStates...) == 0 })
	g.proveNow(verdict{calls: 1, runs: "completed 1"})
}

// Two tenants, or two schemas, whose shapes make the same entity.
func TestFault21OneEntityManyWorkers(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	for range 3 {
		g.start(t)
	}
	var same []string
	for range 30 {
		same = append(same, shapes(1)[0])
	}
	g.enqueue(g.add(same...))
	g.prove(verdict{calls: -1})
	g.wantValue("1", "SELECT count(*) FROM schemas WHERE type = 'struct'")
	g.wantValue("30", "SELECT count(*) FROM schemacast_runs WHERE outcome = 'completed'")
}
