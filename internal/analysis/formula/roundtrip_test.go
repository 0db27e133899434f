package formula

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

// verifyColumn verifies an expression over a column "a" of texts.
func verifyColumn(t *testing.T, expr string, target schema.Field, values ...string) (Report, error) {
	t.Helper()
	rows := make([]string, len(values))
	for i, value := range values {
		rows[i] = fmt.Sprintf(`{"a": %s}`, value)
	}
	return NewVerifier(rowsOf(rows...)).Verify(t.Context(), expr, []string{"a"}, target)
}

func TestTimesAndNumbersAreReadBack(t *testing.T) {
	t.Parallel()
	const dayFirst, monthFirst = `$fromMillis($toMillis(a, "[D01]/[M01]/[Y0001]"), "[Y0001]-[M01]-[D01]")`, `$fromMillis($toMillis(a, "[M01]/[D01]/[Y0001]"), "[Y0001]-[M01]-[D01]")`
	for _, tt := range []struct {
		name, expr, typ, format string
		values                  []string
		code                    string
		changed                 int
		ambiguous               bool
	}{
		{"a date", dayFirst, "date", "", []string{`"31/12/2024"`, `"01/02/2024"`}, "", 0, false},
		{"days and months that could change places", dayFirst, "date", "", []string{`"03/04/2024"`, `"01/02/2024"`}, "", 0, true},
		{"read the other way", monthFirst, "date", "", []string{`"03/04/2024"`, `"01/02/2024"`}, "", 0, true},
		{"the same number twice", dayFirst, "date", "", []string{`"03/03/2024"`}, "", 0, false},
		{"a day that does not exist", dayFirst, "date", "", []string{`"31/02/2024"`}, CodeRoundTrip, 0, false},
		{"a month that does not exist", monthFirst, "date", "", []string{`"31/12/2024"`}, CodeRoundTrip, 0, false},
		{"pieces in a wrong order", `($p := $split(a, "/"); $p[2] & "-" & $p[0] & "-" & $p[1])`, "date", "", []string{`"03/04/2024"`, `"05/11/2024"`, `"12/10/2023"`}, "", 0, true},
		{"seconds for milliseconds", `$fromMillis(a)`, "datetime", "", []string{`1706659200`}, CodeRoundTrip, 0, false},
		{"seconds", `$fromMillis(a * 1000)`, "datetime", "", []string{`1706659200`}, "", 0, false},
		{"a zone", `$fromMillis($toMillis(a) - 3600000)`, "datetime", "", []string{`"2024-01-31T10:00:00Z"`}, "", 1, false},
		{"only the day", `$substringBefore(a, "T")`, "date", "", []string{`"2024-01-31T23:30:00-05:00"`}, "", 0, false},
		{"a target's own format", `$fromMillis($toMillis(a), "[D01].[M01].[Y0001]")`, "date", "DD.MM.YYYY", []string{`"2024-01-31"`}, "", 0, false},
		{"an epoch for a target", `$toMillis(a)`, "integer", "epoch_ms", []string{`"2024-01-31"`}, "", 0, false},
		{"a wrong epoch for a target", `$toMillis(a) / 1000000`, "float", "epoch_s", []string{`"2024-01-31"`}, "", 0, false},
		{"no date at all", `"2024-01-31"`, "date", "", []string{`"soon"`}, "", 0, false},
		{"a number", `$number(a)`, "decimal", "", []string{`"12.5"`, `"7"`}, "", 0, false},
		{"cents", `a / 100`, "decimal", "", []string{`1250`}, "", 1, false},
		{"signs that could mean either", `$number($replace(a, ",", ""))`, "decimal", "", []string{`"1,234"`, `"5,000"`}, "", 0, true},
		{"signs that can not", `$number($replace(a, ",", ""))`, "decimal", "", []string{`"1,234"`, `"5,000.50"`}, "", 0, false},
		{"misread signs", `$number($replace(a, ".", ""))`, "decimal", "", []string{`"12.50"`}, "", 1, false},
		{"a text", `a`, "string", "", []string{`"03/04/2024"`}, "", 0, false},
		{"a text in another order", `$fromMillis($toMillis(a, "[D01]/[M01]/[Y0001]"), "[Y0001]-[M01]-[D01]")`, "string", "", []string{`"03/04/2024"`}, "", 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report, err := verifyColumn(t, tt.expr, schema.Field{Name: "t", Type: tt.typ, Format: tt.format}, tt.values...)
			if got := codeOf(t, err); got != tt.code || report.Changed != tt.changed || report.Ambiguous != tt.ambiguous {
				t.Errorf("code %q (%v), changed %d, ambiguous %v; want %q, %d, %v", got, err, report.Changed, report.Ambiguous, tt.code, tt.changed, tt.ambiguous)
			}
		})
	}
}

func TestReportTellsWhatIsLost(t *testing.T) {
	t.Parallel()
	target := schema.Field{Name: "t", Type: "string"}
	for _, tt := range []struct {
		expr             string
		values           []string
		inputs, distinct int
		lossy            bool
	}{
		{`a`, []string{`"x"`, `"y"`, `"x"`}, 2, 2, false},
		{`$split(a, " ")[0]`, []string{`"Ann Lee"`, `"Ann Chen"`, `"Tom Chen"`}, 3, 2, true},
		{`$split(a, " ")[1]`, []string{`"Ann"`, `"Ann Chen"`}, 1, 1, false}, // nothing on the first
	} {
		report, err := verifyColumn(t, tt.expr, target, tt.values...)
		if err != nil || report.Inputs != tt.inputs || report.Distinct != tt.distinct || report.Lossy() != tt.lossy {
			t.Errorf("%s: %+v, lossy %v, %v; want %d and %d, %v", tt.expr, report, report.Lossy(), err, tt.inputs, tt.distinct, tt.lossy)
		}
	}
}

func TestImpreciseNumbersAreCounted(t *testing.T) {
	t.Parallel()
	report, err := verifyColumn(t, `a`, schema.Field{Name: "t", Type: "json"},
		`9007199254740993`, `9007199254740992`, `-12345678901234567`, `12345678901234567890`, `"9007199254740993"`, `1234567890123456`, `[1, 9007199254740993]`)
	if err != nil || report.Imprecise != 4 {
		t.Errorf("%+v, %v; want 4 imprecise", report, err)
	}
}

func TestNumberFormats(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		values []string
		want   []string
	}{
		{[]string{`"1.234"`, `"5.000"`}, []string{"decimal_point", "decimal_comma"}},
		{[]string{`"1,234"`}, []string{"decimal_point", "decimal_comma"}},
		{[]string{`"1.234"`, `"1.234,50"`}, []string{"decimal_comma"}},
		{[]string{`"1,234.50"`, `"7"`, `null`}, []string{"decimal_point"}},
		{[]string{`"12,5"`}, []string{"decimal_comma"}},
		{[]string{`"€ -5"`, `"7 kg"`, `3`}, []string{"decimal_point"}},
		{[]string{`1.5`, `2`}, []string{"decimal_point"}},
		{[]string{`"n/a"`, `"7"`}, nil}, {[]string{`"1.2.3"`}, nil}, {[]string{`null`}, nil}, {[]string{`[1]`}, nil},
	} {
		rows := make([]string, len(tt.values))
		for i, value := range tt.values {
			rows[i] = `{"a": ` + value + `}`
		}
		v := NewVerifier(rowsOf(rows...))
		got := v.NumberFormats("a")
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("NumberFormats of %v (-want +got):\n%s", tt.values, diff)
		}
		source, target := schema.Field{Name: "a", Type: "string"}, schema.Field{Name: "t", Type: "decimal"}
		for _, format := range got { // the formats are those that Render reads
			expr, err := v.Render(schema.OpFormatConversion, []schema.Field{source}, target, Args{InFormat: format})
			if err != nil {
				t.Fatal(err)
			}
			if report, err := v.Verify(t.Context(), expr, []string{"a"}, target); err != nil || report.Produced != report.Rows-report.Absent || report.Changed > 0 {
				t.Errorf("%s of %v: %+v, %v", format, tt.values, report, err)
			}
		}
	}
}

func TestLiteralsAreNoSamples(t *testing.T) {
	t.Parallel()
	target := schema.Field{Name: "t", Type: "json"}
	values := []string{`"ann@example.org"`, `"+44 20 7185 2723"`, `["active", {"x": 20240131}]`}
	for expr, code := range map[string]string{
		`"ann@example.org"`:                                      CodeCopiedSample,
		`a = "Ann@Example.org " ? "x"`:                           CodeCopiedSample,
		`a & "call +44 20 7185 2723"`:                            CodeCopiedSample,
		`$replace($string(a), "20240131", "")`:                   CodeCopiedSample,
		`$exists(a) ? "active"`:                                  "",
		`$exists(a) ? "@example.org"`:                            "",
		`$exists(a) ? "2024-01-31"`:                              "",
		`$exists(a) ? $fromMillis(0, "[Y0001]-[M01]-[D01]")`:     "",
		`$exists(a) ? "` + strings.Repeat("é", maxLiteral) + `"`: "",
		`"` + strings.Repeat("x", maxLiteral+1) + `"`:            CodeTooLarge,
	} {
		_, err := verifyColumn(t, expr, target, values...)
		if got := codeOf(t, err); got != code {
			t.Errorf("%s: code %q (%v), want %q", expr, got, err, code)
		}
		if err != nil && strings.Contains(err.Error(), "example.org") {
			t.Errorf("the error quotes the sample: %v", err)
		}
	}
}
