package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/testenv"
)

// ground is a fresh, migrated database with one tenant.
type ground struct {
	*Store
	t      *testing.T
	tenant string
}

// conformance runs a test on every database that the store supports.
func conformance(t *testing.T, test func(t *testing.T, g *ground)) {
	t.Helper()
	t.Parallel()
	t.Run(SQLite, func(t *testing.T) {
		t.Parallel()
		test(t, newGround(t, Config{Dialect: SQLite, DSN: filepath.Join(t.TempDir(), "app.db")}))
	})
	t.Run(Postgres, func(t *testing.T) {
		t.Parallel()
		test(t, newGround(t, Config{Dialect: Postgres, DSN: testenv.Postgres(t)}))
	})
}

// conformanceOnPostgres is for what only a database with several writers can show.
func conformanceOnPostgres(t *testing.T, test func(t *testing.T, g *ground)) {
	t.Helper()
	test(t, newGround(t, Config{Dialect: Postgres, DSN: testenv.Postgres(t)}))
}

func newGround(t *testing.T, cfg Config) *ground {
	t.Helper()
	g := &ground{Store: openStore(t, cfg), t: t, tenant: "a0000001-5eed-4000-8000-000000000002"}
	g.must(g.CreateAppTables(t.Context()))
	_, err := g.Migrate(t.Context())
	g.must(err)
	g.sql("INSERT INTO tenants (id, name) VALUES (?, 'Globex'), ('other', 'Other Inc')", g.tenant)
	return g
}

func openStore(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// bounded opens the same database with bounds that a test can reach.
func (g *ground) bounded() *ground {
	return g.another(func(c *Config) { c.bounds = bounds{pruneBatch: 300, pruneLook: 2000, eraseBatch: 300, revisited: 500} })
}

// another opens the same database a second time, as another process would.
func (g *ground) another(change func(*Config)) *ground {
	g.t.Helper()
	cfg := g.cfg
	change(&cfg)
	return &ground{Store: openStore(g.t, cfg), t: g.t, tenant: g.tenant}
}

func (g *ground) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *ground) sql(statement string, args ...any) {
	g.t.Helper()
	g.must(g.db.Exec(statement, args...).Error)
}

// value reads one value as text.
func (g *ground) value(query string, args ...any) string {
	g.t.Helper()
	var v sql.NullString
	g.must(g.db.Raw(query, args...).Row().Scan(&v))
	if !v.Valid {
		return "NULL"
	}
	return v.String
}

func (g *ground) wantValue(want, query string, args ...any) {
	g.t.Helper()
	if got := g.value(query, args...); got != want {
		g.t.Errorf("%s %v = %q, want %q", query, args, got, want)
	}
}

// await polls until a condition in the database holds.
func (g *ground) await(condition string) {
	g.t.Helper()
	deadline := time.After(10 * time.Second)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for g.value(condition) != "true" {
		select {
		case <-deadline:
			g.t.Fatalf("%s does not become true", condition)
		case <-ticker.C:
		}
	}
}

// customer is the shape that most tests use.
const customer = `[{"name":"id","type":"float","sample_value":7,"required":true},{"name":"e_mail","type":"email","sample_value":"a@b.example","required":true}]`

// insert adds a bronze row as the app does.
func (g *ground) insert(tenant, hash, fields string) int64 {
	g.t.Helper()
	var id int64
	g.must(g.db.Raw("INSERT INTO schemas (created_at, updated_at, hash, tenant_id, sample_data, detected_fields, kafka_topic) VALUES ("+
		g.dialect.appNow+", "+g.dialect.appNow+", ?, ?, '{\"id\":7,\"e_mail\":\"a@b.example\"}', ?, 'schema-x') RETURNING id", hash, tenant, fields).Scan(&id).Error)
	return id
}

func (g *ground) insertCustomer() int64 {
	return g.insert(g.tenant, fmt.Sprintf("%016x", time.Now().UnixNano()), customer)
}

func (g *ground) claim(id int64, owner string) *run.Claim {
	g.t.Helper()
	c, err := g.Claim(g.t.Context(), run.ClaimRequest{SchemaID: id, Owner: owner})
	g.must(err)
	return c
}

func (g *ground) claimError(id int64, owner string) error {
	g.t.Helper()
	c, err := g.Claim(g.t.Context(), run.ClaimRequest{SchemaID: id, Owner: owner})
	if err == nil {
		g.t.Fatalf("claim by %s succeeded: %+v", owner, c)
	}
	return err
}

func (g *ground) commit(c *run.Claim, r analysis.Recommendation) run.Outcome {
	g.t.Helper()
	outcome, err := g.Commit(context.Background(), c, decision(c, r))
	g.must(err)
	return outcome
}

// decision is what an analysis of the claimed fields decided.
func decision(c *run.Claim, r analysis.Recommendation) run.Decision {
	return run.Decision{
		Schema:  c.Schema,
		Result:  &analysis.Result{Recommendation: r, Seen: map[int64]bool{}},
		Confirm: func(analysis.Recommendation) bool { return true },
		Rematch: func([]schema.Entity) analysis.Recommendation { return r },
	}
}

// createCustomer recommends to create an entity for the shape customer.
func createCustomer() analysis.Recommendation {
	return analysis.Recommendation{
		Action: analysis.ActionCreateNew, EntityName: "Customer", SourceName: "customer_source", Reasoning: "new", Engine: schema.EngineOffline,
		Fields: []schema.Field{{Name: "id", Type: "decimal", Required: true}, {Name: "email", Type: "string", Required: true}},
		Mappings: []schema.Mapping{
			{Sources: []string{"id"}, Target: "id", Op: schema.OpDirect, Formula: "id", Confidence: 1, Why: "same name", Engine: schema.EngineOffline},
			{Sources: []string{"e_mail"}, Target: "email", Op: schema.OpFormatConversion, Formula: "$lowercase(e_mail)", Confidence: .9, Why: "e-mail", Engine: schema.EngineOffline},
		},
	}
}

// mapTo recommends the same mappings onto an entity that exists.
func mapTo(entityID int64) analysis.Recommendation {
	r := createCustomer()
	r.Action, r.EntityID = analysis.ActionMapToExisting, entityID
	return r
}

// events lists kinds and seqs of a schema's events in the outbox.
func (g *ground) events(id int64) string {
	g.t.Helper()
	var rows []struct {
		Kind string
		Seq  int64
	}
	g.must(g.db.Raw("SELECT kind, seq FROM schemacast_events WHERE schema_id = ? ORDER BY seq", id).Scan(&rows).Error)
	text := ""
	for _, r := range rows {
		text += fmt.Sprintf("%d:%s ", r.Seq, r.Kind)
	}
	return text
}

func (g *ground) wantEvents(id int64, want string) {
	g.t.Helper()
	if got := g.events(id); got != want {
		g.t.Errorf("events of schema %d = %q, want %q", id, got, want)
	}
}

// row is what the app sees of a schema: status, ai status, name, error.
func (g *ground) row(id int64) string {
	g.t.Helper()
	return g.value("SELECT status || ' ' || ai_analysis_status || ' ' || COALESCE(name, '-') || ' ' || COALESCE(ai_analysis_error, '-') FROM schemas WHERE id = ?", id)
}

func (g *ground) wantRow(id int64, want string) {
	g.t.Helper()
	if got := g.row(id); got != want {
		g.t.Errorf("row of schema %d = %q, want %q", id, got, want)
	}
}

func decodeJSON(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func toID(t *testing.T, text string) int64 {
	t.Helper()
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
