package llm

import (
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/analysis"
)

func TestReadExtracts(t *testing.T) {
	t.Parallel()
	good := string(testAnswer(nil))
	other := string(testAnswer(func(a *answer) { a.Entity = "e1" }))
	for _, c := range []struct{ name, raw, wantErr string }{
		{"plain", good, ""},
		{"byte order mark", "\ufeff \n" + good + "\n", ""},
		{"fence", "```json\n" + good + "\n```", ""},
		{"prose", "Sure! Here {is} it: " + good + " Anything else?", ""},
		{"think", "<think>" + other + "</think>" + good, ""},
		{"think that was not opened", other + "</think>\n" + good, ""},
		{"think that never ends", "<think>" + good, "no complete JSON object"},
		{"a thing before", `{"note": 1} ` + good, ""},
		{"the same twice", good + "\n" + good, ""},
		{"two different", good + other, "two different"},
		{"tags within a string", strings.Replace(good, "Both are", "<think>x</think>", 1), ""},
		{"empty", "", "no complete JSON object"},
		{"prose only", "I can not do that", "no complete JSON object"},
		{"cut", good[:len(good)-1], "no complete JSON object"},
		{"list", "[" + good + "]", ""},
		{"trailing comma", strings.Replace(good, `"unmapped":["s2","s3"]`, `"unmapped":["s2","s3",]`, 1), "no complete JSON object"},
		{"duplicate key", strings.Replace(good, `"entity":"e2"`, `"entity":"e1","entity":"e2"`, 1), "twice"},
		{"missing key", strings.Replace(good, `"source_name":"crm_contacts",`, "", 1), "JSON schema at /"},
		{"extra key", strings.Replace(good, `"entity":"e2"`, `"entity":"e2","SECRET":1`, 1), "JSON schema at /"},
		{"wrong op", strings.Replace(good, `"direct"`, `"SECRET"`, 1), "JSON schema at /mappings/0/op"},
		{"null entity", strings.Replace(good, `"e2"`, "null", 1), "JSON schema at /entity"},
		{"decision", strings.Replace(good, "map_to_existing", "SECRET", 1), "JSON schema at /decision"},
		{"unknown entity", strings.Replace(good, `"e2"`, `"e3"`, 1), "not in the question"},
		{"entity by name", strings.Replace(good, `"e2"`, `"Customer"`, 1), "not in the question"},
		{"new entity without fields", strings.Replace(good, "map_to_existing", "create_new", 1), "without a name or without fields"},
		{"many braces", strings.Repeat("{", 100_000), "no complete JSON object"},
		{"deep", strings.Repeat(`{"a":`, 50_000), "no complete JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := testReader(t).Read(customerQuestion(), []byte(c.raw))
			if c.wantErr == "" {
				if err != nil || got.Entity != 1 {
					t.Errorf("proposal %+v, error %v, want entity 1", got, err)
				}
				return
			}
			e := analysis.ModelErrorOf(err)
			if e == nil || e.Kind != analysis.ModelBadAnswer || !strings.Contains(e.Detail, c.wantErr) {
				t.Errorf("error = %v, want bad_answer with %q", err, c.wantErr)
			}
			if err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Errorf("error shows the answer: %v", err)
			}
		})
	}
}
