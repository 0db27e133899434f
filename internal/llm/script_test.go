package llm

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/schema"
)

// TestAnswersOfTheScriptedModel fixes what other packages rely on when they script
// answers: what each of them looks like once it is read.
func TestAnswersOfTheScriptedModel(t *testing.T) {
	t.Parallel()
	type seen struct {
		Action   analysis.Action
		Targets  []string
		Ops      []schema.Op
		Rejected int
	}
	equal := seen{analysis.ActionMapToExisting, []string{"email", "full_name"}, []schema.Op{"direct", "direct"}, 0}
	invented, duplicate, formula := equal, equal, equal
	invented.Rejected = 3
	duplicate.Targets = []string{"email", "email"}
	formula.Ops = []schema.Op{"formula", "direct"}
	foreign := customerQuestion()
	foreign.Entities = foreign.Entities[:1]
	entity, fields, newFields := wideQuestions()
	foreignEntity := foreign
	foreignEntity.Ask = analysis.AskEntity
	created := seen{analysis.ActionCreateNew, []string{"email", "full_name", "e_mail_opt_in"}, []schema.Op{"direct", "direct", "direct"}, 0}
	for _, c := range []struct {
		name string
		step llmtest.Step
		q    analysis.Question
		want seen
	}{
		{"good", llmtest.Good(), customerQuestion(), equal},
		{"fenced", llmtest.Fenced(), customerQuestion(), equal},
		{"invented ids", llmtest.InventedIDs(), customerQuestion(), invented},
		{"duplicate targets", llmtest.DuplicateTargets(), customerQuestion(), duplicate},
		{"bad formula", llmtest.BadFormula(), customerQuestion(), formula},
		{"no entity fits", llmtest.Good(), foreign, created},
		{"repair", llmtest.Good(), repairQuestion(), seen{analysis.ActionMapToExisting, []string{"full_name"}, []schema.Op{"direct"}, 0}},
		{"repair of a new entity", llmtest.Good(), newEntityRepair(), seen{Action: analysis.ActionCreateNew}},
		{"entity alone", llmtest.Good(), entity, seen{Action: analysis.ActionMapToExisting}},
		{"new entity alone", llmtest.Good(), foreignEntity, seen{Action: analysis.ActionCreateNew}},
		{"fields alone", llmtest.Good(), fields, equal},
		{"fields of a new entity alone", llmtest.Good(), newFields, seen{analysis.ActionCreateNew, []string{"email", "full_name"}, []schema.Op{"direct", "direct"}, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, c.step)
			answer, err := b.Ask(testContext(t), c.q)
			if err != nil {
				t.Fatalf("Ask: %v", err)
			}
			proposal, err := b.Read(c.q, answer.Raw)
			if err != nil {
				t.Fatalf("Read: %v\n%s", err, answer.Raw)
			}
			got := seen{Action: proposal.Action, Rejected: len(proposal.Rejected)}
			for _, m := range proposal.Mappings {
				got.Targets, got.Ops = append(got.Targets, m.Target), append(got.Ops, m.Op)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("proposal (-want +got)\n%s", diff)
			}
			if want := asks(c.q); b.server.Last().Asks() != want {
				t.Errorf("the server was asked for %q, want %q", b.server.Last().Asks(), want)
			}
		})
	}
}

func asks(q analysis.Question) llmtest.Kind {
	switch {
	case q.Repair != nil:
		return llmtest.AsksRepair
	case q.Ask == analysis.AskBoth:
		return llmtest.AsksBoth
	}
	return llmtest.Kind(q.Ask)
}
