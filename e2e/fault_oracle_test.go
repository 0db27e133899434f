package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// verdict is what a scenario must have led to, besides the promises, which hold after
// each of them.
type verdict struct {
	// calls is how often the model was asked in all; negative for any number.
	calls int
	// runs are the outcomes of all runs, in the order of their ids, with their attempts:
	// "completed 1, schema_gone 2". Defaults to not being looked at.
	runs string
	// dropped is how many states, such as started, were given up, and not heard.
	dropped int
}

// prove waits for the end of everything that was asked for, and checks the promises P1
// to P5 by what the tables say and by what the receiver saw.
func (g *faultGround) prove(v verdict) {
	g.t.Helper()
	g.awaitEnd(patience)
	g.proveNow(v)
}

// awaitEnd is P1, and the sending half of P3: nothing is open, no event is unsent.
func (g *faultGround) awaitEnd(limit time.Duration) {
	g.t.Helper()
	open := func() string {
		return g.value(`SELECT concat_ws(', ',
			(SELECT string_agg(id || ' ' || ai_analysis_status, ' ') FROM (SELECT id, ai_analysis_status FROM schemas
				WHERE type = 'input' AND ai_analysis_status NOT IN ('completed', 'failed') ORDER BY id LIMIT 5) s),
			(SELECT string_agg('run ' || schema_id || ' ' || state, ' ') FROM (SELECT schema_id, state FROM schemacast_runs
				WHERE active_schema_id IS NOT NULL ORDER BY id LIMIT 5) r),
			(SELECT 'unsent ' || nullif(sum(last_seq - sent_seq), 0) FROM schemacast_streams))`)
	}
	deadline := time.Now().Add(limit)
	awaitFor(g.t, limit+5*time.Second, "everything has ended", func() bool {
		left := open()
		if left != "" && time.Now().After(deadline) {
			g.t.Fatalf("lost after %s: %s\ntasks: %s", limit, left, g.queued())
		}
		return left == ""
	})
}

// queued says what stands in Redis, for the text of a failure.
func (g *faultGround) queued() string {
	keys, err := g.redis.Keys(g.t.Context(), "asynq:{*").Result()
	return fmt.Sprintf("%v %v", keys, err)
}

func (g *faultGround) proveNow(v verdict) {
	g.t.Helper()
	for promise, query := range broken {
		if found := g.value("SELECT coalesce(string_agg(x, '; '), '') FROM (" + query + " LIMIT 10) AS found(x)"); found != "" {
			g.t.Errorf("%s: %s", promise, found)
		}
	}
	g.wantValue(fmt.Sprint(v.dropped), "SELECT count(*) FROM schemacast_events WHERE kind <> 'progress' AND dropped <> ''")
	g.proveHeard()
	if n := g.llm.Count(); v.calls >= 0 && n != v.calls {
		g.t.Errorf("P4: %d calls of the model, want %d", n, v.calls)
	}
	if v.runs != "" {
		g.wantValue(v.runs, "SELECT string_agg(outcome || ' ' || attempts, ', ' ORDER BY id) FROM schemacast_runs")
	}
}

// broken are queries that find what breaks a promise; each row is one sentence.
var broken = map[string]string{
	"P1 an ended run without the word of it in its row": `SELECT format('schema %s is %s after a run that %s', s.id, s.ai_analysis_status, r.state)
		FROM schemas s JOIN schemacast_runs r ON r.schema_id = s.id
		WHERE r.id = (SELECT max(id) FROM schemacast_runs WHERE schema_id = s.id) AND s.ai_analysis_status <> r.state AND r.outcome <> 'superseded'`,
	"P2 a field mapped twice": `SELECT format('%s of schema %s', field_path, schema_id)
		FROM schema_mappings GROUP BY schema_id, field_path HAVING count(*) > 1`,
	"P2 an entity made twice": `SELECT format('%s of tenant %s', lower(name), tenant_id)
		FROM schemas WHERE type = 'struct' GROUP BY tenant_id, lower(name) HAVING count(*) > 1`,
	"P2 an entity that nothing maps to": `SELECT format('%s %s', e.id, e.name) FROM schemas e
		WHERE e.type = 'struct' AND NOT EXISTS (SELECT 1 FROM schema_mappings m WHERE m.target_schema_id = e.id)`,
	"P2 a result that is not the last run's": `SELECT format('schema %s maps to %s, its run says %s', m.schema_id, m.target_schema_id, r.entity_id)
		FROM schema_mappings m JOIN schemacast_runs r ON r.schema_id = m.schema_id AND r.outcome = 'completed'
		WHERE r.id = (SELECT max(id) FROM schemacast_runs WHERE schema_id = m.schema_id) AND m.target_schema_id <> r.entity_id`,
	"P2 a completed run without a result": `SELECT format('schema %s', r.schema_id) FROM schemacast_runs r JOIN schemas s ON s.id = r.schema_id
		WHERE r.outcome = 'completed' AND (s.ai_recommendations IS NULL OR NOT EXISTS (SELECT 1 FROM schema_mappings m WHERE m.schema_id = r.schema_id))`,
	"P2 a run that was ended by more than one attempt": `SELECT format('run %s of schema %s by %s', r.id, r.schema_id, count(*))
		FROM schemacast_runs r JOIN schemacast_attempts a ON a.run_id = r.id
		WHERE a.outcome NOT IN ('retry', 'snoozed', 'released', 'lost') GROUP BY r.id, r.schema_id HAVING count(*) > 1`,
	"P2 an ended run with an open attempt": `SELECT format('run %s, fence %s', r.id, a.fence) FROM schemacast_runs r JOIN schemacast_attempts a ON a.run_id = r.id
		WHERE r.ended_ms IS NOT NULL AND (a.ended_ms IS NULL OR a.outcome = '')`,
	"P3 not exactly one terminal event of a run": `SELECT format('run %s of schema %s: %s', r.id, r.schema_id, coalesce(string_agg(e.kind, ' ' ORDER BY e.seq), 'none'))
		FROM schemacast_runs r LEFT JOIN schemacast_events e ON e.run_id = r.id WHERE r.ended_ms IS NOT NULL AND (r.started_ms IS NOT NULL OR r.outcome NOT IN ('superseded', 'schema_gone'))
		GROUP BY r.id, r.schema_id HAVING count(*) FILTER (WHERE e.kind IN ('completed', 'failed')) <> 1`,
	"P3 not exactly one started event, the first": `SELECT format('run %s of schema %s: %s', r.id, r.schema_id, coalesce(string_agg(e.kind, ' ' ORDER BY e.seq), 'none'))
		FROM schemacast_runs r LEFT JOIN schemacast_events e ON e.run_id = r.id WHERE r.started_ms IS NOT NULL GROUP BY r.id, r.schema_id
		HAVING count(*) FILTER (WHERE e.kind = 'started') <> 1 OR (array_agg(e.kind ORDER BY e.seq))[1] <> 'started'`,
	"P3 an event after the terminal one": `SELECT format('schema %s, seq %s', later.schema_id, later.seq) FROM schemacast_events e
		JOIN schemacast_events later ON later.run_id = e.run_id AND later.seq > e.seq WHERE e.kind IN ('completed', 'failed')`,
	"P3 a gap in the numbers of a stream": `SELECT format('stream %s: %s events, last %s, sent %s', s.schema_id, count(e.id), s.last_seq, s.sent_seq)
		FROM schemacast_streams s LEFT JOIN schemacast_events e ON e.schema_id = s.schema_id GROUP BY s.schema_id, s.last_seq, s.sent_seq
		HAVING count(e.id) <> s.last_seq OR max(e.seq) <> s.last_seq OR s.sent_seq <> s.last_seq`,
	"P6 a mapping across tenants": `SELECT format('schema %s to %s', s.id, e.id) FROM schema_mappings m JOIN schemas s ON s.id = m.schema_id
		JOIN schemas e ON e.id = m.target_schema_id WHERE s.tenant_id <> e.tenant_id`,
}

// heard is an event as the receiver took it.
type heard struct {
	event
	RunID string `json:"run_id"`
}

// proveHeard is the receiving half of P3: everything that was sent came at least once,
// first deliveries in the order of their numbers, and nothing came that is not in the
// outbox.
func (g *faultGround) proveHeard() {
	g.t.Helper()
	known := g.outbox()
	last := map[int64]int64{}
	seen := map[string]bool{}
	for _, m := range g.recorder.Messages() {
		var e heard
		if err := json.Unmarshal(m.Data, &e); err != nil {
			g.t.Errorf("P3: the receiver got %s: %v", m.Data, err)
			continue
		}
		id := m.Channel + " " + e.EventID
		if seen[id] {
			continue // delivered again, which clients see by its id
		}
		seen[id] = true
		kind, ok := known[e.EventID]
		if !ok {
			g.t.Errorf("P3: the receiver got event %s of schema %d, which is not in the outbox", e.EventID, e.SchemaID)
		}
		if kind != "progress" && e.Status != kind {
			g.t.Errorf("P3: event %s is %s in the outbox and %s on the wire", e.EventID, kind, e.Status)
		}
		if want := "tenant." + e.TenantID + ".schemas"; m.Channel != want {
			g.t.Errorf("P6: event %s went to %s, want %s", e.EventID, m.Channel, want)
		}
		if e.Seq <= last[e.SchemaID] {
			g.t.Errorf("P3: schema %d: %d came first after %d", e.SchemaID, e.Seq, last[e.SchemaID])
		}
		last[e.SchemaID] = e.Seq
		delete(known, e.EventID)
	}
	for id, kind := range known {
		if kind != "progress" {
			g.t.Errorf("P3: %s %s was never heard", kind, id)
		}
	}
}

// outbox returns the kinds of all events by their ids, without states that were given
// up.
func (g *faultGround) outbox() map[string]string {
	g.t.Helper()
	known := map[string]string{}
	for line := range strings.SplitSeq(g.value("SELECT coalesce(string_agg(id || ' ' || kind, ','), '') FROM schemacast_events WHERE kind = 'progress' OR dropped = ''"), ",") {
		if id, kind, ok := strings.Cut(line, " "); ok {
			known[id] = kind
		}
	}
	return known
}

// TestOracleSees breaks each promise by hand: an oracle that is blind proves nothing.
func TestOracleSees(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.start(t)
	g.enqueue(g.add(shapes(2)...))
	g.prove(verdict{calls: 2})
	breaks := map[string]string{
		"P1 an ended run without the word of it in its row": `UPDATE schemas SET ai_analysis_status = 'failed' WHERE type = 'input'`,
		"P2 a field mapped twice":                           `INSERT INTO schema_mappings (schema_id, target_schema_id, field_path) SELECT schema_id, target_schema_id, field_path FROM schema_mappings LIMIT 1`,
		"P2 an entity made twice": `INSERT INTO schemas (hash, name, tenant_id, sample_data, detected_fields, type)
			SELECT 'twice', upper(name), tenant_id, '[]', '[]', type FROM schemas WHERE type = 'struct' LIMIT 1`,
		"P2 an entity that nothing maps to":      `DELETE FROM schema_mappings`,
		"P2 a result that is not the last run's": `UPDATE schemacast_runs SET entity_id = 4711`,
		"P2 a completed run without a result":    `UPDATE schemas SET ai_recommendations = NULL`,
		"P2 a run that was ended by more than one attempt": `INSERT INTO schemacast_attempts (run_id, fence, owner, started_ms, ended_ms, outcome)
			SELECT run_id, fence + 1, owner, started_ms, ended_ms, outcome FROM schemacast_attempts`,
		"P2 an ended run with an open attempt":        `UPDATE schemacast_attempts SET ended_ms = NULL`,
		"P3 not exactly one terminal event of a run":  `UPDATE schemacast_events SET kind = 'progress' WHERE kind = 'completed'`,
		"P3 not exactly one started event, the first": `UPDATE schemacast_events SET kind = 'progress' WHERE kind = 'started'`,
		"P3 an event after the terminal one":          `UPDATE schemacast_events SET seq = seq + 5 WHERE kind = 'started'`,
		"P3 a gap in the numbers of a stream":         `UPDATE schemacast_streams SET last_seq = last_seq + 1`,
		"P3 a state that was given up":                `UPDATE schemacast_events SET dropped = 'too large'`,
		"P6 a mapping across tenants":                 `INSERT INTO tenants (id, name) VALUES ('other', 'Other'); UPDATE schemas SET tenant_id = 'other' WHERE type = 'struct'`,
	}
	for promise, query := range broken {
		g.exec("BEGIN; " + breaks[promise])
		if found := g.value("SELECT count(*) FROM (" + query + ") AS found"); found == "0" {
			t.Errorf("the oracle does not see: %s", promise)
		}
		g.exec("ROLLBACK")
		if found := g.value("SELECT count(*) FROM (" + query + ") AS found"); found != "0" {
			t.Errorf("%s: found in a healthy database", promise)
		}
	}
}
