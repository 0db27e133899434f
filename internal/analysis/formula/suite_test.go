package formula

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A part of the official test suite of jsonata-js 2.2.2 is the regression corpus: the
// groups that mappings have use for. testdata/suite.json has its licence.
//
// To make it again, from the suite as gnata has it in its module (testdata):
//
//	go test ./internal/analysis/formula -run Suite -suite "$(go list -m -f '{{.Dir}}' github.com/recolabs/gnata)/testdata"
var suiteFolder = flag.String("suite", "", "folder of the official suite, from which testdata/suite.json is made again")

type suite struct {
	Notice   []string                   `json:"notice"`
	Datasets map[string]json.RawMessage `json:"datasets"`
	Cases    []suiteCase                `json:"cases"`
}

type suiteCase struct {
	Name      string          `json:"name"`
	Expr      string          `json:"expr"`
	Data      json.RawMessage `json:"data,omitempty"`
	Dataset   string          `json:"dataset,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Undefined bool            `json:"undefined,omitempty"`
	Code      string          `json:"code,omitempty"`    // of the error that the reference gives
	Refused   string          `json:"refused,omitempty"` // the code with which the gate refuses it
}

// deviations are the admitted cases that come out differently, with the reason.
var deviations = map[string]string{}

// suiteGroups are left out where mappings have no use for what they test.
var suiteGroups = []string{
	"array-constructor", "blocks", "boolean-expresssions", "coalescing-operator", "comments", "comparison-operators", "conditionals", "context",
	"default-operator", "encoding", "fields", "flattening", "function-", "hof-", "inclusion-operator", "lambdas", "literals", "missing-paths",
	"multiple-array-selectors", "null", "numeric-operators", "object-constructor", "parentheses", "predicates", "quoted-selectors", "range-operator",
	"regex", "simple-array-selectors", "string-concat", "token-conversion", "variables", "wildcards", "sorting", "transforms", "descendent-operator",
}

func readSuite(t testing.TB) *suite {
	t.Helper()
	raw, err := os.ReadFile("testdata/suite.json")
	if err != nil {
		t.Fatal(err)
	}
	var s suite
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// row is the input of a case, and its fields by name.
func (s *suite) row(c suiteCase) json.RawMessage {
	if c.Dataset != "" {
		return s.Datasets[c.Dataset]
	}
	if c.Data == nil {
		return json.RawMessage("null")
	}
	return c.Data
}

// namesIn are the names that an expression could read, so that the gate refuses it for
// nothing else than what it is about.
func namesIn(expr string) []string {
	var names []string
	tokens, _ := lex(expr)
	for _, t := range tokens {
		if (t.kind == tokenName || t.kind == tokenString) && !slices.Contains(names, t.text) {
			names = append(names, t.text)
		}
	}
	return names
}

// What the gate admits gives what the reference gives; the rest it refuses, and always
// the same.
func TestSuite(t *testing.T) {
	if *suiteFolder != "" {
		writeSuite(t, *suiteFolder)
	}
	s := readSuite(t)
	admitted, refused, seen := 0, map[string]int{}, map[string]bool{}
	for _, c := range s.Cases {
		if got := codeOf(t, Gate(c.Expr, namesIn(c.Expr))); got != c.Refused {
			t.Errorf("%s: the gate says %q of %q, want %q", c.Name, got, c.Expr, c.Refused)
			continue
		}
		if c.Refused != "" {
			refused[c.Refused]++
			continue
		}
		admitted++
		how := c.differs(s.row(c))
		if reason, known := deviations[c.Name]; known {
			seen[c.Name] = true
			if how == "" {
				t.Errorf("%s: %q agrees with the reference by now, though it is listed as a deviation (%s); take it off the list", c.Name, c.Expr, reason)
			}
		} else if how != "" {
			t.Errorf("%s: %s  =>  %s", c.Name, c.Expr, how)
		}
	}
	for name := range deviations {
		if !seen[name] {
			t.Errorf("%s is listed as a deviation, but is no case that the gate admits", name)
		}
	}
	if admitted < 300 {
		t.Errorf("the gate admits %d cases, want the larger part of those for mappings", admitted)
	}
	t.Logf("%d cases: %d admitted, of them %d known deviations; refused %v", len(s.Cases), admitted, len(deviations), refused)
}

// differs says how the result here differs from the suite's.
func (c suiteCase) differs(row json.RawMessage) string {
	a := here(c.Expr, []json.RawMessage{row})
	want := answer{Results: []outcome{{Value: c.Result, Error: c.Code}}}
	switch {
	case a.Error != "" && c.Code != "":
		return ""
	case a.Error != "":
		return "does not compile: " + a.Error
	case a.Results[0].Error != "" && c.Code == "":
		return "error " + a.Results[0].Error + ", want " + shown(c.Result)
	}
	return differs(a, want)
}

// writeSuite reads the official suite, and what the gate says of it.
func writeSuite(t *testing.T, folder string) {
	t.Helper()
	s := &suite{Datasets: map[string]json.RawMessage{}}
	notice, err := os.ReadFile(filepath.Join(folder, "NOTICE"))
	if err != nil {
		t.Fatal(err)
	}
	s.Notice = strings.Split(strings.TrimSpace(string(notice)), "\n")
	groups, err := filepath.Glob(filepath.Join(folder, "groups", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range groups {
		if !slices.ContainsFunc(suiteGroups, func(prefix string) bool { return strings.HasPrefix(filepath.Base(filepath.Dir(path)), prefix) }) {
			continue
		}
		s.read(t, folder, path)
	}
	var b bytes.Buffer
	encode := func(before string, value any) {
		b.WriteString(before)
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(value); err != nil {
			t.Fatal(err)
		}
		b.Truncate(b.Len() - 1)
	}
	encode(`{"notice":`, s.Notice)
	encode(",\n\"datasets\":", s.Datasets)
	b.WriteString(",\n\"cases\":[")
	for i, c := range s.Cases {
		encode(map[bool]string{true: "\n", false: ",\n"}[i == 0], c)
	}
	b.WriteString("\n]}\n")
	if err := os.WriteFile("testdata/suite.json", b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// read adds the cases of one file, without those that bind variables or take an
// expression from elsewhere.
func (s *suite) read(t *testing.T, folder, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if raw = bytes.TrimSpace(raw); raw[0] != '[' {
		raw = slices.Concat([]byte("["), raw, []byte("]"))
	}
	var cases []struct {
		Expr            string
		Data            json.RawMessage
		Dataset         string
		Bindings        map[string]any
		Result          json.RawMessage
		UndefinedResult bool
		Unordered       bool
		Code            string
		Error           struct{ Code string }
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	name := strings.TrimSuffix(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), ".json")
	for i, c := range cases {
		if c.Expr == "" || len(c.Bindings) > 0 || c.Unordered || bytes.Contains(bytes.ToLower(raw), []byte(`\ud8`)) {
			continue
		}
		sc := suiteCase{Name: name, Expr: c.Expr, Data: c.Data, Dataset: c.Dataset, Result: c.Result, Undefined: c.UndefinedResult, Code: c.Code + c.Error.Code}
		if len(cases) > 1 {
			sc.Name += fmt.Sprintf("#%03d", i)
		}
		sc.Refused = codeOf(t, Gate(c.Expr, namesIn(c.Expr)))
		if c.Dataset != "" {
			data, err := os.ReadFile(filepath.Join(folder, "datasets", c.Dataset+".json"))
			if err != nil {
				t.Fatal(err)
			}
			s.Datasets[c.Dataset] = data
		}
		s.Cases = append(s.Cases, sc)
	}
}
