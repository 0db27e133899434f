package formula

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

func rowsOf(rows ...string) []json.RawMessage {
	raw := make([]json.RawMessage, len(rows))
	for i, row := range rows {
		raw[i] = json.RawMessage(row)
	}
	return raw
}

func TestVerifyReports(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, expr string
		sources    []string
		target     schema.Field
		rows       []json.RawMessage
		want       Report
	}{
		{"no rows", `a`, []string{"a"}, schema.Field{Type: "string"}, nil, Report{}},
		{"values", `a`, []string{"a"}, schema.Field{Type: "string"}, rowsOf(`{"a":"x"}`, `{"a":"y"}`), Report{Rows: 2, Produced: 2, Inputs: 2, Distinct: 2}},
		{"absent", `a`, []string{"a"}, schema.Field{Type: "string"}, rowsOf(`{"a":null}`, `{}`, `{"a":" "}`, `{"a":"x"}`), Report{Rows: 4, Produced: 2, Absent: 3, Inputs: 2, Distinct: 2}},
		{"all absent", `$trim(a)`, []string{"a"}, schema.Field{Type: "string"}, rowsOf(`{"b":1}`), Report{Rows: 1, Absent: 1}},
		{"constant", `"x"`, nil, schema.Field{Type: "string"}, rowsOf(`{"a":1}`, `{"a":2}`), Report{Rows: 2, Produced: 2, Inputs: 1, Distinct: 1}},
		{"constant of sources", `$type(a)`, []string{"a"}, schema.Field{Type: "string"}, rowsOf(`{"a":1}`, `{"a":2}`), Report{Rows: 2, Produced: 2, Constant: true, Inputs: 2, Distinct: 1}},
		{"one misfit", `a`, []string{"a"}, schema.Field{Type: "email"}, rowsOf(`{"a":"n/a"}`, `{"a":"x@y.org"}`), Report{Rows: 2, Produced: 2, Misfits: 1, Inputs: 2, Distinct: 2}},
		{"rows that are none", `a`, []string{"a"}, schema.Field{Type: "string"}, rowsOf(`7`, `[]`, `null`, `{`, `{"a":"x"}`), Report{Rows: 1, Produced: 1, Inputs: 1, Distinct: 1}},
		{"big integer", `a`, []string{"a"}, schema.Field{Type: "integer"}, rowsOf(`{"a":9007199254740993}`), Report{Rows: 1, Produced: 1, Inputs: 1, Distinct: 1, Imprecise: 1}},
		{"object", `{"x": a}`, []string{"a"}, schema.Field{Type: "object"}, rowsOf(`{"a":1}`), Report{Rows: 1, Produced: 1, Inputs: 1, Distinct: 1}},
		{"list", `items.sku[]`, []string{"items.sku"}, schema.Field{Type: "array[string]"}, rowsOf(`{"items":[{"sku":"x","n":1}]}`), Report{Rows: 1, Produced: 1, Inputs: 1, Distinct: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := NewVerifier(tt.rows).Verify(t.Context(), tt.expr, tt.sources, tt.target)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, expr, typ, row, code string }{
		{"gate", `$eval(a)`, "string", `{"a":"x"}`, CodeUnsafe},
		{"unknown field", `c`, "string", `{"c":"x"}`, CodeUnknownSource},
		{"number for a text", `a`, "string", `{"a":1}`, CodeTypeMismatch},
		{"text for a number", `a`, "decimal", `{"a":"1"}`, CodeTypeMismatch},
		{"fraction for an integer", `a`, "integer", `{"a":1.5}`, CodeTypeMismatch},
		{"not finite", `1 / a`, "decimal", `{"a":0}`, CodeTypeMismatch},
		{"list for a text", `$split(a, "-")`, "string", `{"a":"x-y"}`, CodeTypeMismatch},
		{"date of another form", `a`, "date", `{"a":"31/12/1990"}`, CodeTypeMismatch},
		{"datetime for a date", `a`, "date", `{"a":"1990-12-31T00:00:00Z"}`, CodeTypeMismatch},
		{"no e-mail", `a`, "email", `{"a":"n/a"}`, CodeTypeMismatch},
		{"failing", `$number(a)`, "decimal", `{"a":"x"}`, CodeRuntime},
		{"failing on null", `$uppercase(a)`, "string", `{"a":7}`, CodeRuntime},
		{"no value", `$split(a, ",")[3]`, "string", `{"a":"x,y"}`, CodeAlwaysEmpty},
		{"empty text", `$substringAfter(a, "x")`, "string", `{"a":"x"}`, CodeAlwaysEmpty},
		{"null", `null`, "string", `{"a":"x"}`, CodeAlwaysEmpty},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := NewVerifier(rowsOf(tt.row)).Verify(t.Context(), tt.expr, []string{"a"}, schema.Field{Name: "t", Type: tt.typ})
			if got := codeOf(t, err); got != tt.code {
				t.Errorf("code %q (%v), want %q", got, err, tt.code)
			}
		})
	}
}

func TestErrorsNeverQuoteSamples(t *testing.T) {
	t.Parallel()
	row := rowsOf(`{"a":"s3cr3t","b":{"s3cr3t":"s3cr3t"}}`)
	for _, expr := range []string{
		`$number(a)`, `$toMillis(a)`, `a + 1`, `-a`, `$parseInteger(a, "0")`, `a < 1`, `$base64decode(a & "!")`, `b`, `$formatNumber(a, "0")`,
		`{(a): 1, (a): 2}`, `$sum(a)`, `$max([a])`, `a`, `$decodeUrl(a & "%zz")`, `$merge([a])`, `$sort([a, 1])`, `$join([1])`,
	} {
		_, err := NewVerifier(row).Verify(t.Context(), expr, []string{"a", "b"}, schema.Field{Name: "t", Type: "date"})
		if err == nil {
			t.Errorf("%q passes, want an error", expr)
			continue
		}
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the error of %q quotes the sample: %v", expr, err)
		}
	}
}

// An expression sees its sources alone, whatever else the row holds.
func TestRunsSeeOnlyTheirSources(t *testing.T) {
	t.Parallel()
	row := `{"a": {"b": "x", "c": "other"}, "a.b": "y", "d": "other", "long": "` + strings.Repeat("é", 200) + `",
		"deep": {"l": [1, 2, {"m": [null, true, "t"]}]}, "list": [` + strings.Repeat(`"x",`, 99) + `"x"]}`
	for _, tt := range []struct {
		sources []string
		want    string
		present bool
	}{
		{[]string{"a.b"}, `{"a":{"b":"x"},"a.b":"y"}`, true},
		{[]string{"a"}, `{"a":{"b":"x","c":"other"}}`, true},
		{[]string{"long"}, `{"long":"` + strings.Repeat("é", 64) + `"}`, true},
		{[]string{"deep"}, `{"deep":{"l":[1,2,{"m":[null,true,"t"]}]}}`, true},
		{[]string{"deep.l.m"}, `{"deep":{"l":[{"m":[null,true,"t"]}]}}`, true},
		{[]string{"list"}, `{"list":[` + strings.Repeat(`"x",`, 30) + `"x"]}`, true},
		{[]string{"none", "a.z", "d.e"}, `{}`, false},
	} {
		got, present := readSamples(rowsOf(row), 1)[0].only(tt.sources)
		if diff := cmp.Diff(tt.want, string(got)); diff != "" || present != tt.present {
			t.Errorf("only %v, present %v (-want +got):\n%s", tt.sources, present, diff)
		}
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := NewVerifier(rowsOf(`{"items":[` + strings.Repeat(`{"a":1},`, 31) + `{"a":1}]}`))
	_, err := v.Verify(ctx, `items.(a & "x").($ & "y")`, []string{"items"}, schema.Field{Type: "json"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}

// What would run for ever, were there no gate, is stopped by the count of steps.
func TestStepsAreLimited(t *testing.T) {
	t.Parallel()
	compiled, err := compile(`($f := function($x){$f($x + 1)}; $f(1))`)
	if err != nil {
		t.Fatal(err)
	}
	l := &limit{Context: t.Context(), deadline: time.Now().Add(time.Hour), steps: 1000}
	if _, err := evaluate(l, compiled, nil); !errors.Is(err, errSteps) {
		t.Errorf("error is %v, want %v", err, errSteps)
	}
	l = &limit{Context: t.Context(), deadline: time.Now(), steps: maxSteps}
	if _, err := evaluate(l, compiled, nil); !errors.Is(err, errClock) {
		t.Errorf("error is %v, want %v", err, errClock)
	}
}

func TestVerifierServesManyGoroutines(t *testing.T) {
	t.Parallel()
	v := NewVerifier(rowsOf(`{"a":"x"}`, `{"a":"y"}`))
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for range 50 {
				if report, err := v.Verify(t.Context(), `$uppercase(a)`, []string{"a"}, schema.Field{Type: "string"}); err != nil || report.Produced != 2 {
					t.Errorf("report %+v, error %v", report, err)
				}
			}
		})
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ, format string
		value       any
		want        fit
	}{
		{"string", "", "x", fitsWell}, {"string", "", true, fitsNot}, {"string", "email", "x", fitsType}, {"email", "", "a@b.org", fitsWell},
		{"email", "", "Ann <a@b.org>", fitsType}, {"url", "", "https://x.org/a?b", fitsWell}, {"url", "", "x.org", fitsType},
		{"uuid", "", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", fitsWell}, {"uuid", "", "6ba7b810", fitsType},
		{"phone", "", "+44 20 7185 2723", fitsWell}, {"phone", "", "call me", fitsType},
		{"date", "", "2024-02-29", fitsWell}, {"date", "", "2023-02-29", fitsType}, {"date", "DD/MM/YYYY", "29/02/2024", fitsWell},
		{"date", "d.m.Y", "29.02.2024", fitsWell}, {"date", "", 1.0, fitsNot},
		{"datetime", "", "2024-02-29T10:00:00.000Z", fitsWell}, {"datetime", "", "2024-02-29 10:00:00", fitsWell}, {"datetime", "", "2024-02-29", fitsType},
		{"timestamp", "", 1706659200.0, fitsWell}, {"datetime", "epoch_s", 1706659200.0, fitsWell}, {"datetime", "", 1706659200.0, fitsNot},
		{"integer", "", json.Number("7"), fitsWell}, {"integer", "", 7.5, fitsType}, {"decimal", "", "7", fitsNot},
		{"boolean", "", false, fitsWell}, {"boolean", "", "true", fitsNot}, {"object", "", map[string]any{}, fitsWell}, {"object", "", []any{}, fitsNot},
		{"array[string]", "", []any{"x", nil}, fitsWell}, {"array[string]", "", []any{1.0}, fitsNot}, {"array[mixed:string]", "", []any{1.0}, fitsWell},
		{"json", "", []any{}, fitsWell}, {"", "", 1.0, fitsWell}, {"geometry", "", "x", fitsWell},
	} {
		if got, detail := fits(schema.Field{Type: tt.typ, Format: tt.format}, tt.value); got != tt.want {
			t.Errorf("fits(%s %s, %v) = %v (%s), want %v", tt.typ, tt.format, tt.value, got, detail, tt.want)
		}
	}
}
