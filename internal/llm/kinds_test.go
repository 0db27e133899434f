package llm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
)

// TestReadKeepsToWhatWasAsked has a model answer more than it was asked for.
func TestReadKeepsToWhatWasAsked(t *testing.T) {
	t.Parallel()
	entity, fields, newFields := wideQuestions()
	everything := testAnswer(func(a *answer) {
		a.Mappings = []answerMapping{testMapping("t4", "direct", "s1"), testMapping("t6", "direct", "s2")}
		a.NewEntity = answerEntity{Name: "Invented", Fields: []answerField{{Name: "x", Type: "string"}}}
	})
	t.Run("entity", func(t *testing.T) {
		t.Parallel()
		got, err := testReader(t).Read(entity, everything)
		want := analysis.Proposal{Action: analysis.ActionMapToExisting, Entity: 1, SourceName: "crm_contacts", Reasoning: "Both are customers."}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("proposal (-want +got)\n%s%v", diff, err)
		}
	})
	t.Run("fields", func(t *testing.T) {
		t.Parallel()
		got, err := testReader(t).Read(fields, everything) // which names e2, though only e1 was shown
		if err != nil {
			t.Fatal(err)
		}
		if got.Action != analysis.ActionMapToExisting || got.Entity != 0 || got.NewEntity != nil || got.SourceName != "" {
			t.Errorf("decision %q, entity %d, new entity %v; want the given one", got.Action, got.Entity, got.NewEntity)
		}
		if len(got.Mappings) != 1 || got.Mappings[0].Target != "email" {
			t.Errorf("mappings %+v, want the one to email", got.Mappings)
		}
		if len(got.Rejected) != 1 || got.Rejected[0].Code != analysis.CodeTargetTaken || got.Rejected[0].Target != "birth_date" {
			t.Errorf("rejected %+v, want the target that was taken", got.Rejected)
		}
	})
	t.Run("fields of a new entity", func(t *testing.T) {
		t.Parallel()
		got, err := testReader(t).Read(newFields, testAnswer(func(a *answer) {
			a.NewEntity = answerEntity{Name: "Invented", Fields: []answerField{{Name: "x", Type: "string"}}}
			a.Mappings = []answerMapping{testMapping("n2", "direct", "s2"), testMapping("n3", "direct", "s1")}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(newFields.Decision.NewEntity, got.NewEntity); diff != "" || got.Entity != -1 {
			t.Errorf("entity %d, new entity (-want +got)\n%s", got.Entity, diff)
		}
		if len(got.Mappings) != 1 || got.Mappings[0].Target != "full_name" || len(got.Rejected) != 1 {
			t.Errorf("mappings %+v, rejected %+v; want n2 as full_name, and n3 rejected", got.Mappings, got.Rejected)
		}
	})
	t.Run("fields of nothing", func(t *testing.T) {
		t.Parallel()
		q := fields
		q.Entities = nil
		if _, err := testReader(t).Read(q, everything); analysis.ModelErrorOf(err) == nil {
			t.Errorf("Read = %v, want a bad answer: nothing is decided", err)
		}
	})
	t.Run("new entity without a name", func(t *testing.T) {
		t.Parallel()
		_, err := testReader(t).Read(entity, testAnswer(func(a *answer) { a.Decision, a.Entity = "create_new", "" }))
		if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelBadAnswer {
			t.Errorf("Read = %v, want a bad answer", err)
		}
	})
}

// TestOneFormAndOnePrefix: a server compiles the schema of answers once, and keeps the
// start of the prompt, whatever is asked.
func TestOneFormAndOnePrefix(t *testing.T) {
	t.Parallel()
	entity, fields, newFields := wideQuestions()
	b := setup(t, nil)
	for _, q := range []analysis.Question{customerQuestion(), entity, fields, newFields, repairQuestion(), newEntityRepair()} {
		if _, err := b.Ask(testContext(t), q); err != nil {
			t.Fatal(err)
		}
	}
	requests := b.server.Requests()
	for i, r := range requests {
		if r.System != requests[0].System || r.Schema != requests[0].Schema || r.Schema == "" {
			t.Errorf("request %d has another system message or schema than the first", i)
		}
	}
}

func TestSimilarFieldsStandTogether(t *testing.T) {
	t.Parallel()
	names := []string{"billing_city", "created_at", "shippingCity", "vat", "updated.at", "Ort", "home-city2", "x1", "größe"}
	var q analysis.Question
	q.Entities = []analysis.QuestionEntity{{Name: "Address"}}
	for _, name := range names {
		q.Entities[0].Fields = append(q.Entities[0].Fields, analysis.QuestionField{Name: name, Type: "string"})
	}
	var order []string
	for line := range strings.Lines(userPrompt(q)) {
		if id, _, found := strings.Cut(line, " | "); found && id[0] == 't' {
			order = append(order, id)
		}
	}
	want := []string{"t1", "t3", "t7", "t2", "t5", "t4", "t6", "t8", "t9"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order of targets (-want +got)\n%s", diff)
	}
}
