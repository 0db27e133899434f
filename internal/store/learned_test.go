package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// attentive is the same database, with a store that learns before every analysis.
func (g *ground) attentive() *ground {
	return g.another(func(c *Config) { c.LearnEvery = -1 })
}

// learnedNames lists what Entities knows beyond the entities themselves.
func (g *ground) learnedNames(tenant string) []string {
	g.t.Helper()
	entities, err := g.Entities(g.t.Context(), tenant)
	g.must(err)
	list := []string{}
	for _, e := range entities {
		for _, f := range e.Fields {
			if len(f.Aliases) > 0 {
				list = append(list, f.Name+" = "+strings.Join(f.Aliases, " "))
			}
			for _, v := range f.Learned {
				list = append(list, f.Name+": "+string(v))
			}
		}
	}
	return list
}

func (g *ground) wantLearned(tenant string, want ...string) {
	g.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), g.learnedNames(tenant)); diff != "" {
		g.t.Errorf("learned about %s (-want +got):\n%s", tenant, diff)
	}
}

// mapped is a confirmed source with the one field path, which a run of ours mapped to
// a field of the entity.
func (g *ground) mapped(entityID int64, path, target, review string) int64 {
	g.t.Helper()
	id := g.insert(g.tenant, fmt.Sprintf("%016x", time.Now().UnixNano()),
		fmt.Sprintf(`[{"name":"id","type":"float"},{"name":%q,"type":"string"}]`, path))
	g.sql("UPDATE schemas SET sample_data = ? WHERE id = ?", fmt.Sprintf(`[{"id":7,%q:"v%d"}]`, path, id), id)
	g.commit(g.claim(id, "a"), analysis.Recommendation{
		Action: analysis.ActionMapToExisting, EntityID: entityID, Engine: schema.EngineLLM,
		Mappings: []schema.Mapping{{
			Sources: []string{path}, Target: target, Op: schema.OpDirect, Formula: "`" + path + "`",
			Confidence: 0.6, Engine: schema.EngineLLM, Review: review,
		}},
	})
	return id
}

// customerEntity is an entity of the tenant with fields that have telling names.
func (g *ground) customerEntity(tenant string) int64 {
	g.t.Helper()
	var id int64
	g.must(g.db.Raw("INSERT INTO schemas (tenant_id, name, hash, type, status, detected_fields, sample_data) VALUES (?, 'Customer', ?, 'struct', 'confirmed', "+
		`'[{"name":"customer_number","type":"string"},{"name":"account_number","type":"string"}]', '[]') RETURNING id`,
		tenant, "e"+tenant[:5]).Scan(&id).Error)
	return id
}

func TestNamesAreLearnedFromMappings(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.attentive()
		entity := g.customerEntity(g.tenant)
		g.wantLearned(g.tenant)
		id := g.mapped(entity, "kd_nr", "customer_number", analysis.ReviewMappingUnshared)
		g.wantLearned(g.tenant, "customer_number = kd_nr", fmt.Sprintf(`customer_number: "v%d"`, id))
		g.wantLearned("other")

		g.sql("UPDATE schemas SET status = 'rejected' WHERE id = ?", id)
		g.wantLearned(g.tenant)
		g.sql("UPDATE schemas SET status = 'pending' WHERE id = ?", id)
		g.wantLearned(g.tenant)
	})
}

func TestDoubtfulMappingsTeachNothing(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.attentive()
		entity := g.customerEntity(g.tenant)
		id := g.mapped(entity, "kd_nr", "customer_number", analysis.ReviewMappingLikeness)
		g.wantLearned(g.tenant)
		g.sql("UPDATE schemas SET confirmed_at = updated_at WHERE id = ?", id)
		g.wantLearned(g.tenant, "customer_number = kd_nr", fmt.Sprintf(`customer_number: "v%d"`, id))
	})
}

// TestCorrectedMappingStopsTeaching: a human puts one of three equal mistakes right,
// in each of the ways in which the app lets them.
func TestCorrectedMappingStopsTeaching(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.attentive()
		entity := g.customerEntity(g.tenant)
		var ids []int64
		for range 3 {
			ids = append(ids, g.mapped(entity, "kd_nr", "customer_number", ""))
		}
		names := func() string { return strings.Split(strings.Join(g.learnedNames(g.tenant), "|"), "|")[0] }
		if got := names(); got != "customer_number = kd_nr" {
			t.Fatalf("learned %q", got)
		}
		right := `{"schema_mapping":{"fields":[{"sourcePath":"kd_nr","fieldName":"account_number"}]}}`
		g.sql("DELETE FROM schema_mappings WHERE schema_id = ?", ids[0])
		g.sql("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition) VALUES (?, ?, 'kd_nr', ?)", ids[0], entity, right)
		g.wantHas("account_number = kd_nr")

		g.sql("DELETE FROM schema_mappings WHERE schema_id = ?", ids[0])
		g.wantHas("customer_number = kd_nr")
		g.sql("UPDATE schema_mappings SET mapping_definition = ?, created_at = '2026-01-01 00:00:00', updated_at = '2026-01-01 00:00:09' WHERE schema_id = ?", right, ids[1])
		g.wantHas("account_number = kd_nr")

		g.sql("DELETE FROM schema_mappings WHERE schema_id IN (?, ?)", ids[1], ids[2])
		g.wantLearned(g.tenant)
	})
}

func (g *ground) wantHas(want string) {
	g.t.Helper()
	count := 0
	for _, line := range g.learnedNames(g.tenant) {
		if strings.Contains(line, " = ") {
			count++
			if line != want {
				g.t.Errorf("learned %q, want %q", line, want)
			}
		}
	}
	if count != 1 {
		g.t.Errorf("%d fields have aliases, want one with %q", count, want)
	}
}

// TestTenantsTeachOnlyThemselves: whatever rows lead to whom, nothing crosses.
func TestTenantsTeachOnlyThemselves(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.attentive()
		mine, theirs := g.customerEntity(g.tenant), g.customerEntity("other")
		definition := `{"schema_mapping":{"fields":[{"fieldName":"customer_number"}]}}`
		for _, owner := range []string{g.tenant, "other"} {
			source := g.insert(owner, "h"+owner, customer)
			g.sql("UPDATE schemas SET status = 'confirmed', type = 'entity' WHERE id = ?", source)
			for _, entity := range []int64{mine, theirs} {
				g.sql("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition) VALUES (?, ?, ?, ?)",
					source, entity, "secret_of_"+owner[:5], definition)
			}
		}
		for _, owner := range []string{g.tenant, "other"} {
			g.wantLearned(owner, "customer_number = secret_of_"+owner[:5])
		}
	})
}

// TestOddMappingsTeachNothing: rows that people and other programs left.
func TestOddMappingsTeachNothing(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.attentive()
		entity := g.customerEntity(g.tenant)
		source := g.insertCustomer()
		g.sql("UPDATE schemas SET status = 'confirmed' WHERE id = ?", source)
		add := func(path string, definition any) {
			g.sql("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition) VALUES (?, ?, ?, ?)", source, entity, path, definition)
		}
		to := func(field string) string { return `{"schema_mapping":{"fields":[{"fieldName":"` + field + `"}]}}` }
		add("a", nil)
		add("b", `{}`)
		add("c", `[1,2]`)
		add("d", `{"schema_mapping":{"fields":[]}}`)
		add("", to("customer_number"))                // a constant
		add("first,last", to("customer_number"))      // combined
		add("both", to("customer_number"))            // split into two
		add("both", to("account_number"))             //
		add("e", to("no_such_field"))                 //
		add("customer_number", to("customer_number")) // nothing new
		add("Account_Number", to("account_number"))   //
		if g.dialect.name == SQLite {
			add("f", "{broken")
		}
		g.wantLearned(g.tenant)
		for i := range maxAliases + 4 {
			add(fmt.Sprintf("name_%02d", i), to("customer_number"))
		}
		entities, err := g.Entities(t.Context(), g.tenant)
		g.must(err)
		if got := entities[0].Fields[0].Aliases; len(got) != maxAliases || got[0] != fmt.Sprintf("name_%02d", maxAliases+3) {
			t.Errorf("aliases are %v, want the newest %d", got, maxAliases)
		}
	})
}

// TestValuesAreBounded: nested ones are found, long ones and lists are not taken, and
// equal ones once.
func TestValuesAreBounded(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.attentive()
		entity := g.customerEntity(g.tenant)
		for i, sample := range []string{
			`{"k":{"nr":"one"}}`, `{"k.nr":"one"}`, `[{"k":{"nr":2}}]`, `{"k":{"nr":"` + strings.Repeat("x", 300) + `"}}`,
			`{"k":{"nr":["three"]}}`, `{"k":{"nr":null}}`, `[]`, `[1]`, `{"k":7}`, `{"big":"` + strings.Repeat("x", maxSampleData) + `","k":{"nr":"far"}}`,
		} {
			id := g.insert(g.tenant, fmt.Sprint("v", i), `[{"name":"k.nr","type":"string"}]`)
			g.sql("UPDATE schemas SET status = 'confirmed', type = 'entity', sample_data = ? WHERE id = ?", sample, id)
			g.sql("INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, mapping_definition) VALUES (?, ?, 'k.nr', ?)",
				id, entity, `{"schema_mapping":{"fields":[{"fieldName":"customer_number"}]}}`)
		}
		// The newest three schemas that map the field have nothing to show.
		g.wantLearned(g.tenant, "customer_number = k.nr")
		g.sql("DELETE FROM schema_mappings WHERE id > (SELECT min(id) + 2 FROM schema_mappings)")
		g.wantLearned(g.tenant, "customer_number = k.nr", "customer_number: 2", `customer_number: "one"`)
	})
}

// TestLearningIsSeldom: within the time that the configuration gives, nothing is read
// again, and a lesson that is due is read once.
func TestLearningIsSeldom(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g = g.another(func(c *Config) { c.LearnEvery = time.Hour })
		entity := g.customerEntity(g.tenant)
		g.wantLearned(g.tenant)
		g.mapped(entity, "kd_nr", "customer_number", "")
		g.wantLearned(g.tenant)
		if n := len(g.lessons.tenants); n != 1 {
			t.Errorf("lessons of %d tenants are kept, want 1", n)
		}
		for i := range 2 * taughtTenants {
			g.lessons.entry(fmt.Sprint("t", i))
		}
		if n := len(g.lessons.tenants); n != taughtTenants {
			t.Errorf("lessons of %d tenants are kept, want %d", n, taughtTenants)
		}
	})
}
