package formula

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// One expression, from the gate to the end of one run on one row, stays under these,
// whoever wrote it. Else verification has to move into a process of its own (ADR 4).
const (
	budgetBytes = 64 << 20 // allocated in all, so the peak is lower
	budgetTime  = 200 * time.Millisecond
)

// budgetRows are as large as rows can be after cutting: long texts, full lists, lists of
// objects, of numbers, of nothing, and the deepest nesting.
var budgetRows = func() []json.RawMessage {
	long, digits := strings.Repeat("a1/é ", 40), strings.Repeat("9", maxTextBytes)
	item := map[string]any{"sku": long, "qty": 3, "price": 2.5, "name": "n", "a": long, "tags": []string{"x", "y", long}}
	deep := any(long)
	for range maxDepth {
		deep = map[string]any{"a": deep, "b": 1, "tags": []any{1}}
	}
	repeat := func(value any, n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = value
		}
		return list
	}
	return rowsFrom(
		map[string]any{
			"a": long, "b": 17.5, "first name": "Ann", "x.y": []any{long, long, 1, nil, long, long, long, long}, "x": map[string]any{"y": "2024-01-31"},
			"order": map[string]any{"customer": map[string]any{"email": "a@b.org"}}, "items": repeat(item, 8),
		},
		map[string]any{
			"a": digits, "b": 1e300, "first name": strings.Repeat("x", maxTextBytes), "x.y": repeat(0, 40), "x": map[string]any{"y": repeat("x", 40)},
			"order": map[string]any{"customer": map[string]any{"email": repeat("a@b.org", 40)}}, "items": repeat(map[string]any{"sku": 1, "qty": "2"}, 40),
		},
		map[string]any{"a": repeat(repeat("", 5), 7), "b": -1e-300, "first name": "", "x.y": deep, "items": deep, "order": map[string]any{"customer": map[string]any{"email": nil}}},
	)
}()

func rowsFrom(rows ...map[string]any) []json.RawMessage {
	out := make([]json.RawMessage, len(rows))
	for i, row := range rows {
		raw, err := json.Marshal(row)
		if err != nil {
			panic(err)
		}
		s := readSamples([]json.RawMessage{raw}, 1)
		out[i], _ = s[0].only(gateSources)
	}
	return out
}

// use is what one expression took: the most of its rows.
type use struct {
	admitted bool
	bytes    uint64
	time     time.Duration
	unstable bool
}

// over looks at the time only when make fuzz runs, which waits for nothing.
func (u use) over() bool {
	fuzzes := *budgetRun > 0 || flag.Lookup("test.fuzz").Value.String() != ""
	return u.bytes > budgetBytes || fuzzes && u.time > budgetTime*slowdown
}

func (u use) String() string { return fmt.Sprintf("%.1f MB and %v", float64(u.bytes)/(1<<20), u.time) }

var allocated = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}

func measured(u *use, f func()) {
	metrics.Read(allocated)
	bytes, start := allocated[0].Value.Uint64(), cpuTime()
	f()
	took := cpuTime() - start
	metrics.Read(allocated)
	u.time, u.bytes = max(u.time, took), max(u.bytes, allocated[0].Value.Uint64()-bytes)
}

// measure takes an expression through gate, compiler and one run on each row. It wants
// its thread for itself, and nobody else to allocate.
func measure(expr string, sources []string, rows []json.RawMessage) use {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var u use
	measured(&u, func() { u.admitted = Gate(expr, sources) == nil })
	if !u.admitted {
		return u
	}
	hung := time.AfterFunc(time.Minute, func() { panic(fmt.Sprintf("%q hangs", expr)) })
	defer hung.Stop()
	for _, row := range rows {
		measured(&u, func() {
			compiled, err := compile(expr)
			if err != nil {
				return
			}
			tr := newTrial(compiled, schema.Field{Type: "json"})
			err = tr.run(context.Background(), row, true) // runs twice, to see whether it is stable
			var e *Error
			u.unstable = u.unstable || errors.As(err, &e) && e.Code == CodeUnstable
		})
	}
	return u
}

// offends measures again what is over the budget, so that nothing is called an offender
// for what the garbage collector did meanwhile.
func offends(u use, expr string, sources []string, rows []json.RawMessage) (use, bool) {
	for range 3 {
		if !u.over() {
			return u, false
		}
		runtime.GC()
		u = measure(expr, sources, rows)
	}
	return u, true
}

var budgetRun = flag.Duration("budget", 0, "how long TestBudget writes expressions, and holds them to the time too; a few thousand by default")

// TestBudget writes greedy expressions, sensible ones, and mixtures of those of the
// official suite, and holds what passes the gate to the budget. make fuzz runs it longer.
func TestBudget(t *testing.T) {
	corpus := readSuite(t).expressions()
	seed := uint64(1)
	if *budgetRun > 0 {
		seed = uint64(time.Now().UnixNano())
	}
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 2))}
	written, admitted := 0, 0
	var mostBytes, mostTime use
	var byBytes, byTime string
	for start := time.Now(); *budgetRun == 0 && written < 6000 || time.Since(start) < *budgetRun; {
		expr, sources, rows := g.any(corpus)
		written++
		u := measure(expr, sources, rows)
		if u.admitted {
			admitted++
		}
		if u.unstable {
			t.Errorf("%q is not stable", expr)
		}
		if again, bad := offends(u, expr, sources, rows); bad {
			t.Errorf("%q (seed %d) takes %v", expr, seed, again)
			continue
		} else if u = again; !u.admitted {
			continue
		}
		if u.bytes > mostBytes.bytes {
			mostBytes, byBytes = u, expr
		}
		if u.time > mostTime.time {
			mostTime, byTime = u, expr
		}
	}
	if admitted < written/20 {
		t.Errorf("only %d of %d expressions pass the gate; the test tests little", admitted, written)
	}
	t.Logf("%d expressions, %d admitted\n\tmost bytes: %v by %s\n\tmost time: %v by %s", written, admitted, mostBytes, byBytes, mostTime, byTime)
}

// any writes an expression of one of the kinds.
func (g *generator) any(corpus []string) (expr string, sources []string, rows []json.RawMessage) {
	switch g.IntN(8) {
	case 0, 1, 2, 3:
		return g.greedy(1 + g.IntN(7)), gateSources, budgetRows
	case 4:
		return g.mapping(1 + g.IntN(5)), mappingSources, mappingRows
	case 5, 6:
		return g.mixed(corpus), gateSources, budgetRows
	}
	return g.chain(), gateSources, budgetRows
}

// chain repeats one step, as those do that double a value.
func (g *generator) chain() string {
	head := pick(g, "a", "items", "[1..1000]", "[1..30]", "`x.y`", `"xxxx"`, "items.tags", "{\"l\": items, \"r\": items}", "[0,0,0,0,0,0,0,0]")
	step := pick(g, ".($ & $)", ".([$, $])", "[$ = $$.a]", ".{\"l\": $, \"r\": $}", ".$string($)", " ~> $distinct", " ~> $string", " ~> $reverse", "[$ in $$.items]", ".(l & r)",
		" ~> $split(\"\")", " ~> $join(\"xxxx\")", " ~> $sort", ".$zip($, $)", " ~> $encodeUrl", " ~> $base64encode", "[$string($) != \"\"]", " ~> $keys", "[[1..30]]", ".$merge([$, $])",
		".$$.items", ".($v := $; $v & $v)", ".$replace($string($), \"a\", \"aaaaaaaa\")", ".$match($string($), /./)", ".$pad($string($), 1000)", " & a & a", " = items", " ? items : a")
	n := 1 + g.IntN(30)
	if g.IntN(2) == 0 {
		n = 1 + g.IntN(4)
	}
	tail := pick(g, "", "", ".($ & \"\")", "[$ = 1]", " ~> $count", " ~> $string")
	return "(" + head + strings.Repeat(step, n) + tail + ")"
}

// mixed puts a piece of one expression of the suite into another, with the fields of
// the rows for those of the suite.
func (g *generator) mixed(corpus []string) string {
	into, from := pieces(pick(g, corpus...)), pieces(pick(g, corpus...))
	cut := func(n int) (int, int) {
		i := g.IntN(n + 1)
		return i, min(n, i+g.IntN(12))
	}
	i, j := cut(len(into))
	k, l := cut(len(from))
	var b strings.Builder
	for _, piece := range append(append(append([]string(nil), into[:i]...), from[k:l]...), into[j:]...) {
		if isFieldName(piece) {
			piece = pick(g, "a", "b", "items", "items", "sku", "qty", "tags", "`x.y`", "x")
		}
		b.WriteString(piece)
		if g.IntN(40) == 0 {
			b.WriteString(pick(g, ".", "&", "[", "]", "(", ")", ",", "$", "1000", "..", "~>", "?", ":", "$string(", "items", "/./", "-"))
		}
	}
	return b.String()
}

func isFieldName(piece string) bool { return isPlainName(piece) }

// pieces splits an expression into words and single characters, texts and all.
func pieces(expr string) []string {
	var out []string
	for expr != "" {
		n := 0
		for n < len(expr) && (expr[n] == '_' || expr[n] == '$' || isDigit(expr[n]) || isASCIILetter(expr[n])) {
			n++
		}
		n = max(n, 1)
		out = append(out, expr[:n])
		expr = expr[n:]
	}
	return out
}

func (s *suite) expressions() []string {
	var out []string
	for _, c := range s.Cases {
		if len(c.Expr) < 400 {
			out = append(out, c.Expr)
		}
	}
	return out
}

// TestOffenders: what once got past the budget. Each is refused now, or cheap.
func TestOffenders(t *testing.T) {
	for _, expr := range offenders {
		u := measure(expr, gateSources, budgetRows)
		if again, bad := offends(u, expr, gateSources, budgetRows); bad {
			t.Errorf("%q takes %v", expr, again)
		}
	}
}

// offenders were found by TestBudget and FuzzGate.
var offenders = []string{}
