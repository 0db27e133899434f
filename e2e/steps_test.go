package e2e

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// This file holds the steps that tests of faults are made of.

// hold makes the model think about the next question until release is called.
func (g *ground) hold() (release func()) {
	gate := make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	g.t.Cleanup(release)
	g.llm.Script(llmtest.Changed("held", func(*llmtest.Answer) { <-gate }))
	return release
}

// asked waits until the model was asked n times in all.
func (g *ground) asked(n int) {
	g.t.Helper()
	await(g.t, fmt.Sprintf("the model was asked %d times", n), func() bool { return g.llm.Count() >= n })
}

// awaitValue waits until a query gives want.
func (g *ground) awaitValue(want, sql string, args ...any) {
	g.t.Helper()
	await(g.t, sql+" is "+want, func() bool { return g.value(sql, args...) == want })
}

// add inserts rows as the app's ingestion does and returns their ids.
func (g *ground) add(shapes ...string) []string {
	g.t.Helper()
	var ids []string
	for i, fields := range shapes {
		ids = append(ids, g.value("INSERT INTO schemas (created_at, hash, tenant_id, sample_data, detected_fields) VALUES (now() + $4::text::interval, $1, $2, '{}', $3::text::jsonb) RETURNING id",
			fmt.Sprintf("%s-%d-%d", g.tenant, time.Now().UnixNano(), i), g.tenant, fields, cmp.Or(g.ahead, "0")))
	}
	return ids
}

// shapes are n different shapes of few kinds of things, so that entities are created
// and found.
func shapes(n int) []string {
	kinds := []string{"customer", "invoice", "vehicle", "sensor"}
	var list []string
	for i := range n {
		kind := kinds[i%len(kinds)]
		list = append(list, fmt.Sprintf(`[{"name":"%[1]s_id","type":"string"},{"name":"%[1]s_code","type":"string"},{"name":"%[1]s_owner","type":"string"},{"name":"extra_%[2]d","type":"string"}]`, kind, i))
	}
	return list
}

func (g *ground) enqueue(ids []string, flags ...string) {
	g.t.Helper()
	g.want(0, "", "enqueue", append(append([]string{"schema"}, ids...), flags...)...)
}

// makeStale lets the time pass after which a silent owner of a claim counts as gone.
func (g *ground) makeStale() {
	g.t.Helper()
	g.exec("UPDATE schemacast_runs SET heartbeat_ms = heartbeat_ms - 31000")
}

// wantHistory compares the kinds of events in the order of their seq. Progress is
// told by the clock, so it is left out.
func (g *ground) wantHistory(want string) {
	g.t.Helper()
	g.wantValue(want, "SELECT string_agg(kind, ' ' ORDER BY seq) FROM schemacast_events WHERE kind <> 'progress'")
}

// told waits until the receiver has heard all events of the tenant, and returns the
// statuses of each schema in the order of their first deliveries, which must be that
// of their seq. Only news of progress may be missing, where a later event said more.
func (g *ground) told(receiver *testenv.Receiver) map[string]string {
	g.t.Helper()
	g.awaitValue("0", "SELECT count(*) FROM schemacast_streams WHERE sent_seq < last_seq")
	total := decode[int](g.t, []byte(g.value("SELECT count(*) FROM schemacast_events WHERE dropped <> 'superseded'")))
	left := map[string]bool{}
	for place := range strings.SplitSeq(g.value("SELECT coalesce(string_agg(schema_id || ' ' || seq, ','), '') FROM schemacast_events "+
		"WHERE dropped = 'superseded' AND kind = 'progress'"), ",") {
		left[place] = true
	}
	seen := map[string]bool{}
	seq := map[int64]int64{}
	statuses := map[string]string{}
	taken := 0
	await(g.t, "the receiver has heard everything", func() bool {
		messages := receiver.Messages()
		for _, m := range messages[taken:] {
			var e event
			m.Decode(g.t, &e)
			if seen[e.EventID] {
				continue // delivered again
			}
			seen[e.EventID] = true
			expected := seq[e.SchemaID] + 1
			for left[fmt.Sprint(e.SchemaID, " ", expected)] {
				expected++
			}
			if e.Seq != expected {
				g.t.Errorf("schema %d: seq %d after %d", e.SchemaID, e.Seq, seq[e.SchemaID])
			}
			seq[e.SchemaID] = e.Seq
			if m.Event == "schema.analysis" {
				id := fmt.Sprint(e.SchemaID)
				statuses[id] = strings.TrimSpace(statuses[id] + " " + e.Status)
			}
		}
		taken = len(messages)
		return len(seen) >= total
	})
	return statuses
}

// connect opens a connection of its own to the database.
func (g *ground) connect() *pgx.Conn {
	g.t.Helper()
	conn, err := pgx.ConnectConfig(g.t.Context(), g.db.Config())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// lockRow holds a row of the app's until unlock is called.
func (g *ground) lockRow(id string) (unlock func()) {
	g.t.Helper()
	conn := g.connect()
	unlock = sync.OnceFunc(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(g.t.Context(), "BEGIN; SELECT 1 FROM schemas WHERE id = "+id+" FOR UPDATE"); err != nil {
		g.t.Fatal(err)
	}
	return unlock
}

// get asks over HTTP.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
