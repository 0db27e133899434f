package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// analysed is a claimed schema and what the offline engine decided about it.
type analysed struct {
	claim    *run.Claim
	decision run.Decision
}

func (g *ground) analysed(analyzer *analysis.Analyzer, name, fields, sample string) analysed {
	g.t.Helper()
	id := g.insert(g.tenant, "x"+name, fields)
	g.sql("UPDATE schemas SET sample_data = ?, name = ? WHERE id = ?", sample, name, id)
	c := g.claim(id, "a")
	result, err := analyzer.Analyze(g.t.Context(), analysis.Request{
		Schema: c.Schema, Progress: func(string, int, int) {},
		Save: func(context.Context, []byte, analysis.Usage) error { return nil },
	})
	g.must(err)
	return analysed{c, run.Decision{
		Schema: c.Schema, Result: result, Confirm: func(analysis.Recommendation) bool { return true },
		Rematch: func(added []schema.Entity) analysis.Recommendation {
			return analyzer.Rematch(c.Schema, result.Recommendation, added)
		},
	}}
}

// TestNearDuplicatesBecomeOneEntity: several workers found the same new thing at once,
// called it and its fields a little differently, and commit together.
func TestNearDuplicatesBecomeOneEntity(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		analyzer, err := analysis.New(g.Store, nil, analysis.Config{})
		g.must(err)
		var found []analysed
		for i, form := range []string{
			`[{"name":"%[1]s_id","type":"float"},{"name":"first_name","type":"string"},{"name":"last_name","type":"string"},{"name":"email","type":"email"},{"name":"phone","type":"phone"}]`,
			`[{"name":"%[1]s_id","type":"float"},{"name":"fname","type":"string"},{"name":"lname","type":"string"},{"name":"e_mail","type":"email"},{"name":"phone","type":"phone"},{"name":"city","type":"string"}]`,
		} {
			for _, name := range []string{"customer", "client", "buyer"} {
				fields := fmt.Sprintf(form, name)
				found = append(found, g.analysed(analyzer, fmt.Sprint(name, i), fields, `{"phone":"+44 20 7185 2723"}`))
			}
		}
		errs := make(chan error, len(found))
		for _, f := range found {
			if action := f.decision.Result.Recommendation.Action; action != analysis.ActionCreateNew {
				t.Fatalf("decided %s before there was any entity", action)
			}
			go func() {
				_, err := g.Commit(context.Background(), f.claim, f.decision)
				errs <- err
			}()
		}
		for range found {
			g.must(<-errs)
		}
		g.wantValue("1", "SELECT count(*) FROM schemas WHERE type = 'struct'")
		g.wantValue("6", "SELECT count(DISTINCT schema_id) FROM schema_mappings")
		g.wantValue("1", "SELECT count(DISTINCT target_schema_id) FROM schema_mappings")
	})
}

// TestNobodyWaitsForAMatch: 10,000 entities appeared while a schema was analysed.
// Matching against them takes a while, in which others of the tenant commit.
func TestNobodyWaitsForAMatch(t *testing.T) {
	t.Parallel()
	conformanceOnPostgres(t, func(t *testing.T, g *ground) {
		slow, quick := g.claim(g.insertCustomer(), "a"), g.claim(g.insertCustomer(), "b")
		g.sql("INSERT INTO schemas (tenant_id, name, hash, type, status, detected_fields, sample_data) "+
			"SELECT ?, 'Entity' || n, 'e' || n, 'struct', 'confirmed', '[{\"name\":\"f\",\"type\":\"string\"}]', '[]' FROM generate_series(1, 10000) n", g.tenant)
		var offered []int
		matching, matched := make(chan struct{}), make(chan struct{})
		first := decision(slow, createCustomer())
		first.Rematch = func(added []schema.Entity) analysis.Recommendation {
			if offered = append(offered, len(added)); len(offered) == 1 {
				close(matching)
				<-matched
			}
			return createCustomer()
		}
		done := make(chan error, 1)
		go func() {
			_, err := g.Commit(context.Background(), slow, first)
			done <- err
		}()
		<-matching
		other := createCustomer()
		other.EntityName, other.Fields = "Other", append(other.Fields, schema.Field{Name: "phone", Type: "string"})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := g.Commit(ctx, quick, decision(quick, other))
		g.must(err)
		close(matched)
		g.must(<-done)
		if len(offered) != 2 || offered[0] != 10_000 || offered[1] != 1 {
			t.Errorf("matched against %v entities, want 10000 without the lock and the one of the other worker under it", offered)
		}
	})
}
