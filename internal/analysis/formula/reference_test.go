package formula

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recolabs/gnata"
)

// This file asks both implementations what an expression gives: the engine that runs
// here, and jsonata-js, in which customers run their formulas (testdata/jsonata).

// outcome is what one run gives. A text names what JSON has no word for.
type outcome struct {
	Value json.RawMessage `json:"value"` // nil for undefined
	Error string          `json:"error"` // the implementation's code
}

// answer is what an implementation makes of an expression.
type answer struct {
	Error   string    `json:"error"` // it does not compile
	Results []outcome `json:"results"`
}

// errHangs says that the reference did not come back, as it does where a regular
// expression stands before ?:, which the gate refuses.
var errHangs = errors.New("the reference does not come back")

// reference is a process of jsonata-js.
type reference struct {
	t       testing.TB
	command *exec.Cmd
	in      io.WriteCloser
	lines   chan []byte
}

func newReference(t testing.TB) *reference {
	t.Helper()
	r := &reference{t: t}
	r.start()
	t.Cleanup(r.stop)
	return r
}

func (r *reference) start() {
	r.t.Helper()
	r.command = exec.CommandContext(context.Background(), "node", "--max-old-space-size=512", "reference.mjs")
	r.command.Dir = "testdata/jsonata"
	r.command.Env = append(os.Environ(), "TZ=America/New_York") // no result may rest on the zone of the machine
	var stderr bytes.Buffer
	r.command.Stderr = &stderr
	in, err := r.command.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := r.command.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.command.Start(); err != nil {
		r.t.Fatalf("start node: %v; run make test-jsonata, which installs what is missing", err)
	}
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(out)
		scanner.Buffer(nil, 64<<20)
		for scanner.Scan() {
			lines <- bytes.Clone(scanner.Bytes())
		}
	}()
	r.in, r.lines = in, lines
}

func (r *reference) stop() {
	_ = r.in.Close()
	_ = r.command.Process.Kill()
	for range r.lines { // until the reader has seen the end
	}
	_ = r.command.Wait()
}

// ask fails with errHangs after a minute, and then goes on with a new process.
func (r *reference) ask(expr string, rows []json.RawMessage) (answer, error) {
	r.t.Helper()
	question, err := json.Marshal(map[string]any{"expr": expr, "rows": rows})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.in.Write(append(question, '\n')); err != nil {
		r.t.Fatalf("ask jsonata-js about %q: %v", expr, err)
	}
	select {
	case line, ok := <-r.lines:
		var a answer
		if !ok {
			r.stop()
			r.start()
			return a, errHangs // out of memory
		}
		if err := json.Unmarshal(line, &a); err != nil {
			r.t.Fatalf("jsonata-js about %q: %v", expr, err)
		}
		return a, nil
	case <-time.After(time.Minute): // the machine may be busy
		r.stop()
		r.start()
		return answer{}, errHangs
	}
}

// here is what the engine of this package makes of an expression, without the gate.
func here(expr string, rows []json.RawMessage) answer {
	compiled, err := compile(expr)
	if err != nil {
		return answer{Error: err.Error()}
	}
	var a answer
	for _, row := range rows {
		a.Results = append(a.Results, runHere(compiled, row))
	}
	return a
}

func runHere(compiled *gnata.Expression, row json.RawMessage) outcome {
	data, err := gnata.DecodeJSON(row)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	value, err := evaluate(context.Background(), compiled, data)
	switch {
	case err != nil:
		return outcome{Error: engineCode(err)}
	case value == nil:
		return outcome{}
	}
	if n, ok := value.(float64); ok && (math.IsInf(n, 0) || math.IsNaN(n)) {
		return outcome{Value: json.RawMessage(`{"number":"not finite"}`)}
	}
	out, err := json.Marshal(gnata.NormalizeValue(value))
	if err != nil {
		return outcome{Value: json.RawMessage(`{"number":"not finite, or a function"}`)}
	}
	return outcome{Value: out}
}

// differs says how two answers differ, "" where they agree: on the values, on that there
// is none, or on that there is an error, whatever its code. An error that only this side
// gives counts as agreement too: what the sample rows show is refused then.
func differs(got, want answer) string {
	if (got.Error == "") != (want.Error == "") {
		return "one does not compile: here " + got.Error + ", there " + want.Error
	}
	for i := range got.Results {
		g, w := got.Results[i], want.Results[i]
		switch {
		case g.Error != "":
		case w.Error != "":
			return "only there an error: " + w.Error + ", here " + shown(g.Value)
		case !sameJSON(g.Value, w.Value):
			return "here " + shown(g.Value) + ", there " + shown(w.Value)
		}
	}
	return ""
}

func shown(value json.RawMessage) string {
	if value == nil {
		return "nothing"
	}
	return string(value)
}

// known are the differences that the gate does not refuse, since a formula would have to
// be much odder than the data to meet them, by what is seen of them.
var known = []struct {
	name, reason string
	seen         *regexp.Regexp
}{
	{"missing side", "jsonata-js checks the type of one side of an operator though the other is missing; here that gives nothing",
		regexp.MustCompile(`only there an error: (T2001|T2002|T2009|T2010), here (nothing|.*)$`)},
	{"not finite", "jsonata-js stops at the use of a number that is not finite; here it goes on, and Verify refuses it as a result",
		regexp.MustCompile(`only there an error: D100[12]|not finite|here "number", there "object"`)},
	{"empty list", "steps from a list of fields that are all missing give [] there and nothing here; neither is a value",
		regexp.MustCompile(`there .*(\[\]|""|"array"|\[null)|D3061|\]\.[$(].* => here (nothing|false|0), there (0|1|true|false|" +")$`)},
	{"big integer", "whole numbers beyond 2^53 stay exact here, and are rounded there; Report.Imprecise counts them",
		regexp.MustCompile(`\bbig\b.*here`)},
	{"negative zero", "-0 is written as -0 here, and as 0 there",
		regexp.MustCompile(`here .*-0`)},
	{"last digits", "numbers as texts have up to 17 digits here, 15 there, where they are very small, very large or in an object; powers differ in the last bit",
		regexp.MustCompile(`here .*(0\.0000\d{12}|[0-9]e[+-]|[0-9]{16})|\$power.*here`)},
	{"mixed list", "$keys of a list that holds more than objects gives nothing here",
		regexp.MustCompile(`\$keys.*here nothing`)},
	{"emoji", "regular expressions there see two characters in one beyond the first 65,536",
		regexp.MustCompile(`(replace|match|split)\(.*/.*(😀|__|Ann LeeAnn).*there`)},
	{"list of one list", "predicates unpack it here, and not there",
		regexp.MustCompile(`pairs.*here "one"`)},
}

func knownAs(expr, how string) string {
	for _, k := range known {
		if how != "" && k.seen.MatchString(expr+" => "+how) {
			return k.name
		}
	}
	return ""
}

func sameJSON(a, b json.RawMessage) bool {
	if (a == nil) != (b == nil) {
		return false
	}
	if bytes.Equal(a, b) || strings.HasPrefix(string(a), `{"number":"not`) && strings.HasPrefix(string(b), `{"number":`) {
		return true
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && sameValue(x, y)
}

// sameValue compares decoded JSON. Numbers may differ in the last bits, as where a sum
// is made in another order.
func sameValue(a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && (x == y || math.Abs(x-y) <= 1e-12*math.Abs(x))
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, sameValue)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for key, value := range x {
			if other, ok := y[key]; !ok || !sameValue(value, other) {
				return false
			}
		}
		return true
	}
	return a == b
}
