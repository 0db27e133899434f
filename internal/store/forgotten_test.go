package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// aged inserts a row that was created, and last changed, a while ago.
func (g *ground) aged(age time.Duration) int64 {
	g.t.Helper()
	id := g.insertCustomer()
	at := time.Now().UTC().Add(-age).Format(appTime)
	g.sql("UPDATE schemas SET created_at = ?, updated_at = ? WHERE id = ?", at, at, id)
	return id
}

func (g *ground) installed(ago time.Duration) {
	g.t.Helper()
	g.sql("UPDATE schemacast_meta SET value = ? WHERE key = 'installed_ms'", fmt.Sprint(time.Now().Add(-ago).UnixMilli()))
}

// forgotten reads all pages of one sweep.
func (g *ground) forgotten(page int) []int64 {
	g.t.Helper()
	var ids []int64
	for after := int64(0); ; {
		list, err := g.Forgotten(g.t.Context(), after, time.Minute, page)
		g.must(err)
		if len(list) == 0 {
			return ids
		}
		ids = append(ids, schemaIDs(list)...)
		after = list[len(list)-1].SchemaID
	}
}

func (g *ground) wantForgotten(want ...int64) {
	g.t.Helper()
	if diff := cmp.Diff(want, g.forgotten(2)); diff != "" {
		g.t.Errorf("forgotten (-want +got):\n%s", diff)
	}
}

func TestForgottenRows(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g.installed(24 * time.Hour)
		history, first := g.aged(25*time.Hour), g.aged(23*time.Hour)
		set := func(change string, age time.Duration) int64 {
			id := g.aged(age)
			g.sql("UPDATE schemas SET "+change+" WHERE id = ?", id)
			return id
		}
		for _, change := range []string{
			"type = 'struct'", "type = 'entity'", "status = 'confirmed'", "status = 'rejected'", "ai_analysis_status = 'completed'",
			"ai_analysis_status = 'failed'", "ai_analysis_status = 'disabled'", "created_at = NULL",
		} {
			set(change, time.Hour)
		}
		mapped := g.aged(time.Hour)
		g.sql("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path) VALUES (?, ?, 'id')", mapped, history)
		open, ended := g.aged(time.Hour), g.aged(time.Hour)
		g.request("", 0, open, ended)
		g.sql("UPDATE schemacast_runs SET state = 'failed', active_schema_id = NULL WHERE schema_id = ?", ended)
		g.sql("UPDATE schemas SET ai_analysis_status = 'pending' WHERE id = ?", ended)
		left := set("ai_analysis_status = 'processing'", 7*time.Minute)
		set("ai_analysis_status = 'processing'", 5*time.Minute)
		second := g.aged(2 * time.Minute)
		g.aged(30 * time.Second) // within the grace
		for range 3 {
			g.wantForgotten(first, left, second)
		}
		list, err := g.Forgotten(t.Context(), 0, time.Minute, 1)
		g.must(err)
		if o := list[0]; o.TenantID != g.tenant || o.RunID != "" || o.Fence != 0 || o.Backfill || time.Since(o.Requested).Round(time.Hour) != 23*time.Hour {
			t.Errorf("orphan = %+v", o)
		}
		// What is forgotten can be claimed, and is not forgotten then.
		for _, id := range []int64{first, left, second} {
			g.claim(id, "a")
		}
		g.wantForgotten()
	})
}

// Only what is younger than the settled rows is looked for, but no row that was
// committed late, or was left by another program later, is lost for ever.
func TestForgottenRowsBelowTheSettledOnes(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g.installed(24 * time.Hour)
		late, done, last := g.aged(time.Hour), g.aged(time.Hour), g.aged(time.Hour)
		g.sql("UPDATE schemas SET ai_analysis_status = 'completed'")
		g.wantForgotten()
		g.wantValue(g.value("SELECT max(id) FROM schemas"), "SELECT value FROM schemacast_meta WHERE key = ?", settledKey)
		g.sql("UPDATE schemas SET ai_analysis_status = 'pending' WHERE id IN ?", []int64{late, last})
		g.wantForgotten(late, last)
		g.sql("UPDATE schemas SET ai_analysis_status = 'completed' WHERE id = ?", late)
		g.wantForgotten(last)
		g.sql("UPDATE schemas SET ai_analysis_status = 'pending' WHERE id = ?", done)
		g.wantForgotten(done, last)
	})
}

// More settled rows than one sweep looks at again are looked at in turn.
func TestSettledRowsAreRevisitedInTurn(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.bounded()
		g.installed(24 * time.Hour)
		at := time.Now().UTC().Add(-time.Hour).Format(appTime)
		g.sql("INSERT INTO schemas (created_at, updated_at, hash, tenant_id, sample_data, detected_fields, ai_analysis_status) "+
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "+
			"SELECT "+g.timestamp(at)+", "+g.timestamp(at)+", 'h' || i, ?, '[]', '[]', 'completed' FROM n", 2*g.cfg.bounds.revisited+10, g.tenant)
		g.wantForgotten()
		g.wantValue("500", "SELECT value FROM schemacast_meta WHERE key = ?", revisitedKey)
		g.sql("UPDATE schemas SET ai_analysis_status = 'pending' WHERE hash IN ('h3', 'h1003')")
		g.wantForgotten() // from 501 to 1000
		for _, want := range [][]int64{{1003}, {3}, nil, {1003}, {3}, nil} {
			list, err := g.Forgotten(t.Context(), 0, time.Minute, 10)
			g.must(err)
			if diff := cmp.Diff(want, schemaIDs(list)); diff != "" {
				t.Errorf("forgotten (-want +got):\n%s", diff)
			}
		}
	})
}

// timestamp is a literal for one of the app's timestamps.
func (g *ground) timestamp(at string) string {
	if g.dialect.name == Postgres {
		return "timestamp '" + at + "'"
	}
	return "'" + at + "'"
}

// A backup that was restored has fewer rows: new ones get ids that were settled.
func TestForgottenAfterARestore(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g.installed(24 * time.Hour)
		id := g.aged(time.Hour)
		g.sql("INSERT INTO schemacast_meta (key, value) VALUES (?, '4711')", settledKey)
		g.wantForgotten(id)
		g.wantValue("0", "SELECT value FROM schemacast_meta WHERE key = ?", settledKey)
	})
}

// The first sweep does not read the history, which may be long.
func TestHistoryIsSettledAtOnce(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		var last int64
		for range 9 {
			last = g.aged(48 * time.Hour)
		}
		young := g.aged(2 * time.Minute)
		g.installed(time.Hour)
		g.wantForgotten(young)
		g.wantValue(g.value("SELECT CAST(? AS bigint)", last), "SELECT value FROM schemacast_meta WHERE key = ?", settledKey)
		g.sql("DELETE FROM schemacast_meta WHERE key = 'installed_ms'")
		if _, err := g.Forgotten(t.Context(), 0, time.Minute, 9); err == nil {
			t.Error("a database without the time of the installation may bill its history")
		}
	})
}
