package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/testenv"
)

// column is one column of our tables.
type column struct {
	Name     string
	Optional bool // an insert may leave it out
}

// ourColumns reads the catalog.
func (g *ground) ourColumns() map[string]column {
	g.t.Helper()
	query := "SELECT table_name || '.' || column_name AS name, is_nullable = 'YES' OR column_default IS NOT NULL AS optional " +
		"FROM information_schema.columns WHERE table_name LIKE 'schemacast_%'"
	if g.dialect.name == SQLite {
		query = "SELECT m.name || '.' || c.name AS name, c.\"notnull\" = 0 OR c.dflt_value IS NOT NULL AS optional " +
			"FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name LIKE 'schemacast_%'"
	}
	var rows []column
	g.must(g.db.Raw(query).Scan(&rows).Error)
	columns := make(map[string]column, len(rows))
	for _, c := range rows {
		columns[c.Name] = c
	}
	return columns
}

// A migration only adds: no table and no column goes, and what is new may be left out
// by the inserts of the version before, which go on during a rolling deploy.
func TestMigrationsOnlyAdd(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{SQLite, Postgres} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			g := emptyDatabase(t, dialect)
			migrations, err := g.migrations()
			g.must(err)
			latest, err := latestVersion(g.dialect)
			g.must(err)
			_, err = migrations.UpTo(t.Context(), 1)
			g.must(err)
			before := g.ourColumns()
			for version := int64(2); version <= latest; version++ {
				_, err := migrations.UpTo(t.Context(), version)
				g.must(err)
				after := g.ourColumns()
				for name := range before {
					if _, stays := after[name]; !stays {
						t.Errorf("version %d takes %s away", version, name)
					}
				}
				for name, c := range after {
					table, _, _ := strings.Cut(name, ".")
					if _, old := before[name]; !old && !c.Optional && hasTable(before, table) {
						t.Errorf("version %d adds %s, which needs a value", version, name)
					}
				}
				before = after
			}
			_, err = migrations.DownTo(t.Context(), 1)
			g.must(err)
			_, err = migrations.UpTo(t.Context(), latest)
			g.must(err)
		})
	}
}

func hasTable(columns map[string]column, table string) bool {
	for name := range columns {
		if strings.HasPrefix(name, table+".") {
			return true
		}
	}
	return false
}

// This program runs on the tables of the next version, whatever that adds.
func TestRunsOnTheNextVersion(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		latest, err := latestVersion(g.dialect)
		g.must(err)
		for _, table := range []string{"runs", "attempts", "streams", "events", "answers", "tenants", "spending", "meta"} {
			g.sql("ALTER TABLE schemacast_" + table + " ADD COLUMN novelty varchar(32) NOT NULL DEFAULT 'new'")
		}
		g.sql("CREATE TABLE schemacast_novelties (id bigint PRIMARY KEY)")
		g.sql("UPDATE schemacast_meta SET value = ? WHERE key = 'schema_version'", fmt.Sprint(latest+1))
		g.must(g.CheckTables(t.Context()))
		g.must(g.CheckPrivileges(t.Context()))
		if applied, err := g.Migrate(t.Context()); err != nil || len(applied) > 0 {
			t.Errorf("migrate: %v %v, want nothing to do", applied, err)
		}
		g.wantValue(fmt.Sprint(latest+1), "SELECT value FROM schemacast_meta WHERE key = 'schema_version'")
		g.installed(time.Hour)
		wholeLife(t, g)
	})
}

// wholeLife uses every statement that a worker and the CLI have at least once.
func wholeLife(t *testing.T, g *ground) {
	t.Helper()
	g.wantLeads(true, "sweep", "a")
	id, cancelled, forgotten := g.insertCustomer(), g.insertCustomer(), g.aged(10*time.Minute)
	g.request(queueBackfill, time.Hour, id, cancelled)
	if got := g.orphans(time.Minute, 9); len(got) != 2 {
		t.Errorf("%d orphans, want 2", len(got))
	}
	g.wantForgotten(forgotten)
	g.wantCancel(cancelled, Cancelled{State: CancelDone})
	if done, err := g.Abandon(t.Context(), run.Orphan{SchemaID: forgotten}, time.Now(), putAway); err != nil || !done {
		t.Errorf("abandon: %v %v", done, err)
	}
	c, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "a", TenantSlots: 3})
	g.must(err)
	g.must(g.Beat(t.Context(), c))
	g.must(g.Release(t.Context(), c))
	c = g.claim(id, "a")
	g.must(g.Checkpoint(t.Context(), c, []byte("x"), sampleUsage))
	g.commit(c, createCustomer())
	g.must(g.SaveAnswer(t.Context(), g.tenant, "k", []byte("x")))
	events, err := g.Take(t.Context(), "relay", time.Minute, 10)
	g.must(err)
	g.must(g.Settle(t.Context(), "relay", deliveriesOf(events)))
	if _, err := g.History(t.Context(), id, "", 5); err != nil {
		t.Error(err)
	}
	if _, err := g.Failed(t.Context(), FailedFilter{}, 0, 5); err != nil {
		t.Error(err)
	}
	if _, err := g.Standing(t.Context(), id, ""); err != nil {
		t.Error(err)
	}
	if _, err := g.GraphPage(t.Context(), schema.GraphQuery{TenantID: g.tenant}); err != nil {
		t.Error(err)
	}
	g.sql("UPDATE schemacast_events SET sent_ms = 1")
	if p := g.prune(run.Retention{Events: time.Hour, Answers: time.Hour, Runs: time.Hour}); p.Events != int64(len(events)) {
		t.Errorf("pruned %+v, want %d events", p, len(events))
	}
	if _, err := g.Erase(t.Context(), g.tenant); err != nil {
		t.Error(err)
	}
	g.must(g.Resign(t.Context(), "sweep", "a"))
	g.wantValue("confirmed", "SELECT status FROM schemas WHERE id = ?", id)
}

// The version before wrote runs without the columns that are new: they are found, and
// go into the interactive queue.
func TestRunsOfTheVersionBefore(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]func(t *testing.T) Config{
		SQLite: func(t *testing.T) Config {
			t.Helper()
			return Config{Dialect: SQLite, DSN: filepath.Join(t.TempDir(), "app.db")}
		},
		Postgres: func(t *testing.T) Config { t.Helper(); return Config{Dialect: Postgres, DSN: testenv.Postgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &ground{Store: openStore(t, cfg(t)), t: t, tenant: "a0000001-5eed-4000-8000-000000000002"}
			g.must(g.CreateAppTables(t.Context()))
			migrations, err := g.migrations()
			g.must(err)
			_, err = migrations.UpTo(t.Context(), 1)
			g.must(err)
			g.sql("INSERT INTO tenants (id, name) VALUES (?, 'Globex')", g.tenant)
			id := g.insertCustomer()
			old := "INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, requested_by, force, requested_ms) VALUES (?, ?, ?, ?, 'requested', 'me', false, 1)"
			g.sql(old, "before", id, id, g.tenant)
			_, err = g.Migrate(t.Context())
			g.must(err)
			next := g.insertCustomer()
			g.sql(old, "during", next, next, g.tenant)
			got := g.orphans(time.Minute, 9)
			if len(got) != 2 || got[0].Backfill || got[1].Backfill {
				t.Errorf("orphans = %+v", got)
			}
			g.commit(g.claim(id, "a"), createCustomer())
		})
	}
}
