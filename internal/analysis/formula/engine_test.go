package formula

import (
	"encoding/json"
	"testing"
)

// The engine is as strict as jsonata-js, whose results these are: "" for nothing.
func TestEngineIsAsStrictAsTheReference(t *testing.T) {
	t.Parallel()
	row := json.RawMessage(`{"n": 7, "s": "x", "nbsp": "\u00a0x  y ", "list": [1]}`)
	for _, tt := range []struct{ expr, want, code string }{
		{`$number(" 7")`, ``, "D3030"}, {`$number("+7")`, ``, "D3030"}, {`$number(".5")`, ``, "D3030"}, {`$number("1_000")`, ``, "D3030"},
		{`$number("Infinity")`, ``, "D3030"}, {`$number("007.50e1")`, `75`, ""}, {`$number("0x1F")`, `31`, ""}, {`$number(true)`, `1`, ""},
		{`$trim(nbsp)`, `"` + "\u00a0x y" + `"`, ""}, {`nbsp.$trim()`, `"` + "\u00a0x y" + `"`, ""},
		{`$substring("hello", 1.5, 2.5)`, `"ell"`, ""}, {`$substring("hello", -2)`, `"lo"`, ""}, {`$substring("hello", -9, 2)`, `"he"`, ""},
		{`$substring("hello", 2, 1e300)`, `"llo"`, ""}, {`$substring("hello", -3, 2)`, `"ll"`, ""}, {`$substring("hello", 1, -1)`, `""`, ""},
		{`$substring("hello", 9)`, `""`, ""}, {`$substring(missing, "x")`, ``, "T0410"}, {`$substring(missing, 1)`, ``, ""},
		{`$uppercase("straße")`, `"STRASSE"`, ""}, {`$lowercase("ΑΣ")`, ``, "D3137"}, {`$lowercase("ÀB")`, `"àb"`, ""}, {`$uppercase(n)`, ``, "T0410"},
		{`$uppercase(missing)`, ``, ""}, {`s.$uppercase()`, `"X"`, ""},
		{`$round(-0.4)`, `0`, ""}, {`$round(2.5)`, `2`, ""}, {`$round(1250, -2)`, `1200`, ""}, {`$round(4.525, 2)`, `4.52`, ""}, {`$round(1, 0.5)`, ``, "D3137"},
		{`$formatNumber(-17.25, "0.0")`, `"-17.2"`, ""}, {`$formatNumber(1234.5, "#,##0.00")`, `"1,234.50"`, ""}, {`$formatNumber(1e18, "0")`, ``, "D3137"},
		{`$formatNumber(-0.1, "0")`, ``, "D3137"}, {`$formatInteger(-17.25, "#,##0")`, `"-18"`, ""}, {`$formatInteger(1e18, "0")`, ``, "D3137"},
		{`$power(2, missing)`, ``, "D3061"}, {`$power(missing, 2)`, ``, ""}, {`$power(2, 3)`, `8`, ""},
		{`$base64encode("é")`, ``, "D3137"}, {`$base64encode("a")`, `"YQ=="`, ""},
		{`$split("a😀", "")`, ``, "D3137"}, {`$split("ab", "")`, `["a","b"]`, ""}, {`$pad(missing, "5")`, ``, "T0410"}, {`$join(missing, 5)`, ``, "T0410"},
		{`$contains(missing, 7)`, ``, "T0410"}, {`$lookup({}, 7)`, ``, "T0410"}, {`$sum("x")`, ``, "T0410"}, {`$sum(list)`, `1`, ""}, {`$abs("1")`, ``, "T0410"},
		{`$toMillis("2024-01-31T10:00:00")`, ``, "D3137"}, {`$toMillis("2024-01-31T10:00:00Z")`, `1706695200000`, ""}, {`$toMillis("2024-01-31")`, `1706659200000`, ""},
		{`$toMillis("31.01.2024")`, ``, "D3110"}, {`$toMillis("2024-01-31 x", "[Y]-[M]-[D]")`, ``, ""}, {`$toMillis("2024-01-31", "[Y]-[M]-[D]")`, `1706659200000`, ""},
		{`$toMillis("31/1/24", "[D]/[M]/[Y]")`, ``, "D3137"}, {`$toMillis("31 JAN 2024", "[D] [MNn,3-3] [Y]")`, ``, "D3136"}, {`$toMillis("31 Jan 2024", "[D] [MNn,3-3] [Y]")`, `1706659200000`, ""},
		{`$toMillis("20240131", "[Y0001][M01][D01]")`, `1706659200000`, ""}, {`$toMillis("2024131", "[Y0001][M01][D01]")`, `1735689600000`, ""}, {`$toMillis("2024-1-31 1:05 Pm", "[Y]-[M]-[D] [h]:[m] [P]")`, ``, ""},
		{`$toMillis("2024-01-31 00:00 +02:00", "[Y]-[M]-[D] [H]:[m] [Z]")`, `1706652000000`, ""}, {`$toMillis("2024-01-31 00:00 Z", "[Y]-[M]-[D] [H]:[m] [Z]")`, ``, ""},
		{`$toMillis("2024-01-31 00:00 +0200", "[Y]-[M]-[D] [H]:[m] [Z0101]")`, `1706652000000`, ""}, {`$toMillis("2024-01-31 00:00 +02", "[Y]-[M]-[D] [H]:[m] [Z]")`, ``, ""},
	} {
		got := here(tt.expr, []json.RawMessage{row})
		if got.Error != "" {
			t.Errorf("%s: %s", tt.expr, got.Error)
			continue
		}
		if r := got.Results[0]; string(r.Value) != tt.want || r.Error != tt.code {
			t.Errorf("%s is %s %s, want %s %s", tt.expr, r.Value, r.Error, tt.want, tt.code)
		}
	}
}

// TestReferenceAgreesOnStrictness keeps the expectations above honest.
func TestReferenceAgreesOnStrictness(t *testing.T) {
	_, _ = comparisons(t)
	ref := newReference(t)
	for _, expr := range []string{
		`$number(" 7")`, `$number("007.50e1")`, `$trim(nbsp)`, `$substring("hello", 1.5, 2.5)`, `$substring("hello", -9, 2)`, `$substring("hello", -3, 2)`,
		`$uppercase("straße")`, `$round(-0.4)`, `$round(1250, -2)`, `$round(4.525, 2)`, `$formatNumber(-17.25, "0.0")`, `$formatInteger(-17.25, "#,##0")`,
		`$power(2, missing)`, `$substring(missing, "x")`, `$toMillis("2024-01-31 x", "[Y]-[M]-[D]")`, `$toMillis("2024131", "[Y0001][M01][D01]")`,
		`$toMillis("31 JAN 2024", "[D] [MNn,3-3] [Y]")`, `$toMillis("2024-01-31 00:00 Z", "[Y]-[M]-[D] [H]:[m] [Z]")`, `$toMillis("2024-01-31 00:00 +0200", "[Y]-[M]-[D] [H]:[m] [Z0101]")`,
	} {
		row := []json.RawMessage{json.RawMessage(`{"n": 7, "nbsp": "\u00a0x  y "}`)}
		want, err := ref.ask(expr, row)
		if err != nil {
			t.Fatal(err)
		}
		if got := here(expr, row); got.Results[0].Error == "" != (want.Results[0].Error == "") || !sameJSON(got.Results[0].Value, want.Results[0].Value) {
			t.Errorf("%s: here %+v, there %+v", expr, got, want)
		}
	}
}
