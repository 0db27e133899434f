package formula

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator writes expressions as a model would for mappings: mostly sensible ones of the
// kind that is asked for, with the functions, operators and constructs of the language.
type generator struct {
	*rand.Rand
	variables []string // set where the expression stands
}

// mappingSources are the fields of mappingRows.
var mappingSources = []string{
	"name", "first", "last", "email", "phone", "born", "seen", "price", "qty", "total", "big", "active", "status", "note", "empty",
	"missing", "tags", "nums", "lines", "address", "first name", "pairs", "code", "unicode",
}

// mappingRows are what records of a data lake look like, with their gaps.
var mappingRows = func() []json.RawMessage {
	rows := []string{
		`{"name":"Ann Lee","first":"Ann","last":"Lee","email":"Ann@Example.org","phone":"+44 20-7185 2723","born":"31/12/1990",
		"seen":"2024-02-29T10:15:30.250Z","price":"1,234.50","qty":3,"total":-17.25,"big":9007199254740991,"active":"Y","status":"active",
		"note":" two  words ","empty":"","tags":["a","b","c"],"nums":[3,1,2],"lines":[{"sku":"A-1","qty":2,"price":1.5,"ok":true},
		{"sku":"B-2","qty":1,"price":10,"ok":false},{"sku":"C","qty":0,"price":2.25}],"address":{"street":"Main St 1","city":"Bonn","zip":"53111",
		"geo":{"lat":50.7,"lon":7.1}},"first name":"Ann","pairs":[["k","v"],["x","y"]],"code":"ab-12-cd","unicode":"Straße 名 😀"}`,
		`{"name":"Chen","first":null,"last":"O'Neil","email":"n/a","phone":null,"born":"01/02/2003","seen":"2023-06-01","price":"0","qty":0,
		"total":2.5,"big":12345678901234567890,"active":false,"status":"closed","note":null,"empty":null,"tags":"solo","nums":[],
		"lines":{"sku":"Z","qty":5,"price":0.1},"address":null,"first name":null,"pairs":[],"code":"","unicode":"é"}`,
		`{"name":"  ","last":"","email":" x@y.org ","born":"2024-01-31","seen":1706659200000,"price":12,"qty":"7","total":0.1,"big":-1,
		"active":true,"status":0,"note":"a,b;c","tags":[],"nums":[1.5,null,2],"lines":[],"address":{"city":"","zip":12345},"pairs":[["one"]],
		"code":"12","unicode":"a\u0301"}`,
		`{}`,
	}
	out := make([]json.RawMessage, len(rows))
	for i, row := range rows {
		out[i] = json.RawMessage(row)
	}
	return out
}()

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// mapping writes an expression of any kind.
func (g *generator) mapping(depth int) string {
	switch g.IntN(10) {
	case 0, 1, 2:
		return g.text(depth)
	case 3, 4:
		return g.number(depth)
	case 5:
		return g.truth(depth)
	case 6:
		return g.list(depth)
	case 7:
		return g.object(depth)
	case 8:
		return g.block(depth)
	}
	return g.time(depth)
}

func (g *generator) text(depth int) string {
	if depth <= 0 {
		leaves := append([]string{
			`name`, `first`, `last`, `email`, `phone`, `note`, `empty`, `status`, `code`, `unicode`, "`first name`", `address.city`, `address.zip`,
			`lines[0].sku`, `lines[-1].sku`, `tags[0]`, `""`, `" "`, `"x"`, `"a-b"`, `'é'`, `born`, `$$.name`, `missing`,
		}, g.variables...)
		return pick(g, leaves...)
	}
	t := func() string { return g.text(depth - 1) }
	n := func() string { return g.number(depth - 1) }
	switch g.IntN(24) {
	case 0, 1:
		return t() + " & " + t()
	case 2:
		return "$string(" + g.mapping(depth-1) + ")"
	case 3:
		return "$" + pick(g, "trim", "uppercase", "lowercase", "encodeUrlComponent", "encodeUrl", "base64encode") + "(" + t() + ")"
	case 4:
		return "$substring(" + t() + ", " + pick(g, "0", "1", "2", "-2", "1.5", n()) + pick(g, "", ", 1", ", 3", ", -1", ", "+n()) + ")"
	case 5:
		return "$substring" + pick(g, "Before", "After") + "(" + t() + ", " + pick(g, `" "`, `"-"`, `"@"`, `""`, t()) + ")"
	case 6:
		return "$pad(" + t() + ", " + pick(g, "5", "-8", "0", "20") + pick(g, "", `, "0"`, `, "#-"`, `, ""`) + ")"
	case 7:
		return "$replace(" + t() + ", " + pick(g, `" "`, `"-"`, g.regex(), t()) + ", " + pick(g, `""`, `"_"`, `"$1"`, `"$0$0"`, `"$$"`, t()) + pick(g, "", "", ", 1", ", 0") + ")"
	case 8:
		return "$join(" + g.list(depth-1) + pick(g, "", `, ", "`, `, ""`, ", "+t()) + ")"
	case 9:
		return "$split(" + t() + ", " + pick(g, `" "`, `"-"`, `","`, `""`, g.regex()) + pick(g, "", ", 2") + ")[" + pick(g, "0", "1", "-1") + "]"
	case 10:
		return "$match(" + t() + ", " + g.regex() + ")" + pick(g, "[0].match", ".match", "[0].groups[0]", ".groups[1]", "[0].groups")
	case 11:
		return "(" + g.truth(depth-1) + " ? " + t() + pick(g, "", " : "+t()) + ")"
	case 12:
		return t() + pick(g, " ?: ", " ?? ") + t()
	case 13:
		return t() + " ~> $" + pick(g, "trim", "uppercase()", "lowercase", `substringBefore(" ")`, `split("-")`, `replace("a", "b")`, "length()", "string")
	case 14:
		return "$formatNumber(" + n() + ", " + pick(g, `"#,##0.00"`, `"0"`, `"0.00"`, `"0.0"`, `"€ 0.00"`, `"00.0#"`, `"#.##"`, `"(0)"`, `"0;(0)"`) + ")"
	case 15:
		return "$formatBase(" + n() + pick(g, "", ", 2", ", 16", ", 36", ", "+n()) + ")"
	case 16:
		return "$formatInteger(" + n() + ", " + pick(g, `"0"`, `"0000"`, `"#,##0"`, `"w"`, `"W;o"`, `"a"`, `"A"`, `"0;o"`) + ")"
	case 17:
		return "$lookup(" + pick(g, `{"active": "A", "closed": "C"}`, "address", g.object(depth-1)) + ", " + pick(g, "status", `"city"`, t()) + ")"
	case 18:
		return "address." + pick(g, "city", "(street & \", \" & city)", "geo.lat", "$string(zip)", "zip", `"city"`)
	case 19:
		return "$type(" + g.mapping(depth-1) + ")"
	case 20:
		return "$decodeUrl" + pick(g, "", "Component") + "(" + t() + ")"
	case 21:
		return "(" + t() + ")" + pick(g, "", "[0]", "[$ != \"\"]", "[]")
	case 22:
		return g.block(depth - 1)
	}
	return g.time(depth - 1)
}

func (g *generator) number(depth int) string {
	if depth <= 0 {
		return pick(g, "qty", "total", "big", "nums[0]", "lines[0].price", "address.geo.lat", "0", "1", "2.5", "-3", "100", "1e3", "price", "0.1", "lines.qty[0]")
	}
	n := func() string { return g.number(depth - 1) }
	switch g.IntN(14) {
	case 0, 1, 2:
		return "(" + n() + pick(g, " + ", " - ", " * ", " / ", " % ") + n() + ")"
	case 3:
		return "$number(" + pick(g, g.text(depth-1), "price", "qty", `"12.5"`, `"0x1F"`, `"1e3"`, `" 7 "`, `"-0"`, g.truth(depth-1)) + ")"
	case 4:
		return "$" + pick(g, "abs", "floor", "ceil", "round", "sqrt") + "(" + n() + ")"
	case 5:
		return "$round(" + n() + ", " + pick(g, "0", "1", "2", "-1") + ")"
	case 6:
		return "$power(" + n() + ", " + pick(g, "2", "0.5", "-1", n()) + ")"
	case 7:
		return "$" + pick(g, "sum", "max", "min", "average", "count") + "(" + g.list(depth-1) + ")"
	case 8:
		return "$length(" + g.text(depth-1) + ")"
	case 9:
		return "-" + n()
	case 10:
		return "(" + g.truth(depth-1) + " ? " + n() + pick(g, "", " : "+n()) + ")"
	case 11:
		return "$toMillis(" + pick(g, "seen", "born", g.time(depth-1)) + pick(g, "", `, "[D01]/[M01]/[Y0001]"`, `, "[Y]-[M]-[D]"`) + ")"
	case 12:
		return "$parseInteger(" + pick(g, `"12"`, `"1,234"`, g.text(depth-1)) + ", " + pick(g, `"0"`, `"#,##0"`, `"w"`, `"a"`) + ")"
	}
	return n() + pick(g, " ?: ", " ?? ") + n()
}

func (g *generator) truth(depth int) string {
	if depth <= 0 {
		return pick(g, "true", "false", "active", "$exists(name)", `status = "active"`, "qty > 1", "first != null", "missing = null")
	}
	b := func() string { return g.truth(depth - 1) }
	switch g.IntN(11) {
	case 0:
		return b() + pick(g, " and ", " or ") + b()
	case 1:
		return "$not(" + g.mapping(depth-1) + ")"
	case 2, 3:
		return g.text(depth-1) + pick(g, " = ", " != ", " < ", " >= ") + g.text(depth-1)
	case 4:
		return g.number(depth-1) + pick(g, " = ", " != ", " < ", " > ", " <= ") + g.number(depth-1)
	case 5:
		return g.text(depth-1) + " in " + pick(g, `["active", "Y"]`, "tags", g.list(depth-1))
	case 6:
		return "$contains(" + g.text(depth-1) + ", " + pick(g, `"a"`, `"@"`, `""`, g.regex(), g.text(depth-1)) + ")"
	case 7:
		return "$exists(" + g.mapping(depth-1) + ")"
	case 8:
		return "$boolean(" + g.mapping(depth-1) + ")"
	case 9:
		return g.mapping(depth-1) + pick(g, " = ", " != ") + g.mapping(depth-1)
	}
	return "(" + b() + ")"
}

func (g *generator) list(depth int) string {
	if depth <= 0 {
		return pick(g, "tags", "nums", "lines.sku", "lines.qty", "lines", "pairs", `["x", "y"]`, "[1, 2, 3]", "[]", "[name, last]", "[1..4]", "lines.price[]")
	}
	l := func() string { return g.list(depth - 1) }
	switch g.IntN(18) {
	case 0:
		return "[" + g.mapping(depth-1) + ", " + g.mapping(depth-1) + "]"
	case 1:
		return "$append(" + l() + ", " + pick(g, l(), g.text(depth-1)) + ")"
	case 2:
		return "$" + pick(g, "reverse", "distinct", "sort", "spread", "keys", "merge") + "(" + pick(g, l(), g.object(depth-1)) + ")"
	case 3:
		return "$map(" + l() + ", $" + pick(g, "string", "trim", "uppercase", "number", "length", "type", "not", "abs", "count") + ")"
	case 4:
		return "$filter(" + l() + ", $" + pick(g, "boolean", "exists", "not", "length") + ")"
	case 5, 6:
		return "lines[" + pick(g, "qty > 1", "sku = \"A-1\"", "ok", "$contains(sku, \"-\")", "price < 5 and qty != 0", "0", "-1", "[0, 1]") + "]" + pick(g, ".sku", ".price", "", ".(sku & \"!\")", ".{\"s\": sku}")
	case 7:
		return "lines.(" + pick(g, "price * qty", "sku & \":\" & $string(qty)", "$uppercase(sku)", "[sku, qty]", "ok ? sku", "$$.name", "sku ?? \"none\"") + ")"
	case 8:
		return "lines.[" + pick(g, "sku, qty", "sku", "price") + "]"
	case 9:
		return "$split(" + g.text(depth-1) + ", " + pick(g, `" "`, `"-"`, g.regex()) + ")"
	case 10:
		return "$zip(" + l() + ", " + l() + ")"
	case 11:
		return l() + "[" + pick(g, "0", "-1", "1", "$ != null", "$ > 1", "$ = \"a\"", "[0..1]") + "]"
	case 12:
		return l() + ".$" + pick(g, "string()", "string($)", "uppercase()", "trim($)", "length($)", "number($)")
	case 13:
		return l() + "[]"
	case 14:
		return "[" + pick(g, "0", "1", "-2") + ".." + pick(g, "2", "5", "-1") + "]" + pick(g, "", ".($ * 2)", ".$substring($$.code, $, 1)", "[$ % 2 = 0]")
	case 15:
		return "$match(" + g.text(depth-1) + ", " + g.regex() + pick(g, "", ", 1") + ")" + pick(g, "", ".match", ".start", ".groups")
	case 16:
		return l() + ".($ & \"\")"
	}
	return "pairs" + pick(g, "[0]", ".$[0]", "[0][1]", ".$join($)", "")
}

func (g *generator) object(depth int) string {
	if depth <= 0 {
		return pick(g, "address", "address.geo", "lines[0]", `{"a": name}`, "{}", "lines")
	}
	switch g.IntN(5) {
	case 0:
		return `{"a": ` + g.mapping(depth-1) + `, "b": ` + g.mapping(depth-1) + `}`
	case 1:
		return `{"k" & ` + g.text(depth-1) + `: ` + g.mapping(depth-1) + `}` + pick(g, "", ".k")
	case 2:
		return "$merge([" + g.object(depth-1) + ", " + g.object(depth-1) + "])"
	case 3:
		return "lines." + `{"sku": sku, "n": ` + pick(g, "qty", "$string(qty)", "price * 2") + "}"
	}
	return `{"a": ` + g.list(depth-1) + `}.a`
}

func (g *generator) block(depth int) string {
	name := pick(g, "$v", "$w", "$t1")
	value := g.mapping(depth - 1)
	g.variables = append(g.variables, name)
	defer func() { g.variables = g.variables[:len(g.variables)-1] }()
	return "(" + name + " := " + value + "; " + g.mapping(depth-1) + ")"
}

var timePictures = []string{
	`"[Y0001]-[M01]-[D01]"`, `"[D01]/[M01]/[Y0001]"`, `"[M01]/[D01]/[Y0001]"`, `"[D1] [MNn] [Y]"`, `"[D1] [MNn,3-3] [Y0001]"`, `"[Y0001][M01][D01]"`,
	`"[H01]:[m01]:[s01]"`, `"[Y]-[M]-[D]T[H]:[m]:[s].[f001]"`, `"[h]:[m01] [P] [Y]-[M]-[D]"`, `"[FNn], [D1o] [MNn] [Y]"`, `"[Y]-[M01]-[D01] [H01]:[m01] [Z]"`,
	`"[X0001]-W[W01]-[F1]"`, `"[d001]/[Y]"`, `"[MNn,*-3] [D], [Y]"`, `"[Y,2-2]"`,
}

func (g *generator) time(depth int) string {
	picture := func() string { return pick(g, timePictures...) }
	millis := pick(g, "0", "1706659200000", "$toMillis(seen)", "$toMillis(born, \"[D01]/[M01]/[Y0001]\")", "$toMillis("+pick(g, "born", "seen", g.text(depth-1))+", "+picture()+")", "qty")
	return "$fromMillis(" + millis + pick(g, "", ", "+picture(), ", "+picture()) + pick(g, "", "", "") + ")"
}

func (g *generator) regex() string {
	return pick(g, `/[^0-9]/`, `/\d+/`, `/(\w+)\s(\w+)/`, `/^\s+|\s+$/`, `/[a-z]+/i`, `/@.*$/`, `/(a)|(b)/`, `/-/`, `/\s*/`, `/x?/`, `/[A-Z]{2,}/`,
		`/^([0-9]{2})\/([0-9]{2})\/([0-9]{4})$/`, `/[,;]/`, `/./`, `/é|ß/`, `/\W/`, `/b*$/m`, `/(?:a|b)c?/`, `/\bA/`, `/a|ab/`, `/(a+)+$/`, `/[^\w-]/`, `/x{0,2}y/`, `/^.{3}/`, `/[à-ü]/i`, `/[\/.-]/`, `/\.|,/`, `/^$/`, `/(\d+)(?:[.,](\d+))?/`, `/\S+@\S+/`)
}

// greedy writes expressions that want as much as they can get, sensible or not.
func (g *generator) greedy(depth int) string {
	if depth <= 0 {
		return pick(g, `a`, `b`, `items`, `items.sku`, "`x.y`", `order.customer.email`, `$`, `$$.a`, `$v`, `"x"`, `"long long text"`, `1`, `-2`, `0.5`,
			`true`, `null`, `[1..1000]`, `[1..30]`, `[0,0,0,0,0,0,0,0,0,0]`, `sku`, `tags`, `name`, `qty`, `1e300`, `items.tags`, `$$.items`)
	}
	sub := func() string { return g.greedy(depth - 1) }
	switch g.IntN(20) {
	case 0, 1:
		return sub() + ".(" + sub() + ")"
	case 2:
		return sub() + "[" + sub() + "]"
	case 3:
		return "[" + strings.Join([]string{sub(), sub(), sub()}[:1+g.IntN(3)], ", ") + "]"
	case 4:
		return "(" + sub() + pick(g, " & ", " + ", " = ", " in ", " ?: ", " ?? ", " and ", " / ", " % ", " < ") + sub() + ")"
	case 5:
		return "(" + sub() + " ? " + sub() + " : " + sub() + ")"
	case 6:
		return "($v := " + sub() + "; $v := " + pick(g, "$v & $v", "[$v, $v]", "$append($v, $v)", "$zip($v, $v)") + "; " + sub() + ")"
	case 7:
		return `{"l": ` + sub() + `, "r": ` + sub() + `}` + pick(g, "", ".l", ".r", ".[l, r]", ".(l & r)")
	case 8:
		return sub() + ".[" + sub() + "]"
	case 9:
		return "(" + sub() + " ~> $" + pick(g, "string", "trim", "uppercase", "reverse", "distinct", "count", "keys", "spread", "sort", "merge", "length", "sum") + ")"
	case 10, 11:
		return "$" + pick(g, "append", "zip", "join", "split", "contains", "lookup", "substring", "pad", "formatBase", "power", "round", "substringAfter") + "(" + sub() + ", " + sub() + ")"
	case 12:
		return "$" + pick(g, "split", "match", "contains") + "(" + sub() + ", " + pick(g, `/./`, `/.*x|./`, `/(a|b)+c?/`, `/\s+/`, `/[0-9]{1,20}/`, `/^a/`, `/(((a)|(.))*)*x?/`, `/(.{1,20}){1,9}/`, `/$/m`) + ")"
	case 13:
		return "$replace(" + sub() + ", " + pick(g, `/./`, `/.*x|./`, `"a"`, sub()) + ", " + pick(g, `"$0$0$0"`, `"xxxx"`, sub()) + ")"
	case 14:
		return "$" + pick(g, "string", "distinct", "sort", "spread", "merge", "keys", "reverse", "base64encode", "encodeUrl", "uppercase", "type") + "(" + sub() + ")"
	case 15:
		return fmt.Sprintf("$formatNumber(%s, %q)", sub(), pick(g, "#,##0.00", "0.0e0", "000000000000000000000000000000000000000000", "#0.###############################", "0;0", "#%", "#,#,#,#0"))
	case 16:
		return fmt.Sprintf("$formatInteger(%s, %q)", sub(), pick(g, "w", "W;o", "0", "000,000,000,000,000,000,000", "a", "A", "Ww", "#,##0;o"))
	case 17:
		return "$" + pick(g, "fromMillis", "toMillis") + "(" + sub() + ", " + pick(g, append(timePictures, `"[Y0001]"`, `"[YN]"`, `"[Yw]"`, `"[MNn,1-99]"`, `"[f000000001]"`)...) + ")"
	case 18:
		return fmt.Sprintf("$parseInteger(%s, %q)", sub(), pick(g, "w", "0", "a", "W;o", "#,##0"))
	}
	return "$" + pick(g, "map", "filter") + "(" + sub() + ", $" + pick(g, "string", "uppercase", "encodeUrl", "length", "spread", "count", "base64encode", "boolean") + ")"
}
