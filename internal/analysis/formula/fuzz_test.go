package formula

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/schema"
)

func fuzzSeeds(f *testing.F) {
	f.Helper()
	for _, seed := range []string{
		`$join(([a, b][$ != null]).$trim($string($))[$ != ""], " ")`, `items.(sku & name)[price > 2]`, `[1..1000].($ & $$.a)`,
		`($v := $trim($string(a)); $contains($v, /^[0-9]+$/) ? $fromMillis($toMillis($v, "[D1]/[M1]/[Y0001]")))`,
		`$map(items.tags, $uppercase)`, `$replace(a, /(a)|(.)/, "$1$2$0")`, `$split(a, "")[[0..99]]`, `$match(a, /./)`,
		`items.[sku, sku].($ & $)`, `$zip(items, items).$distinct($)`, `$pad(a, -10000, a)`, `{a: {b & "": items}}`,
		`a ~> $split("/") ~> $reverse ~> $join("-")`, `$formatInteger(b, "w;o")`, `$formatNumber(b, "#0.0e0")`, `$sort(items.sku)`,
		`$merge(items).sku`, `$spread(items)`, `-a.b ?: "x" ?? true and null or b in [1, 2]`, `$formatBase(b, 2)`, `x.y[-1] / 2`,
		`$power(b, 300)`, `$round(b, -300)`, `$encodeUrl(a) & $base64encode(a)`, `$parseInteger(a, "w")`, `$substring(a, -3, 1e300)`,
		`$lookup(items, "sku")`, `[1..300].[1..100]`, "`x.y`.$string($)",
	} {
		f.Add(seed)
	}
}

// FuzzGate: whatever passes the gate stays within the budget, and is stable.
func FuzzGate(f *testing.F) {
	fuzzSeeds(f)
	for _, expr := range offenders {
		f.Add(expr)
	}
	for _, expr := range readSuite(f).expressions() {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		u := measure(expr, gateSources, budgetRows)
		if u.unstable {
			t.Errorf("%q is not stable", expr)
		}
		if again, bad := offends(u, expr, gateSources, budgetRows); bad {
			t.Errorf("%q takes %v", expr, again)
		}
	})
}

// FuzzVerify: whatever the expression, the field's name and the row, Verify
// answers, with an *Error or none, and its error has nothing of the row's text.
func FuzzVerify(f *testing.F) {
	f.Add(`a & "!"`, "a", "string", `{"a": "SECRETSECRET"}`)
	f.Add(`$number(a)`, "a", "decimal", `{"a": "SECRETSECRET"}`)
	f.Add("`a.b`.c", "a.b", "date", `{"a": {"b": [{"c": 1}, {}]}, "a.b": null}`)
	f.Add(`a.b.c`, "a.b.c", "array[string]", `{"a": [{"b": {"c": "SECRETSECRET"}}, 7, "x", {"b": [[]]}]}`)
	f.Add(`a`, "a.", "object", `{"a": {"": 1}, "a.": {"x": [1, 2, [3, {"y": null}]]}}`)
	f.Fuzz(func(t *testing.T, expr, source, typ, row string) {
		report, err := NewVerifier(rowsOf(row)).Verify(t.Context(), expr, []string{source}, schema.Field{Name: "t", Type: typ})
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("error is %T: %v", err, err)
		}
		if err != nil && strings.Contains(err.Error(), "SECRETSECRET") && !strings.Contains(expr+source+typ, "SECRETSECRET") {
			t.Errorf("the error quotes the row: %v", err)
		}
		if report.Produced > report.Rows || report.Absent > report.Rows || report.Misfits > report.Produced {
			t.Errorf("the report does not add up: %+v", report)
		}
	})
}

// FuzzSample: what is cut stays valid JSON of a bounded size.
func FuzzSample(f *testing.F) {
	f.Add(`{"a": {"b": [1, {"c": "x"}]}}`, "a.b.c")
	f.Add(`{"a.b": "x", "a": {"b": 1}}`, "a.b")
	f.Add(`{"a": [[[[[[[[[[[1]]]]]]]]]]]}`, "a")
	f.Fuzz(func(t *testing.T, row, name string) {
		samples := readSamples([]json.RawMessage{json.RawMessage(row)}, 1)
		if len(samples) == 0 {
			return
		}
		out, _ := samples[0].only([]string{name})
		if !json.Valid(out) {
			t.Errorf("%s of %s is %s", name, row, out)
		}
		if limit := 6*maxValueBytes + maxValueItems*(maxNumberBytes+len(name)*6+16); len(out) > limit {
			t.Errorf("%s of a row has %d bytes, more than %d", name, len(out), limit)
		}
		keys := keysOf(name, samples)
		if len(keys) == 0 {
			t.Errorf("no keys for %q", name)
		}
	})
}
