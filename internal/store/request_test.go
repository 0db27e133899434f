package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

func TestRequest(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		done, rejected, entity, foreign, open := g.insertCustomer(), g.insertCustomer(), g.insertCustomer(), g.insert("other", "f", customer), g.insertCustomer()
		g.commit(g.claim(done, "a"), createCustomer())
		g.sql("UPDATE schemas SET status = 'rejected' WHERE id = ?", rejected)
		g.sql("UPDATE schemas SET type = 'struct' WHERE id = ?", entity)
		g.claim(open, "a")
		ids := []int64{done, rejected, entity, foreign, open, 99999}
		states := func(force bool) []RequestState {
			answers, err := g.Request(t.Context(), Request{SchemaIDs: ids, TenantID: g.tenant, By: "me", Force: force})
			g.must(err)
			var states []RequestState
			for i, a := range answers {
				if a.SchemaID != ids[i] {
					t.Errorf("answer %d is for %d", i, a.SchemaID)
				}
				tooLate := force && a.SchemaID == open
				if (a.State == RequestRefused || tooLate) != (a.Reason != "") {
					t.Errorf("answer = %+v", a)
				}
				states = append(states, a.State)
			}
			return states
		}
		want := []RequestState{RequestAccepted, RequestRefused, RequestRefused, RequestUnknown, RequestAlreadyOpen, RequestUnknown}
		if diff := cmp.Diff(want, states(false)); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		g.wantValue("pending", "SELECT ai_analysis_status FROM schemas WHERE id = ?", done)
		g.wantValue("me", "SELECT requested_by FROM schemacast_runs WHERE active_schema_id = ?", done)
		want = []RequestState{RequestAlreadyOpen, RequestAccepted, RequestRefused, RequestUnknown, RequestAlreadyOpen, RequestUnknown}
		if diff := cmp.Diff(want, states(true)); diff != "" {
			t.Errorf("answers with force (-want +got):\n%s", diff)
		}
	})
}

func TestAddStoresAShapeOnceATenant(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		fields := []schema.Field{{Name: "a", Type: "string"}}
		add := func(tenant string, force bool) Stored {
			stored, err := g.Add(t.Context(), NewSchema{
				TenantID: tenant, Fields: fields, Encoded: json.RawMessage(`[{"name":"a","type":"string","sample_value":"x\u0000y","required":true}]`),
				Samples: json.RawMessage(`{"a":"x\u0000y"}`), By: "cli", Force: force,
			})
			g.must(err)
			return stored
		}
		first := add(g.tenant, false)
		if first.Known || first.Request.State != RequestAccepted {
			t.Errorf("first = %+v", first)
		}
		if again := add(g.tenant, false); !again.Known || again.SchemaID != first.SchemaID || again.Request.State != RequestAlreadyOpen {
			t.Errorf("again = %+v", again)
		}
		if foreign := add("other", false); foreign.Known || foreign.SchemaID == first.SchemaID {
			t.Errorf("foreign = %+v", foreign)
		}
		hash := schema.InputHash(fields)
		g.wantValue(hash+" schema-"+hash, "SELECT hash || ' ' || kafka_topic FROM schemas WHERE id = ?", first.SchemaID)
		g.wantValue(`{"a":"xy"}`, "SELECT sample_data FROM schemas WHERE id = ?", first.SchemaID)
		g.sql("UPDATE schemacast_runs SET active_schema_id = NULL")
		g.sql("UPDATE schemas SET ai_analysis_status = 'completed'")
		if done := add(g.tenant, false); done.Request.State != RequestRefused || !strings.Contains(done.Request.Reason, "--force") {
			t.Errorf("done = %+v", done)
		}
		if forced := add(g.tenant, true); forced.Request.State != RequestAccepted {
			t.Errorf("forced = %+v", forced)
		}
	})
}

func TestTenants(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for _, wanted := range []string{g.tenant, "Globex"} {
			if tenant, err := g.Tenant(t.Context(), wanted); err != nil || tenant.ID != g.tenant {
				t.Errorf("tenant %q = %+v, %v", wanted, tenant, err)
			}
		}
		_, err := g.Tenant(t.Context(), "globx")
		var unknown *UnknownTenantError
		if !errors.As(err, &unknown) || unknown.Nearest[0].Name != "Globex" || !strings.Contains(err.Error(), "--create-tenant") {
			t.Errorf("unknown tenant: %v", err)
		}
		made, created, err := g.CreateTenant(t.Context(), "Acme")
		if err != nil || !created || len(made.ID) != 36 {
			t.Errorf("create: %+v %v %v", made, created, err)
		}
		if again, created, err := g.CreateTenant(t.Context(), "Acme"); err != nil || created || again != made {
			t.Errorf("create again: %+v %v %v", again, created, err)
		}
		if _, _, err := g.CreateTenant(t.Context(), " "); err == nil {
			t.Error("a blank name was accepted")
		}
		g.sql("INSERT INTO tenants (id, name) VALUES ('x', 'Acme')")
		if _, err := g.Tenant(t.Context(), "Acme"); err == nil || !strings.Contains(err.Error(), "use the id") {
			t.Errorf("ambiguous name: %v", err)
		}
	})
}

func TestEntitiesAreTheConfirmedOnesOfTheTenant(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		for i, row := range []struct{ tenant, name, kind, status, fields string }{
			{g.tenant, "Good", "struct", "confirmed", `[{"name":"a","type":"string"}]`},
			{g.tenant, "Unconfirmed", "struct", "pending", `[{"name":"a","type":"string"}]`},
			{g.tenant, "Mapped by hand", "entity", "confirmed", `[{"name":"a","type":"string"}]`},
			{g.tenant, "Damaged", "struct", "confirmed", `{}`},
			{"other", "Foreign", "struct", "confirmed", `[{"name":"a","type":"string"}]`},
		} {
			g.sql("INSERT INTO schemas (hash, name, tenant_id, type, status, sample_data, detected_fields) VALUES (?, ?, ?, ?, ?, '[]', ?)",
				fmt.Sprint(i), row.name, row.tenant, row.kind, row.status, row.fields)
		}
		list, err := g.Entities(t.Context(), g.tenant)
		g.must(err)
		if len(list) != 1 || list[0].Name != "Good" || len(list[0].Fields) != 1 {
			t.Errorf("entities = %+v", list)
		}
	})
}

// TestEntitiesAreReadOnlyWhenTheyChanged: any change of a tenant's entities is another
// version, whoever makes it, and none is the same.
func TestEntitiesAreReadOnlyWhenTheyChanged(t *testing.T) {
	t.Parallel()
	conformanceOnPostgres(t, func(t *testing.T, g *ground) {
		insert := func(tenant, hash string) {
			g.sql("INSERT INTO schemas (hash, name, tenant_id, type, status, sample_data, detected_fields) VALUES (?, 'E', ?, 'struct', 'confirmed', '[]', ?)",
				hash, tenant, `[{"name":"a","type":"string"}]`)
		}
		attentive, known := g.attentive(), ""
		wantRead := func(what string, want int) {
			t.Helper()
			version, err := attentive.EntityVersion(t.Context(), g.tenant)
			g.must(err)
			list, err := g.Entities(t.Context(), g.tenant)
			g.must(err)
			if want > 0 && len(list) != want || (version != known) != (want > 0) {
				t.Errorf("%s: %d entities and version %q after %q, want %d", what, len(list), version, known, want)
			}
			known = version
		}
		insert(g.tenant, "1")
		insert(g.tenant, "2")
		wantRead("two entities", 2)
		wantRead("nothing changed", 0)
		insert("other", "3")
		g.insertCustomer()
		wantRead("others changed", 0)
		for _, change := range []string{
			"name = 'F'", `detected_fields = '[{"name":"b","type":"string"}]'`, "updated_at = now()", "name = name",
		} {
			g.sql("UPDATE schemas SET " + change + " WHERE hash = '1'")
			wantRead(change, 2)
			wantRead("nothing changed", 0)
		}
		g.sql("UPDATE schemas SET status = 'pending' WHERE hash = '1'")
		wantRead("one is no entity any more", 1)
		insert(g.tenant, "4")
		wantRead("one more", 2)
		g.sql("DELETE FROM schemas WHERE hash = '4'")
		wantRead("deleted", 1)
	})
}

func TestAnswersStayWithTheirTenant(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g.must(g.SaveAnswer(t.Context(), g.tenant, "k", []byte("one")))
		g.must(g.SaveAnswer(t.Context(), g.tenant, "k", []byte("two")))
		if raw, found, err := g.Answer(t.Context(), g.tenant, "k"); err != nil || !found || string(raw) != "one" {
			t.Errorf("answer = %q %v %v", raw, found, err)
		}
		if raw, found, err := g.Answer(t.Context(), "other", "k"); err != nil || found || raw != nil {
			t.Errorf("answer of another tenant = %q %v %v", raw, found, err)
		}
	})
}

func TestStanding(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		id := g.insertCustomer()
		c := g.claim(id, "a")
		standing, err := g.Standing(t.Context(), id, g.tenant)
		g.must(err)
		if !standing.Open || !standing.Owned || standing.RunID != c.RunID || standing.Recommendation != nil {
			t.Errorf("while running: %+v", standing)
		}
		want := createCustomer()
		g.commit(c, want)
		standing, err = g.Standing(t.Context(), id, "")
		g.must(err)
		if standing.Open || standing.Outcome != run.OutcomeCompleted || standing.EntityID == 0 {
			t.Errorf("after the commit: %+v", standing)
		}
		want.Review, want.Unmapped = []string{}, nil
		if diff := cmp.Diff(&want, standing.Recommendation); diff != "" {
			t.Errorf("recommendation (-want +got):\n%s", diff)
		}
		if _, err := g.Standing(t.Context(), id, "other"); !errors.Is(err, run.ErrUnknownSchema) {
			t.Errorf("for another tenant: %v", err)
		}
	})
}
