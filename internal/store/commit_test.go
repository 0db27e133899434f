package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// mappingsOf lists a schema's mappings as the app sees them.
const mappingsOf = "SELECT string_agg(field_path || '>' || mapping_type || ':' || COALESCE(formula_expression, '-'), ' ' ORDER BY id) FROM schema_mappings WHERE schema_id = ?"

func (g *ground) wantState(got run.Outcome, want run.OutcomeState) {
	g.t.Helper()
	if got.State != want {
		g.t.Errorf("outcome = %s, want %s", got.State, want)
	}
}

func TestCommitWritesEverythingOnce(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		g.must(g.Checkpoint(t.Context(), c, []byte("secret of the tenant"), analysis.Usage{Calls: 1, PromptTokens: 5}))
		g.wantState(g.commit(c, createCustomer()), run.OutcomeCompleted)
		g.wantState(g.commit(c, createCustomer()), run.OutcomeCompleted)
		g.wantRow(id, "confirmed completed customer_source -")
		g.wantEvents(id, "1:started 2:completed ")
		g.wantValue("id>direct:- e_mail>formula:$lowercase(e_mail)", mappingsOf, id)
		g.wantValue("2", "SELECT count(*) FROM schemas")
		g.wantValue("completed completed 1", "SELECT state || ' ' || outcome || ' ' || calls FROM schemacast_runs WHERE checkpoint IS NULL AND active_schema_id IS NULL AND owner = ''")
		g.wantValue("completed", "SELECT outcome FROM schemacast_attempts WHERE ended_ms IS NOT NULL")
		g.wantValue("1", "SELECT entity_version FROM schemacast_tenants")
		g.wantValue("NULL", "SELECT confirmed_at FROM schemas WHERE id = ?", id)
	})
}

// TestRecommendationSaysWhatItRestsOn: the keys that we add for whoever reviews.
func TestRecommendationSaysWhatItRestsOn(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		g.must(g.Checkpoint(t.Context(), c, []byte("one"), analysis.Usage{Calls: 1, PromptTokens: 700, CompletionTokens: 50}))
		g.must(g.Checkpoint(t.Context(), c, []byte("two"), analysis.Usage{CachedCalls: 1, Estimated: true}))
		r := createCustomer()
		r.Engine, r.Model, r.PromptVersion = schema.EngineLLM, "gpt-x", "p7"
		r.Confidence, r.EntityConfidence, r.VerifiedRows = 0.8, 0.9, 5
		r.Mappings[1].Review = analysis.ReviewMappingUnshared
		g.commit(c, r)
		got := decodeJSON(t, g.value("SELECT "+g.dialect.text("ai_recommendations")+" FROM schemas WHERE id = ?", id)).(map[string]any)
		want := map[string]any{
			"engine": "llm", "model": "gpt-x", "prompt_version": "p7", "confidence": 0.8, "entity_confidence": 0.9, "verified_rows": 5.0, "needs_review": true,
			"usage": map[string]any{"calls": 1.0, "cached_calls": 1.0, "prompt_tokens": 700.0, "completion_tokens": 50.0, "tokens_estimated": true},
		}
		for key, value := range want {
			if diff := cmp.Diff(value, got[key]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", key, diff)
			}
		}
	})
}

func TestCommitWithoutConfirmKeepsTheDataPathClosed(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		d := decision(c, createCustomer())
		d.Confirm = func(analysis.Recommendation) bool { return false }
		_, err := g.Commit(t.Context(), c, d)
		g.must(err)
		g.wantRow(id, "pending completed customer_source -")
	})
}

func TestAnalysingAgainReplacesOnlyWhatWeWrote(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		g.commit(g.claim(id, "a"), createCustomer())
		again := func(force bool) run.Outcome {
			t.Helper()
			answers, err := g.Request(t.Context(), Request{SchemaIDs: []int64{id}, By: "me", Force: force})
			g.must(err)
			if answers[0].State != RequestAccepted {
				t.Fatalf("request: %+v", answers[0])
			}
			g.wantValue("pending", "SELECT ai_analysis_status FROM schemas WHERE id = ?", id)
			r := createCustomer()
			r.Mappings = r.Mappings[:1]
			r.SourceName = "renamed"
			return g.commit(g.claim(id, "a"), r)
		}
		g.wantState(again(false), run.OutcomeCompleted)
		g.wantValue("id>direct:-", mappingsOf, id)
		g.wantRow(id, "confirmed completed renamed -")
		g.wantValue("2", "SELECT count(*) FROM schemas") // the same entity was found again

		g.sql("UPDATE schema_mappings SET formula_expression = 'mine', mapping_type = 'formula' WHERE schema_id = ?", id)
		g.sql("UPDATE schemas SET name = 'a human name' WHERE id = ?", id)
		g.wantState(again(false), run.OutcomeKeptHuman)
		g.wantValue("id>formula:mine", mappingsOf, id)
		g.wantRow(id, "confirmed completed a human name -")

		g.wantState(again(true), run.OutcomeCompleted)
		g.wantValue("id>direct:-", mappingsOf, id)
		g.wantRow(id, "confirmed completed renamed -")
	})
}

func TestFieldsThatChangeStartTheRunAgain(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		for i := range 3 {
			g.sql("UPDATE schemas SET detected_fields = ? WHERE id = ?", fmt.Sprintf(`[{"name":"f%d","type":"string"}]`, i), id)
			g.must(g.Checkpoint(t.Context(), c, []byte("old"), analysis.Usage{}))
			outcome := g.commit(c, createCustomer())
			g.wantState(outcome, run.OutcomeFieldsChanged)
			if len(outcome.Schema.Fields) != 1 || outcome.Schema.Fields[0].Name != fmt.Sprintf("f%d", i) {
				t.Errorf("schema to analyse = %+v", outcome.Schema.Fields)
			}
			g.wantValue("0", "SELECT count(*) FROM schemacast_runs WHERE checkpoint IS NOT NULL")
			g.wantRow(id, "pending processing - -")
		}
		g.sql("UPDATE schemas SET detected_fields = '[{\"name\":\"z\"}]' WHERE id = ?", id)
		g.wantState(g.commit(c, createCustomer()), run.OutcomeFailed)
		g.wantEvents(id, "1:started 2:progress 3:progress 4:progress 5:failed ")
		g.wantValue("fields_changing", "SELECT error_code FROM schemacast_runs")
		g.wantValue("1", "SELECT count(*) FROM schemas")
	})
}

// The reply to the commit that found new fields is lost, so the same result is
// offered again: it is still one of the old fields.
func TestResultOfOldFieldsIsNeverWrittenOntoNewOnes(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		g.sql("UPDATE schemas SET detected_fields = '[{\"name\":\"new\",\"type\":\"string\"}]' WHERE id = ?", id)
		g.wantState(g.commit(c, createCustomer()), run.OutcomeFieldsChanged)
		g.wantState(g.commit(c, createCustomer()), run.OutcomeFieldsChanged)
		g.wantValue("0", "SELECT count(*) FROM schema_mappings")
	})
}

func TestTwoFirstCustomers(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		first, second := g.insertCustomer(), g.insertCustomer()
		a, b := g.claim(first, "a"), g.claim(second, "b")
		g.commit(a, createCustomer())

		other := createCustomer() // the same entity under other fields: no equal hash
		other.Fields = append(other.Fields, schema.Field{Name: "phone", Type: "string"})
		d := decision(b, other)
		var offered []schema.Entity
		d.Rematch = func(added []schema.Entity) analysis.Recommendation {
			offered = added
			return mapTo(added[0].ID)
		}
		outcome, err := g.Commit(t.Context(), b, d)
		g.must(err)
		g.wantState(outcome, run.OutcomeCompleted)
		if len(offered) != 1 || offered[0].Name != "Customer" || len(offered[0].Fields) != 2 {
			t.Errorf("offered to the second decision: %+v", offered)
		}
		g.wantValue("1", "SELECT count(*) FROM schemas WHERE type = 'struct'")
		g.wantValue("1", "SELECT count(DISTINCT target_schema_id) FROM schema_mappings")
	})
}

func TestManyWorkersCreateOneEntity(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		const workers = 8
		errs := make(chan error, workers)
		var claims []*run.Claim
		for i := range workers {
			claims = append(claims, g.claim(g.insert(g.tenant, fmt.Sprint("h", i), customer), "a"))
		}
		for _, c := range claims {
			go func() {
				d := decision(c, createCustomer())
				d.Rematch = func(added []schema.Entity) analysis.Recommendation { return mapTo(added[0].ID) }
				_, err := g.Commit(t.Context(), c, d)
				errs <- err
			}()
		}
		for range workers {
			g.must(<-errs)
		}
		g.wantValue("1", "SELECT count(*) FROM schemas WHERE type = 'struct'")
		g.wantValue(fmt.Sprint(2*workers), "SELECT count(*) FROM schema_mappings")
	})
}

func TestEntitiesWithTheSameNameAreToldApart(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g.commit(g.claim(g.insertCustomer(), "a"), createCustomer())
		other := createCustomer()
		other.EntityName = "customer"
		other.Fields = append(other.Fields, schema.Field{Name: "phone", Type: "string"})
		g.commit(g.claim(g.insertCustomer(), "a"), other)
		for i, name := range []string{"Big_É", "bigXÉ", "big_É"} {
			other.EntityName = name
			other.Fields = append(other.Fields, schema.Field{Name: fmt.Sprint("extra", i), Type: "string"})
			g.commit(g.claim(g.insertCustomer(), "a"), other)
		}
		g.wantValue("Customer customer2 Big_É bigXÉ big_É2", "SELECT string_agg(name, ' ' ORDER BY id) FROM schemas WHERE type = 'struct'")
	})
}

// The app's constraint on hashes spans tenants and kinds of rows.
func TestHashesThatForeignRowsHold(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		foreign := g.insert("other", "theirs", customer)
		g.commit(g.claim(foreign, "a"), createCustomer())
		mine := g.insertCustomer()
		g.wantState(g.commit(g.claim(mine, "a"), createCustomer()), run.OutcomeCompleted)
		g.wantValue("2", "SELECT count(DISTINCT tenant_id) FROM schemas WHERE type = 'struct'")
		g.wantValue("2", "SELECT count(*) FROM schema_mappings m JOIN schemas e ON e.id = m.target_schema_id WHERE m.schema_id = ? AND e.tenant_id = ?", mine, g.tenant)
		again := g.insertCustomer()
		g.commit(g.claim(again, "a"), createCustomer())
		g.wantValue("2", "SELECT count(*) FROM schemas WHERE type = 'struct'")

		// One field: both of the app's rules give the same hash.
		fields := []schema.Field{{Name: "sku", Type: "string"}}
		single := g.insert(g.tenant, schema.InputHash(fields), `[{"name":"sku","type":"string"}]`)
		r := createCustomer()
		r.EntityName, r.Fields = "Sku", fields
		r.Mappings = []schema.Mapping{{Sources: []string{"sku"}, Target: "sku", Op: schema.OpDirect, Formula: "sku"}}
		g.wantState(g.commit(g.claim(single, "a"), r), run.OutcomeCompleted)
		g.wantValue("1", "SELECT count(*) FROM schema_mappings m JOIN schemas e ON e.id = m.target_schema_id WHERE m.schema_id = ? AND e.name = 'Sku' AND e.type = 'struct'", single)
	})
}

func TestMappingOntoWhatIsNoEntityOfTheTenantWritesNothing(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		foreign := g.insert("other", "theirs", `[{"name":"id","type":"string"},{"name":"email","type":"string"}]`)
		g.sql("UPDATE schemas SET type = 'struct', status = 'confirmed', name = 'Theirs' WHERE id = ?", foreign)
		pending := g.insert(g.tenant, "pending", `[{"name":"id","type":"string"},{"name":"email","type":"string"}]`)
		g.sql("UPDATE schemas SET type = 'struct', name = 'Pending' WHERE id = ?", pending)
		narrow := g.insert(g.tenant, "narrow", `[{"name":"id","type":"string"}]`)
		g.sql("UPDATE schemas SET type = 'struct', status = 'confirmed', name = 'Narrow' WHERE id = ?", narrow)
		id := g.insertCustomer()
		c := g.claim(id, "a")
		for _, entity := range []int64{foreign, pending, narrow, id, 99999} {
			g.wantState(g.commit(c, mapTo(entity)), run.OutcomeEntityGone)
			g.wantRow(id, "pending processing - -")
			g.wantValue("0", "SELECT count(*) FROM schema_mappings")
		}
		g.wantState(g.commit(c, createCustomer()), run.OutcomeCompleted)
	})
}

func TestSchemaDeletedMeanwhile(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id, waiting := g.insertCustomer(), g.insertCustomer()
		c := g.claim(id, "a")
		_, err := g.Request(t.Context(), Request{SchemaIDs: []int64{waiting}})
		g.must(err)
		g.sql("DELETE FROM schemas")
		g.wantState(g.commit(c, createCustomer()), run.OutcomeSchemaGone)
		g.wantEvents(id, "1:started 2:failed ")
		if err := g.claimError(waiting, "a"); !strings.Contains(err.Error(), "deleted") {
			t.Errorf("claim of a deleted schema: %v", err)
		}
		g.wantEvents(waiting, "")
		g.wantValue("2", "SELECT count(*) FROM schemacast_runs WHERE state = 'failed' AND error_code = 'schema_gone'")
	})
}

func TestWideSchema(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		const width = 5000
		var fields []string
		r := createCustomer()
		r.Fields, r.Mappings = nil, nil
		for i := range width {
			name := fmt.Sprintf("field_%04d", i)
			fields = append(fields, fmt.Sprintf(`{"name":%q,"type":"string"}`, name))
			r.Fields = append(r.Fields, schema.Field{Name: name, Type: "string"})
			r.Mappings = append(r.Mappings, schema.Mapping{Sources: []string{name}, Target: name, Op: schema.OpDirect, Formula: name})
		}
		id := g.insert(g.tenant, "wide", "["+strings.Join(fields, ",")+"]")
		for range 2 {
			_, err := g.Request(t.Context(), Request{SchemaIDs: []int64{id}})
			g.must(err)
			g.wantState(g.commit(g.claim(id, "a"), r), run.OutcomeCompleted)
			g.wantValue(fmt.Sprint(width), "SELECT count(*) FROM schema_mappings")
		}
	})
}

func TestHostileTextIsStored(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		r := createCustomer()
		r.EntityName = strings.Repeat("é", 300)
		r.SourceName = "nul\x00bad\xff"
		r.Reasoning = "nul \x00 and \\u0000"
		r.Mappings[0].Why = "x\x00y"
		g.wantState(g.commit(g.claim(id, "a"), r), run.OutcomeCompleted)
		g.wantValue("nulbad\uFFFD", "SELECT name FROM schemas WHERE id = ?", id)
		text := g.value("SELECT ai_recommendations FROM schemas WHERE id = ?", id)
		if got := decodeJSON(t, text).(map[string]any)["reasoning"]; got != `nul  and \u0000` {
			t.Errorf("reasoning = %q", got)
		}
	})
}
