package match

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/schema"
)

func TestSemantic(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, typ, sample string
		want              Semantic
	}{
		{"contact", "email", ``, SemanticEmail},
		{"mail", "string", ``, SemanticEmail},
		{"email_count", "float", ``, SemanticQuantity},
		{"email_sent", "boolean", ``, SemanticFlag},
		{"x", "string", `"ann@host.example"`, SemanticEmail},
		{"x", "string", `"https://host.example/a"`, SemanticURL},
		{"x", "string", `"ann at home"`, ""},
		{"mobile_1", "phone", ``, SemanticPhone},
		{"tel", "float", ``, SemanticPhone},
		{"zip", "string", ``, SemanticPostal},
		{"country_code", "string", ``, SemanticCountry},
		{"cust_id", "float", ``, SemanticID},
		{"unit_price", "float", ``, SemanticMoney},
		{"created", "datetime", ``, SemanticDate},
		{"lat", "float", ``, SemanticLatitude},
		{"notes", "string", ``, ""},
	}
	for _, tt := range tests {
		p := ProfileOf(schema.Field{Name: tt.name, Type: tt.typ, Sample: json.RawMessage(tt.sample)})
		if p.Semantic != tt.want {
			t.Errorf("%s:%s %s means %q, want %q", tt.name, tt.typ, tt.sample, p.Semantic, tt.want)
		}
	}
}

func TestShape(t *testing.T) {
	t.Parallel()
	tests := []struct{ sample, want string }{
		{`"ann@host.example"`, "aaa@aaaa.aaaa"},
		{`"1990-02-03"`, "9999-99-99"},
		{`"+44 20 7185 2723"`, "+99 99 9999 9999"},
		{`"AB-12 c"`, "AA-99 a"},
		{`-32.5`, "-99.9"},
		{`28585`, "9999"},
		{`"Müller"`, "Aaaaa"},
		{`"名前"`, "aa"},
		{`"€5"`, "a9"},
		{`""`, ""},
		{`null`, ""},
		{`true`, ""},
		{`{"a":1}`, ""},
		{`["x"]`, ""},
		{``, ""},
		{`"broken`, ""},
	}
	for _, tt := range tests {
		if got := Shape(json.RawMessage(tt.sample)); got != tt.want {
			t.Errorf("Shape(%s) is %q, want %q", tt.sample, got, tt.want)
		}
	}
}

// FuzzShape: a shape must not tell a letter or digit of the value.
func FuzzShape(f *testing.F) {
	for _, seed := range []string{"ann@host.example", "1990-02-03", "名前", "\xff", strings.Repeat("word ", 50)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		sample, err := json.Marshal(value)
		if err != nil {
			t.Skip()
		}
		shape := Shape(sample)
		if len([]rune(shape)) > shapeLen {
			t.Errorf("shape of %d characters", len([]rune(shape)))
		}
		if strings.Trim(shape, "aA9 !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") != "" {
			t.Errorf("shape %q tells something of %q", shape, value)
		}
	})
}

func TestFit(t *testing.T) {
	t.Parallel()
	same := []string{"string", "decimal", "boolean", "date", "object", "array[string]"}
	for i, a := range same {
		for j, b := range same {
			got, back := Fit(FamilyOf(a), FamilyOf(b)), Fit(FamilyOf(b), FamilyOf(a))
			if got != back || got < 0 || got > 1 || i == j && got != 1 || i != j && got == 1 {
				t.Errorf("Fit(%s, %s) is %g and %g back", a, b, got, back)
			}
		}
	}
	for _, pair := range [][2]string{{"boolean", "date"}, {"object", "decimal"}, {"array[float]", "boolean"}} {
		if got := Fit(FamilyOf(pair[0]), FamilyOf(pair[1])); got != 0 {
			t.Errorf("Fit(%s, %s) is %g, want 0", pair[0], pair[1], got)
		}
	}
	if FamilyOf("json") != FamilyUnknown || FamilyOf("") != FamilyUnknown || FamilyOf("array[array[float]]") != FamilyArray {
		t.Error("a type word is in the wrong family")
	}
}
