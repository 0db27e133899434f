package formula

import (
	"errors"
	"strings"
	"testing"
)

// codeOf returns the code of an *Error, "" for nil.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), want *Error", err, err)
	}
	if e.Detail == "" {
		t.Errorf("error %q has no detail", e.Code)
	}
	return e.Code
}

var gateSources = []string{"a", "b", "first name", "order.customer.email", "items", "x.y"}

func TestGateLetsHonestExpressionsPass(t *testing.T) {
	t.Parallel()
	for _, expr := range []string{
		`a`, ` a `, `"stub"`, `12.5`, `-1`, `true`, `null`,
		`order.customer.email`, `order.(customer.email & "!")`, `$$.a`, `$.a`, "`first name`", `$."first name"`,
		"`x.y`", `x.y`, `x.y.z`, `items[0].sku`, `items[-1].sku`, `items[price > 3].sku`, `items.sku[]`,
		`a & " " & b`, `a = b ? a : b`, `a ?: b`, `a ?? b`, `a in ["x", "y"]`, `a and b or $not(a)`, `(a + b) * 2 % 3 / 4 - -1`,
		`$trim(a)`, `a ~> $trim() ~> $lowercase()`, `a ~> $trim ~> $lowercase`, `(a ~> $substringBefore("@")) & b`,
		`$join(([a, b][$ != null]).$trim($string($))[$ != ""], " ")`,
		`$split(a, "/")[2] & "-" & $split(a, "/")[1] & "-" & $split(a, "/")[0]`,
		`($d := $split(a, "/"); $m := $d[1]; $d[2] & "-" & $m)`,
		`$replace($replace($replace($replace(a, " ", ""), "-", ""), "(", ""), ")", "")`,
		`$replace(a, /[^0-9]/, "")`, `$replace(a, /(\d+)-(\d+)/, "$2-$1")`, `$match(a, /^(\w+)\s(\w+)$/i)[0].groups[1]`,
		`$contains(a, /^[a-z]{1,20}@[a-z.]+$/)`, `a / 2 / 3`, `(a[0]) / 2`, `[a] / 2`, `(a) / 2`,
		`$sum(items.(price * qty))`, `$map(items.tags, $trim)`, `$count(items[qty > 0])`, `[0..9].$substring($$.a, $, 1)`,
		`$fromMillis($toMillis(a, "[D01]/[M01]/[Y0001]"), "[Y0001]-[M01]-[D01]")`, `$formatNumber(a, "#,##0.00")`,
		`{"street": a, "city": b}`, `$lookup({"1": "new", "2": "old"}, a)`, `{"x": a}.x`,
		`$pad(a, -8, "0")`, `$exists($match(a, /x/)) ? "y"`, `($m := $match(a, /(x)(y)/); $m.groups[1] & $m.match)`, `items.sku[]`, `(items.sku[])`,
		`([a, b][$ != null]).$trim($)`, `items.([sku, qty])`, `$contains(a, /x*/)`, `(a and b) ?: b`, `a = (b ~> $trim)`, `($d := $replace(a, /x/, ""); $d ?: b)`,
		`$contains(a, /^\(\d\)\s[^\/"-]\.$/)`, `$contains(a, /(?:a|b){2,}\\/i)`,
		`$toMillis(a, "[D1] [MNn,3-3] [Y0001] [h1]:[m01] [P]")`, `$fromMillis(a, "[FNn], [D1o] [MNn] [Y] [H01]:[m01]:[s01].[f001] [Z01:01]")`, `a != null ? $number(a) * 100`, `$exists(a) ? a : "none"`,
	} {
		if err := Gate(expr, gateSources); err != nil {
			t.Errorf("Gate(%q) = %v, want it to pass", expr, err)
		}
		if _, err := compile(expr); err != nil {
			t.Errorf("compile(%q) = %v", expr, err)
		}
	}
}

func TestGateRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, expr, code string }{
		{"empty", ` `, CodeSyntax},
		{"long", strings.Repeat("a", maxExpression+1), CodeTooLarge},
		{"not UTF-8", "\"\xff\"", CodeSyntax},
		{"open text", `"a`, CodeSyntax},
		{"open bracket", `(a`, CodeSyntax},
		{"rest", `a b`, CodeSyntax},
		{"lambda", `function($x){$x}(a)`, CodeUnsafe},
		{"lambda in Greek", `λ($x){$x}(a)`, CodeUnsafe},
		{"lambda in backticks", "`function`($x){$x}(a)", CodeUnsafe},
		{"lambda as argument", `$map(a, function($v){$v & $v})`, CodeUnsafe},
		{"partly applied", `$substring(?, 1)`, CodeUnsafe},
		{"eval", `$eval(a)`, CodeUnsafe},
		{"eval by reference", `a ~> $eval`, CodeUnsafe},
		{"eval mapped", `$map(a, $eval)`, CodeUnsafe},
		{"eval renamed", `($e := $eval; $e(a))`, CodeUnsafe},
		{"function renamed", `($e := $trim; a)`, CodeSyntax},
		{"random", `$random()`, CodeUnsafe},
		{"shuffle", `$shuffle(a)`, CodeUnsafe},
		{"now", `$now()`, CodeUnsafe},
		{"millis", `$millis()`, CodeUnsafe},
		{"error", `$error("x")`, CodeUnsafe},
		{"assert", `$assert(a = 1, "x")`, CodeUnsafe},
		{"reduce", `$reduce(a, $append)`, CodeUnsafe},
		{"unknown function", `$frobnicate(a)`, CodeUnknownFunction},
		{"no dollar", `trim(a)`, CodeSyntax},
		{"unknown field", `c`, CodeUnknownSource},
		{"unknown field in a call", `$trim(c)`, CodeUnknownSource},
		{"unknown sibling", `order.customer.name`, CodeUnknownSource},
		{"parent of a source", `order.customer`, CodeUnknownSource},
		{"unknown in a step", `order.(customer.name)`, CodeUnknownSource},
		{"record", `$`, CodeUnknownSource},
		{"record by $$", `$string($$)`, CodeUnknownSource},
		{"record inside", `items.$keys($$)`, CodeUnknownSource},
		{"record by default", `$keys()`, CodeUnknownSource},
		{"record in a predicate", `items[$$]`, CodeUnknownSource},
		{"variable not set", `$x`, CodeSyntax},
		{"variable out of scope", `($x := a; $x) & $x`, CodeSyntax},
		{"variable set in passing", `[$x := a]`, CodeUnsafe},
		{"variable set in a step", `items.[$x := $x & $x]`, CodeUnsafe},
		{"builtin set", `($trim := a; $trim)`, CodeUnsafe},
		{"transform", `a ~> |b|{"c": 1}|`, CodeUnsafe},
		{"grouping", `items{sku: qty}`, CodeUnsafe},
		{"sort", `items^(price)`, CodeUnsafe},
		{"join", `items@$i.sku`, CodeUnsafe},
		{"position", `items#$i.sku`, CodeUnsafe},
		{"descendants", `items.**`, CodeUnsafe},
		{"wildcard", `*`, CodeUnsafe},
		{"parent", `items.%`, CodeUnsafe},
		{"comment", `/* $eval( */ a`, CodeUnsafe},
		{"look-ahead", `$replace(a, /x(?=y)/, "")`, CodeUnsafe},
		{"look-behind", `$replace(a, /(?<!y)x/, "")`, CodeUnsafe},
		{"flags inside", `$contains(a, /(?i)x/)`, CodeUnsafe},
		{"named group", `$contains(a, /(?P<n>x)/)`, CodeUnsafe},
		{"named group of JavaScript", `$contains(a, /(?<n>x)/)`, CodeUnsafe},
		{"class of Unicode", `$contains(a, /\pL+/)`, CodeUnsafe},
		{"end of text", `$contains(a, /x\z/)`, CodeUnsafe},
		{"quoted part", `$contains(a, /\Qx\E/)`, CodeUnsafe},
		{"POSIX class", `$contains(a, /[[:alpha:]]/)`, CodeUnsafe},
		{"bracket first in a class", `$contains(a, /[][x]/)`, CodeUnsafe},
		{"octal", `$contains(a, /\07/)`, CodeUnsafe},
		{"empty pattern", `$contains(a, //)`, CodeSyntax},
		{"ends that differ", `$contains(a, /\(/) & $contains(a, /)/)`, CodeSyntax},
		{"back-reference", `$contains(a, /(x)\1/)`, CodeUnsafe},
		{"regex outside of a call", `a ~> /x/`, CodeSyntax},
		{"regex as text", `$trim(/x/)`, CodeSyntax},
		{"picture from data", `$fromMillis(a, b)`, CodeUnsafe},
		{"time of today", `$toMillis(a, "[H01]:[m01]")`, CodeUnsafe},
		{"three amplifiers", `$pad($pad($pad(a, 9), 10), 11)`, CodeTooLarge},
		{"growing replace", `$replace($replace($replace(a, "a", "aa"), "a", "aa"), "a", "aa")`, CodeTooLarge},
		{"too many arguments", `$trim(a, b)`, CodeSyntax},
		{"regex hidden after a subscript", `$string(a[0] / "/ $eval(a) /" / b)` + `/"`, CodeSyntax},
		{"division after a predicate", `-items.a[0] / 2`, CodeSyntax},
		{"division after statements", `($x := a; $x) / 2`, CodeSyntax},
		{"quote in a name", `a"b`, CodeSyntax},
		{"filter", `$filter(items, $boolean)`, CodeUnsafe},
		{"append", `$append(a, b)`, CodeUnsafe},
		{"position of a match", `$match(a, /x/).start`, CodeUnsafe},
		{"whole match", `$match(a, /x/)`, CodeUnsafe},
		{"whole match in a list", `[$match(a, /x/)]`, CodeUnsafe},
		{"whole match in a variable", `($m := $match(a, /x/)[0]; $m)`, CodeUnsafe},
		{"groups that may be missing", `$match(a, /(x)|(y)/).groups[0]`, CodeUnsafe},
		{"groups of a pattern without any", `$match(a, /x/).groups`, CodeUnsafe},
		{"match of a text", `$match(a, b)`, CodeSyntax},
		{"match of nothing", `$match(a, /x*/).match`, CodeUnsafe},
		{"split at nothing", `$split(a, /\s*/)`, CodeUnsafe},
		{"replace of nothing", `$replace(a, /(x?)/, "y")`, CodeUnsafe},
		{"regex before a default", `$match(a, /x/).match ?: b`, CodeUnsafe},
		{"regex before ??", `$replace(a, /x/, "y") ?? b`, CodeUnsafe},
		{"default after and", `a and b ?: b`, CodeSyntax},
		{"?? after or", `a or b ?? b`, CodeSyntax},
		{"chain after a comparison", `a = b ~> $trim`, CodeSyntax},
		{"list as a step", `items.[sku, qty]`, CodeUnsafe},
		{"list as a step and more", `items.[sku].($ & "")`, CodeUnsafe},
		{"step from an element", `[a, b][0].sku`, CodeUnsafe},
		{"step from a selection", `[a, b][$ != null].$trim($)`, CodeUnsafe},
		{"step from nothing", `[].$trim($)`, CodeUnsafe},
		{"step from an empty range", `[2..1].($ & "")`, CodeUnsafe},
		{"positions", `items[[0, 1]]`, CodeUnsafe},
		{"kept array inside", `$join(items.sku[], "")`, CodeUnsafe},
		{"kept array of a name", `items[]`, CodeUnsafe},
		{"kept array in an object", `{"a": items.sku[]}`, CodeUnsafe},
		{"width from data", `$pad(a, b)`, CodeTooLarge},
		{"huge width", `$pad(a, -10000)`, CodeTooLarge},
		{"digits without a zero", `$formatNumber(a, "#.##")`, CodeUnsafe},
		{"exponent", `$formatNumber(a, "0.0e0")`, CodeUnsafe},
		{"number in words", `$formatInteger(a, "w")`, CodeUnsafe},
		{"week", `$fromMillis(a, "[X]-[W]")`, CodeUnsafe},
		{"hundredths", `$fromMillis(a, "[s01].[f01]")`, CodeUnsafe},
		{"open width", `$fromMillis(a, "[MNn,*-3]")`, CodeUnsafe},
		{"day of the year", `$toMillis(a, "[d001]/[Y]")`, CodeUnsafe},
		{"short year", `$toMillis(a, "[Y,2-2]")`, CodeUnsafe},
		{"name before letters", `$toMillis(a, "[D] [MNn]x[Y]")`, CodeUnsafe},
		{"control character", "a\fb", CodeSyntax},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := codeOf(t, Gate(tt.expr, gateSources)); got != tt.code {
				t.Errorf("Gate(%q) has code %q, want %q", tt.expr, got, tt.code)
			}
		})
	}
}

// The bombs that brought down or blocked other engines, and those found in this
// one's source. None may get past the gate.
func TestGateRefusesBombs(t *testing.T) {
	t.Parallel()
	for name, expr := range map[string]string{
		"recursion":                `($f := function($x){$f($x) & "a"}; $f(a))`,
		"tail recursion":           `($f := function($x){$f($x)}; $f(a))`,
		"long range":               `[1..10000000]`,
		"range from data":          `[1..$number(a)]`,
		"range with floats":        `[1.5..1e300]`,
		"huge bounds":              `[510e100..2]`,
		"range over nothing":       `a..b`,
		"ranges in ranges":         `[1..1000].[1..1000].[1..1000]`,
		"ranges in predicates":     `[1..1000][[1..1000][[1..1000] = 1] = 1]`,
		"literals in literals":     strings.Repeat("[0,0,0,0,0,0,0,0,0,0].", 9) + "[0]",
		"map over ranges":          `$map([1..1000].[1..1000], $string)`,
		"pad":                      `$pad(a, 1000000000)  & $pad(a, 9) & $pad(b, 9)`,
		"pad in a path":            `[1..1000].$pad("", 10000)`,
		"text doubling":            `$reduce([1..40], function($acc, $v){$acc & $acc}, "x")`,
		"doubling in steps":        `a` + strings.Repeat(`.($ & $)`, 40),
		"doubling in blocks":       `($x := a; ` + strings.Repeat(`$x := $x & $x; `, 30) + `$x)`,
		"array doubling":           `a` + strings.Repeat(`.[$, $]`, 60),
		"object doubling":          `a` + strings.Repeat(`.{"l": $, "r": $}`, 40) + strings.Repeat(`.[l, r]`, 40),
		"append doubling":          `($x := a; ` + strings.Repeat(`$x := $append($x, $x); `, 30) + `$x)`,
		"indices":                  `a` + strings.Repeat(`[[`+strings.Repeat("0,", 300)+`0]]`, 3),
		"replace by itself":        `$replace($replace(a & "", /./, "$0$0$0$0$0$0$0$0$0$0$0$0$0$0"), /./, "$0$0$0$0$0$0$0$0$0$0$0$0$0$0")`,
		"quadratic regex":          `$split($join([1..1000].$string($), "-"), /.*x|./)`,
		"large regex":              `$contains(a, /((\pL{30}){30}){30}/)`,
		"nested brackets":          strings.Repeat("(", 900) + "a" + strings.Repeat(")", 900),
		"nested arrays":            strings.Repeat("[", 900) + "a" + strings.Repeat("]", 900),
		"Roman number":             `$formatInteger(1e18, "I")`,
		"wide year":                `$fromMillis(a, "[Y,1000000000]")`,
		"wide month":               `$fromMillis(a, "[M,1000000000-1000000000]")`,
		"predicates in predicates": strings.Repeat("a[", 39) + "a" + strings.Repeat("]", 39), // also a bomb for the estimate
		"steps in steps":           `items.(a.(b.(c.(d.(e.(f.(g & h)))))))`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := Gate(expr, gateSources); codeOf(t, err) == "" {
				t.Errorf("Gate(%q) lets it pass", expr)
			}
		})
	}
}

func TestErrorsQuoteNoLongText(t *testing.T) {
	t.Parallel()
	err := Gate("`"+strings.Repeat("é", 600)+"`", gateSources)
	if code := codeOf(t, err); code != CodeUnknownSource {
		t.Fatalf("code = %q, want %q", code, CodeUnknownSource)
	}
	if len(err.Error()) > 300 {
		t.Errorf("the error has %d bytes, want a short one", len(err.Error()))
	}
}
