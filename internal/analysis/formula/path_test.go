package formula

import (
	"encoding/json"
	"testing"

	"github.com/schemacast/schemacast/internal/schema"
)

func TestPathsFollowTheSampleRow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, row, want, value string }{
		{"plain", `{"plain": 1}`, `plain`, `1`},
		{"order.customer.email", `{"order": {"customer": {"email": "x"}}}`, `order.customer.email`, `"x"`},
		{"first name", `{"first name": "x"}`, "`first name`", `"x"`},
		{"a.b", `{"a.b": "x"}`, "`a.b`", `"x"`},
		{"a.b", `{"a": {"b": "x"}}`, "a.b", `"x"`},
		{"a.b", `{"a": {"b": "x"}, "a.b": "y"}`, "`a.b`", `"y"`},
		{"a.b.c", `{"a": {"b.c": "x"}}`, "a.`b.c`", `"x"`},
		{"a.b.c", `{"a.b": {"c": "x"}}`, "`a.b`.c", `"x"`},
		{"weird`name", "{\"weird`name\": \"x\"}", "$.\"weird`name\"", `"x"`},
		{"a.weird`name", "{\"a\": {\"weird`name\": \"x\"}}", "a.\"weird`name\"", `"x"`},
		{"and", `{"and": 1}`, "`and`", `1`},
		{"or", `{"or": 1}`, "`or`", `1`},
		{"in", `{"in": 1}`, "`in`", `1`},
		{"null", `{"null": 1}`, "`null`", `1`},
		{"function", `{"function": 1}`, "`function`", `1`},
		{"2nd", `{"2nd": 1}`, "`2nd`", `1`},
		{"$price", `{"$price": 1}`, "`$price`", `1`},
		{"$", `{"$": 1}`, "`$`", `1`},
		{"größe", `{"größe": 1}`, "`größe`", `1`},
		{`quo"te`, `{"quo\"te": 1}`, "`quo\"te`", `1`},
		{"items.sku", `{"items": [{"sku": "x"}, {"sku": "y"}]}`, `items.sku`, `["x","y"]`},
		{"items.a.b", `{"items": [{}, {"a.b": "x"}]}`, "items.`a.b`", `"x"`},
		{"tags", `{"tags": ["x", "y"]}`, `tags`, `["x","y"]`},
		{"No.", `{}`, "`No.`", ``},
		{"Mr. Smith", `{}`, "`Mr. Smith`", ``},
		{"a..b", `{}`, "`a..b`", ``},
		{"x.y", `{}`, "x.y", ``},
	} {
		v := NewVerifier([]json.RawMessage{json.RawMessage(tt.row)})
		field := schema.Field{Name: tt.name}
		got, err := v.Render(schema.OpDirect, []schema.Field{field}, field, Args{})
		if err != nil || got != tt.want {
			t.Errorf("path of %q in %s is %s (%v), want %s", tt.name, tt.row, got, err, tt.want)
			continue
		}
		if value := eval(t, got, tt.row); value != tt.value {
			t.Errorf("%s reads %s from %s, want %s", got, value, tt.row, tt.value)
		}
		if err := Gate(got, []string{tt.name}); err != nil {
			t.Errorf("Gate(%s): %v", got, err)
		}
	}
}
