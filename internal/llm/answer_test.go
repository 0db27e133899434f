package llm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/schema"
)

func testReader(t testing.TB) *Client {
	t.Helper()
	return mustNew(t, Config{APIKey: "sk-x"})
}

func testAnswer(change func(a *answer)) []byte {
	a := answer{
		Decision: "map_to_existing", Entity: "e2", SourceName: "crm_contacts", Reasoning: "Both are customers.",
		NewEntity: answerEntity{Fields: []answerField{}},
		Mappings:  []answerMapping{testMapping("t3", "direct", "s1")},
		Unmapped:  []string{"s2", "s3"},
	}
	if change != nil {
		change(&a)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return raw
}

func testMapping(target, op string, sources ...string) answerMapping {
	if sources == nil {
		sources = []string{}
	}
	return answerMapping{Sources: sources, Target: target, Op: op, Args: []answerArgument{}, Band: "high", Why: "equal names"}
}

func withArgs(m answerMapping, pairs ...string) answerMapping {
	for pair := range slices.Chunk(pairs, 2) {
		m.Args = append(m.Args, answerArgument{Name: pair[0], Value: pair[1]})
	}
	return m
}

func TestReadMapToExisting(t *testing.T) {
	t.Parallel()
	raw := testAnswer(func(a *answer) {
		a.Mappings = []answerMapping{
			testMapping("t3", "direct", "s1"),
			withArgs(testMapping("t4", "combine", "s2", "s3"), "separator", " "),
			withArgs(testMapping("t5", "constant", "s2"), "literal", "1990-01-01"),
			withArgs(testMapping("t4", "split", "s2"), "separator", ",", "index", "1"),
		}
		a.Unmapped = []string{"s3", "s3"}
		a.SourceName = " crm\u202e_contacts\n"
	})
	got, err := testReader(t).Read(customerQuestion(), raw)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	proposed := func(target string, op schema.Op, args formula.Args, sources ...int) analysis.Proposed {
		return analysis.Proposed{Sources: sources, Target: target, Op: op, Args: args, Band: analysis.BandHigh, Why: "equal names"}
	}
	want := analysis.Proposal{
		Action: analysis.ActionMapToExisting, Entity: 1, SourceName: "crm_contacts", Reasoning: "Both are customers.",
		Mappings: []analysis.Proposed{
			proposed("email", schema.OpDirect, formula.Args{}, 0),
			proposed("full_name", schema.OpCombine, formula.Args{Separator: " "}, 1, 2),
			proposed("birth_date", schema.OpConstant, formula.Args{Literal: "1990-01-01"}),
			proposed("full_name", schema.OpSplit, formula.Args{Separator: ",", Index: 1}, 1),
		},
		Unmapped: []int{2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("proposal (-want +got)\n%s", diff)
	}
}

func TestReadCreateNew(t *testing.T) {
	t.Parallel()
	raw := testAnswer(func(a *answer) {
		a.Decision, a.Entity = "create_new", "e1" // the decision counts
		a.NewEntity = answerEntity{Name: "Lead", Description: "A lead.", Fields: []answerField{
			{Name: "email", Type: "email", Required: true}, {Name: " \u200b", Type: "string"},
			{Name: "email", Type: "string"}, {Name: "name", Type: "string"},
		}}
		a.Mappings = []answerMapping{
			testMapping("n1", "direct", "s1"), testMapping("n4", "direct", "s2"), testMapping("n2", "direct", "s3"),
			testMapping("n5", "direct", "s3"), testMapping("t1", "direct", "s3"),
		}
	})
	got, err := testReader(t).Read(customerQuestion(), raw)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	wantEntity := &analysis.NewEntity{Name: "Lead", Description: "A lead.", Fields: []schema.Field{
		{Name: "email", Type: "email", Required: true}, {Name: "name", Type: "string"},
	}}
	if diff := cmp.Diff(wantEntity, got.NewEntity); diff != "" {
		t.Errorf("new entity (-want +got)\n%s", diff)
	}
	if got.Entity != -1 || len(got.Mappings) != 2 || got.Mappings[0].Target != "email" || got.Mappings[1].Target != "name" {
		t.Errorf("entity %d, mappings %+v, want -1 with email and name", got.Entity, got.Mappings)
	}
	if len(got.Rejected) != 3 {
		t.Errorf("rejected %+v, want 3", got.Rejected)
	}
}

func TestReadRejectsItems(t *testing.T) {
	t.Parallel()
	unknown := func(target, detail string) analysis.Failure {
		return analysis.Failure{Sources: []int{0}, Target: target, Code: "unknown_field", Detail: detail}
	}
	badArgs := func(detail string, sources ...int) analysis.Failure {
		return analysis.Failure{Sources: sources, Target: "email", Code: "formula_failed", Detail: detail}
	}
	const noID = "target is something that is no id, which is no field of the question"
	for _, c := range []struct {
		name    string
		mapping answerMapping
		want    analysis.Failure
	}{
		{"target of another entity", testMapping("t1", "direct", "s1"),
			unknown("", "target t1 belongs to another entity than e2")},
		{"invented target", testMapping("t6", "direct", "s1"),
			unknown("", "target is t6, which is no field of the question")},
		{"new field of an old entity", testMapping("n1", "direct", "s1"),
			unknown("", "target is n1, which is no field of the question")},
		{"name instead of an id", testMapping("email; DROP TABLE", "direct", "s1"),
			unknown("", noID)},
		{"invented source", testMapping("t3", "combine", "s1", "s4"),
			unknown("email", "source is s4, which is no source field of the question")},
		{"leading zero", testMapping("t03", "direct", "s1"),
			unknown("", noID)},
		{"index of words", withArgs(testMapping("t3", "split", "s1"), "index", "first"),
			badArgs("index must be a whole number from 0 to 1000", 0)},
		{"argument twice", withArgs(testMapping("t3", "split", "s1"), "separator", "a", "separator", "b"),
			badArgs("argument separator is given twice", 0)},
		{"long literal", withArgs(testMapping("t3", "constant"), "literal", strings.Repeat("x", 257)),
			badArgs("argument literal is longer than 256 characters")},
		{"NUL", withArgs(testMapping("t3", "constant"), "literal", "a\x00"),
			badArgs("argument literal holds a NUL character")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw := testAnswer(func(a *answer) { a.Mappings = []answerMapping{c.mapping, testMapping("t4", "direct", "s2")} })
			got, err := testReader(t).Read(customerQuestion(), raw)
			if err != nil {
				t.Fatalf("Read: %v", err)
			}
			if diff := cmp.Diff([]analysis.Failure{c.want}, got.Rejected); diff != "" {
				t.Errorf("rejected (-want +got)\n%s", diff)
			}
			if len(got.Mappings) != 1 || got.Mappings[0].Target != "full_name" {
				t.Errorf("mappings %+v, want the good one to stay", got.Mappings)
			}
		})
	}
	t.Run("unmapped", func(t *testing.T) {
		t.Parallel()
		got, err := testReader(t).Read(customerQuestion(), testAnswer(func(a *answer) { a.Unmapped = []string{"s9", "s2"} }))
		if err != nil || len(got.Rejected) != 1 || !cmp.Equal(got.Unmapped, []int{1}) {
			t.Errorf("proposal %+v, error %v, want s9 rejected", got, err)
		}
	})
}

func TestReadRepair(t *testing.T) {
	t.Parallel()
	raw := testAnswer(func(a *answer) {
		a.Decision, a.Entity, a.SourceName, a.Reasoning = "create_new", "", "other", "Other."
		a.Mappings = []answerMapping{
			testMapping("t4", "direct", "s2"), // the failure
			testMapping("t3", "direct", "s1"), // was accepted, is not opened again
			testMapping("t5", "direct", "s3"), // the missing target
			testMapping("t1", "direct", "s2"), // another entity
		}
		a.Unmapped = []string{"s1", "s2"}
	})
	q := repairQuestion()
	got, err := testReader(t).Read(q, raw)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if got.Action != analysis.ActionMapToExisting || got.Entity != 1 {
		t.Errorf("decision %+v is not the pinned one", got)
	}
	if got.SourceName != "crm_contacts" || got.Reasoning != "Both are customers." {
		t.Errorf("texts %q and %q are not the pinned ones", got.SourceName, got.Reasoning)
	}
	var targets []string
	for _, m := range got.Mappings {
		targets = append(targets, m.Target)
	}
	if diff := cmp.Diff([]string{"full_name", "birth_date"}, targets); diff != "" {
		t.Errorf("targets (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]int{1}, got.Unmapped); diff != "" {
		t.Errorf("unmapped (-want +got)\n%s", diff)
	}
	if len(got.Rejected) != 1 {
		t.Errorf("rejected %+v, want the one of another entity", got.Rejected)
	}
	if diff := cmp.Diff(repairQuestion(), q); diff != "" {
		t.Errorf("Read changed the question (-want +got)\n%s", diff)
	}
}

func TestReadRepairOfNewEntity(t *testing.T) {
	t.Parallel()
	raw := testAnswer(func(a *answer) { a.Mappings = []answerMapping{testMapping("n2", "direct", "s2")} })
	got, err := testReader(t).Read(newEntityRepair(), raw)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if got.NewEntity == nil || got.NewEntity.Name != "Lead" || len(got.Mappings) != 1 || got.Mappings[0].Target != "name" {
		t.Errorf("proposal %+v, want name of the pinned Lead", got)
	}
	for _, proposal := range []analysis.Proposal{
		{Action: analysis.ActionMapToExisting, Entity: 9},
		{Action: analysis.ActionCreateNew, Entity: -1},
	} {
		q := repairQuestion()
		q.Repair.Proposal = proposal
		if _, err := testReader(t).Read(q, raw); analysis.ModelErrorOf(err) == nil {
			t.Errorf("Read with the pinned %+v: %v, want a ModelError", proposal, err)
		}
	}
}

// TestReadWide guards against anything quadratic in the number of fields.
func TestReadWide(t *testing.T) {
	t.Parallel()
	const n = 5_000
	var q analysis.Question
	entity := analysis.QuestionEntity{Name: "Wide"}
	a := answer{Decision: "map_to_existing", Entity: "e1", NewEntity: answerEntity{Fields: []answerField{}}, Unmapped: []string{}}
	for i := range n {
		name := fmt.Sprintf("field_%d", i)
		q.Source = append(q.Source, analysis.SourceField{Name: name})
		entity.Fields = append(entity.Fields, analysis.QuestionField{Name: name})
		a.Mappings = append(a.Mappings, testMapping(fmt.Sprintf("t%d", n-i), "direct", fmt.Sprintf("s%d", i+1)))
	}
	q.Entities = []analysis.QuestionEntity{entity}
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	got, err := testReader(t).Read(q, raw)
	if err != nil || len(got.Mappings) != n || got.Mappings[0].Target != "field_4999" {
		t.Errorf("%d mappings, error %v, want %d", len(got.Mappings), err, n)
	}
}

func TestEveryTypeOfTheAnswerIsDecoded(t *testing.T) {
	t.Parallel()
	object := map[string]any{}
	if err := json.Unmarshal([]byte(answerSchema), &object); err != nil {
		t.Fatal(err)
	}
	properties, ok := object["properties"].(map[string]any)
	if !ok || len(properties) != reflect.TypeFor[answer]().NumField() {
		t.Errorf("the schema has %d properties, the type %d", len(properties), reflect.TypeFor[answer]().NumField())
	}
}

// TestGoldenAnswers reads answers as models gave their form, and compares what comes out.
func TestGoldenAnswers(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(filepath.Join("testdata", "answer-*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden answers (%v)", err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		proposal, err := testReader(t).Read(customerQuestion(), raw)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		got, err := json.MarshalIndent(proposal, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, strings.TrimSuffix(filepath.Base(path), ".txt")+".json", append(got, '\n'))
	}
}
