package analysis_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// word is the n-th of 17,576 words that mean nothing and hold no number.
func word(prefix string, n int) string {
	return fmt.Sprintf("%s%c%c%c", prefix, 'a'+n/676%26, 'a'+n/26%26, 'a'+n%26)
}

// strange is a schema of n fields, and an entity whose fields have other names: only
// the model knows that the i-th goes to the i-th.
func strange(t testing.TB, n int) (schema.Schema, schema.Entity) {
	t.Helper()
	fields := make([]map[string]any, n)
	row := make(map[string]any, n)
	e := entity(70, "Plant")
	for i := range n {
		name := word("s", i) + "_" + word("x", i)
		fields[i] = map[string]any{"name": name, "type": "float"}
		row[name] = float64(i) + 0.5
		e.Fields = append(e.Fields, field("z"+word("q", 17575-i)+"_v"+word("w", 17575-i), "decimal"))
	}
	encodedFields, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	encodedRows, err := json.Marshal([]any{row})
	if err != nil {
		t.Fatal(err)
	}
	return bronze(t, string(encodedFields), string(encodedRows)), e
}

// knowing is a model that maps by truth, from names of sources to names of targets,
// inside the entity with the given id; 0 creates one of the name Plant.
func knowing(id int64, truth map[string]string) func(q analysis.Question) step {
	return func(q analysis.Question) step {
		p := analysis.Proposal{Action: analysis.ActionCreateNew, Entity: -1, NewEntity: &analysis.NewEntity{Name: "Plant"}, Reasoning: "it is a plant"}
		for i, e := range q.Entities {
			if e.ID == id {
				p.Action, p.Entity, p.NewEntity = analysis.ActionMapToExisting, i, nil
			}
		}
		if q.Ask == analysis.AskEntity {
			return step{proposal: p}
		}
		targets := map[string]bool{}
		if p.Entity >= 0 {
			for _, f := range q.Entities[p.Entity].Fields {
				targets[f.Name] = true
			}
		}
		for i, f := range q.Source {
			target := truth[f.Name]
			if p.NewEntity != nil && target != "" && !targets[target] {
				targets[target] = true
				p.NewEntity.Fields = append(p.NewEntity.Fields, field(target, "string"))
			}
			if !targets[target] {
				p.Unmapped = append(p.Unmapped, i)
				continue
			}
			p.Mappings = append(p.Mappings, direct(i, target))
		}
		return step{proposal: p}
	}
}

func strangeTruth(s schema.Schema, e schema.Entity) map[string]string {
	truth := map[string]string{}
	for i, f := range s.Fields {
		truth[f.Name] = e.Fields[i].Name
	}
	return truth
}

func kinds(asked []analysis.Question) map[string]int {
	count := map[string]int{}
	for _, q := range asked {
		kind := string(q.Ask)
		if q.Repair != nil {
			kind += " repair"
		}
		count[kind]++
	}
	return count
}

// TestHowOftenAModelIsAsked is the table of how many questions a schema costs.
func TestHowOftenAModelIsAsked(t *testing.T) {
	t.Parallel()
	customer := bronze(t, customerFields, customerRow)
	lookAlikes := shop()
	for i, name := range []string{"Lead", "Contact", "Supplier", "Employee"} {
		fields := slices.Clone(shop()[0].Fields)
		lookAlikes = append(lookAlikes, entity(int64(20+i), name, fields...))
	}
	large := shop()
	for i := range 300 {
		large[0].Fields = append(large[0].Fields, field(word("other", i), "string"))
	}
	odd, plant := strange(t, 150)
	tests := []struct {
		name     string
		schema   schema.Schema
		entities []schema.Entity
		want     map[string]int
	}{
		{"clear", customer, shop(), map[string]int{"": 1}},
		{"no entities", customer, nil, map[string]int{"": 1}},
		{"entities alike", customer, lookAlikes, map[string]int{"entity": 1, "fields": 1}},
		{"large entity", customer, large, map[string]int{"entity": 1, "fields": 1}},
		{"wide", odd, []schema.Entity{plant}, map[string]int{"entity": 1, "fields": 3}},
		{"wide and new", odd, nil, map[string]int{"entity": 1, "": 3}},
		{"wide, all names known", wide(t, 300, ""), []schema.Entity{wideEntity(300)}, map[string]int{"entity": 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id := int64(0)
			if len(tt.entities) > 0 {
				id = tt.entities[0].ID
			}
			b := oracle(t, analysis.Config{}, tt.entities, knowing(id, map[string]string{"mail": "email"}))
			result := b.analyze(t, tt.schema, nil)
			if diff := cmp.Diff(tt.want, kinds(b.model.asked)); diff != "" {
				t.Errorf("questions (-want +got):\n%s", diff)
			}
			if result.Recommendation.EntityID != id || result.Usage.Calls != len(b.model.asked) {
				t.Errorf("entity %d after %d calls", result.Recommendation.EntityID, result.Usage.Calls)
			}
		})
	}
}

// TestWideSchemaIsAskedInParts: the model's knowledge reaches every field, no
// question is too wide, and progress only goes forward.
func TestWideSchemaIsAskedInParts(t *testing.T) {
	t.Parallel()
	s, e := strange(t, 290)
	truth := strangeTruth(s, e)
	b := oracle(t, analysis.Config{}, append(shop(), e), knowing(e.ID, truth))
	result := b.analyze(t, s, nil)
	r := result.Recommendation
	// A part sees 120 fields of the entity, so it can not know all of them.
	if r.EntityID != e.ID || len(r.Mappings) < 100 || r.Engine != schema.EngineLLM || r.Reasoning != "it is a plant" {
		t.Errorf("entity %d, %d mappings, engine %s, reasoning %q", r.EntityID, len(r.Mappings), r.Engine, r.Reasoning)
	}
	filled := map[string]bool{}
	for _, m := range r.Mappings {
		if m.Target != truth[m.Sources[0]] && m.Engine == schema.EngineLLM || filled[m.Target] {
			t.Errorf("%s -> %s is not what the model said, or fills it twice", m.Sources[0], m.Target)
		}
		filled[m.Target] = true
	}
	seen := map[string]int{}
	for _, q := range b.model.asked {
		if len(q.Source) > 60 || len(q.Source) == 0 {
			t.Errorf("a question has %d fields", len(q.Source))
		}
		if q.Ask == analysis.AskEntity {
			if len(q.Source) != 40 || len(q.Entities) != 4 {
				t.Errorf("the entity is asked for with %d fields and %d entities, want 40 and 4", len(q.Source), len(q.Entities))
			}
			continue
		}
		if len(q.Entities) != 1 || q.Entities[0].ID != e.ID || q.Decision == nil || q.Decision.Parts != len(b.model.asked)-1 {
			t.Errorf("a part is about %d entities, decision %+v", len(q.Entities), q.Decision)
		}
		for _, f := range q.Source {
			seen[f.Name]++
		}
	}
	if len(seen) != 290 {
		t.Errorf("%d fields were asked about, want 290", len(seen))
	}
	checkProgress(t, b.recorder.reports)
}

// checkProgress: within a stage, progress never goes back, and never beyond its total.
func checkProgress(t *testing.T, reports []report) {
	t.Helper()
	order := []string{analysis.StageMatch, analysis.StageAsk, analysis.StageVerify}
	last := report{stage: analysis.StageMatch}
	for _, r := range reports {
		switch {
		case slices.Index(order, r.stage) < slices.Index(order, last.stage), r.done > r.total,
			r.stage == analysis.StageAsk && last.stage == r.stage && r.done < last.done:
			t.Errorf("progress went from %+v to %+v", last, r)
		}
		last = r
	}
}

func asks(reports []report) []report {
	return slices.DeleteFunc(slices.Clone(reports), func(r report) bool { return r.stage != analysis.StageAsk })
}

// TestResumePerPart: whatever number of answers an attempt saved before it was
// killed, the next one asks only what is missing and comes to the same result.
func TestResumePerPart(t *testing.T) {
	t.Parallel()
	s, e := strange(t, 290)
	for _, tt := range []struct {
		name     string
		entities []schema.Entity
		id       int64
	}{{"existing", append(shop(), e), e.ID}, {"new", shop(), 0}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := knowing(tt.id, strangeTruth(s, e))
			whole := oracle(t, analysis.Config{}, tt.entities, answer)
			want := whole.analyze(t, s, nil)
			all := len(whole.model.asked)
			if all < 6 {
				t.Fatalf("%d questions, want several parts", all)
			}
			for killed := 1; killed < all; killed++ {
				first := oracle(t, analysis.Config{}, tt.entities, answer)
				request := first.recorder.request(s, nil)
				save, saves := request.Save, 0
				gone := errors.New("the worker was killed")
				request.Save = func(ctx context.Context, checkpoint []byte, usage analysis.Usage) error {
					if saves == killed {
						return gone
					}
					saves++
					return save(ctx, checkpoint, usage)
				}
				if _, err := first.analyzer.Analyze(t.Context(), request); !errors.Is(err, gone) {
					t.Fatalf("error is %v, want that of Save", err)
				}
				second := oracle(t, analysis.Config{}, tt.entities, answer)
				got := second.analyze(t, s, first.recorder.saved[killed-1])
				if diff := cmp.Diff(want.Recommendation, got.Recommendation); diff != "" {
					t.Fatalf("killed after %d answers (-whole +resumed):\n%s", killed, diff)
				}
				if len(second.model.asked) != all-killed || got.Usage.CachedCalls != killed {
					t.Errorf("killed after %d of %d answers: %d asked again, %d from the checkpoint", killed, all, len(second.model.asked), got.Usage.CachedCalls)
				}
				checkProgress(t, second.recorder.reports)
				checkProgress(t, append(asks(first.recorder.reports), asks(second.recorder.reports)...))
			}
		})
	}
}

// TestGroupsAreAskedOnce: 400 questions of a form cost one line of a prompt.
func TestGroupsAreAskedOnce(t *testing.T) {
	t.Parallel()
	var fields, row []string
	e := entity(70, "Survey", field("respondent", "string"))
	truth := map[string]string{"resp": "respondent"}
	add := func(name, typ, value string) {
		fields = append(fields, fmt.Sprintf(`{"name":%q,"type":%q}`, name, typ))
		row = append(row, fmt.Sprintf("%q:%s", name, value))
	}
	add("resp", "string", `"anna"`)
	for i := 1; i <= 400; i++ {
		add(fmt.Sprintf("q_%03d", i), "float", fmt.Sprint(i))
		e.Fields = append(e.Fields, field(fmt.Sprintf("reply%d", i), "decimal"))
	}
	for i := 1; i <= 9; i++ {
		add(fmt.Sprintf("addr%d_l", i), "string", fmt.Sprintf(`"street %d"`, i))
		e.Fields = append(e.Fields, field(fmt.Sprintf("place_%02d_street", i), "string"))
	}
	truth["q_001"], truth["addr1_l"] = "reply1", "place_01_street"
	s := bronze(t, "["+strings.Join(fields, ",")+"]", "{"+strings.Join(row, ",")+"}")

	b := oracle(t, analysis.Config{}, []schema.Entity{e}, knowing(e.ID, truth))
	r := b.analyze(t, s, nil).Recommendation
	if got := kinds(b.model.asked); got["fields"] != 1 {
		t.Errorf("questions are %v, want one about fields", got)
	}
	want := maps.Clone(truth)
	for i := 1; i <= 400; i++ {
		want[fmt.Sprintf("q_%03d", i)] = fmt.Sprintf("reply%d", i)
	}
	for i := 1; i <= 9; i++ {
		want[fmt.Sprintf("addr%d_l", i)] = fmt.Sprintf("place_%02d_street", i)
	}
	got := map[string]string{}
	for _, m := range r.Mappings {
		got[m.Sources[0]] = m.Target
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}

	t.Run("what the model leaves alone stays unmapped", func(t *testing.T) {
		t.Parallel()
		b := oracle(t, analysis.Config{}, []schema.Entity{e}, knowing(e.ID, map[string]string{"resp": "respondent"}))
		if r := b.analyze(t, s, nil).Recommendation; len(r.Mappings) != 1 {
			t.Errorf("%d mappings, want the respondent alone", len(r.Mappings))
		}
	})
	t.Run("of a new entity", func(t *testing.T) {
		t.Parallel()
		b := oracle(t, analysis.Config{}, nil, knowing(0, truth))
		r := b.analyze(t, s, nil).Recommendation
		got := map[string]string{}
		for _, m := range r.Mappings {
			got[m.Sources[0]] = m.Target
		}
		if diff := cmp.Diff(want, got); diff != "" || len(r.Fields) != 410 || len(r.Unmapped) != 0 {
			t.Errorf("%d fields, %d unmapped, mappings (-want +got):\n%s", len(r.Fields), len(r.Unmapped), diff)
		}
	})
}

// TestQuestionsAreLimited: 5,000 fields cost at most 20 questions, failing ones
// included, and the result says that the rest was not asked about.
func TestQuestionsAreLimited(t *testing.T) {
	t.Parallel()
	s, e := strange(t, 5000)
	e.Fields = e.Fields[:500]
	truth := strangeTruth(schema.Schema{Fields: s.Fields[:500]}, e)
	for limit, id := range map[int]int64{3: e.ID, 20: 0} {
		b := oracle(t, analysis.Config{MaxQuestions: limit}, []schema.Entity{e}, func(q analysis.Question) step {
			got := knowing(id, truth)(q)
			if q.Ask != analysis.AskEntity && q.Repair == nil {
				got.proposal.Rejected = []analysis.Failure{{Sources: []int{0}, Code: "unknown_field"}}
			}
			return got
		})
		r := b.analyze(t, s, nil).Recommendation
		if n := len(b.model.asked); n != limit {
			t.Errorf("%d questions, want %d", n, limit)
		}
		if !slices.Contains(r.Review, analysis.ReviewBeyondLimit) || r.EntityID != id {
			t.Errorf("entity %d, review %v", r.EntityID, r.Review)
		}
		if id == 0 && len(r.Mappings) < 4700 {
			t.Errorf("%d of 5,000 fields have a place in the new entity", len(r.Mappings))
		}
	}
}

// TestModelGoesAway: answers that were under way are saved, and the error is the
// model's.
func TestModelGoesAway(t *testing.T) {
	t.Parallel()
	s, e := strange(t, 290)
	truth := strangeTruth(s, e)
	away := &analysis.ModelError{Kind: analysis.ModelUnavailable, Detail: "gone"}
	parts := 0
	answer := func(q analysis.Question) step {
		if q.Ask == analysis.AskFields {
			if parts++; parts == 2 {
				return step{err: away}
			}
		}
		return knowing(e.ID, truth)(q)
	}
	b := oracle(t, analysis.Config{}, []schema.Entity{e}, answer)
	_, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, nil))
	if got := analysis.ModelErrorOf(err); got == nil || got.Kind != analysis.ModelUnavailable {
		t.Fatalf("error is %v, want the model's", err)
	}
	if answered := len(b.model.asked) - 1; len(b.recorder.saved) != answered {
		t.Errorf("%d of %d answers were saved", len(b.recorder.saved), answered)
	}

	parts = 0
	b = oracle(t, analysis.Config{Fallback: analysis.FallbackOffline}, []schema.Entity{e}, answer)
	r := b.analyze(t, s, nil).Recommendation
	if !slices.Contains(r.Review, analysis.ReviewFallbackOffline) || r.Engine != schema.EngineLLM || len(r.Mappings) == 0 {
		t.Errorf("engine %s, %d mappings, review %v; want what was answered, and the fallback told", r.Engine, len(r.Mappings), r.Review)
	}
}

// TestPartWithoutAnAnswer: one part that a model refuses does not take the others
// with it; when it refuses all, that is the outcome.
func TestPartWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	s, e := strange(t, 290)
	truth := strangeTruth(s, e)
	for name, bad := range map[string]step{
		"refused":    {err: &analysis.ModelError{Kind: analysis.ModelRefused, Detail: "no"}},
		"unreadable": {unreadable: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, all := range []bool{false, true} {
				b := oracle(t, analysis.Config{}, []schema.Entity{e}, func(q analysis.Question) step {
					if q.Ask == analysis.AskFields && (all || q.Decision.Part == 2) {
						return bad
					}
					return knowing(e.ID, truth)(q)
				})
				result, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, nil))
				if all {
					if analysis.ModelErrorOf(err) == nil {
						t.Errorf("error is %v, want the model's", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if r := result.Recommendation; !slices.Contains(r.Review, analysis.ReviewPartUnanswered) || len(r.Mappings) < 50 {
					t.Errorf("%d mappings, review %v", len(r.Mappings), r.Review)
				}
			}
		})
	}
}

// TestPanicInAPart reaches the caller, who can recover it; the worker lives.
func TestPanicInAPart(t *testing.T) {
	t.Parallel()
	s, e := strange(t, 290)
	b := oracle(t, analysis.Config{}, []schema.Entity{e}, func(q analysis.Question) step {
		if q.Ask == analysis.AskFields {
			panic("a defect")
		}
		return knowing(e.ID, nil)(q)
	})
	defer func() {
		if v := recover(); v != "a defect" {
			t.Errorf("recovered %v, want the panic of the part", v)
		}
	}()
	_, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, nil))
	t.Errorf("error is %v, want a panic", err)
}

// TestPartsShareTheTargets: two parts that want the same target can not both have it,
// and who loses it gets the next best.
func TestPartsShareTheTargets(t *testing.T) {
	t.Parallel()
	s, e := strange(t, 130)
	s.Fields[0].Name, s.Fields[129].Name = "main_rate_k", "billing_rate_k"
	e.Fields = append(e.Fields, field("main_rate_j", "decimal"), field("billing_rates_k", "decimal"))
	truth := map[string]string{"main_rate_k": "main_rate_j", "billing_rate_k": "main_rate_j"}
	b := oracle(t, analysis.Config{}, []schema.Entity{e}, knowing(e.ID, truth))
	r := b.analyze(t, s, nil).Recommendation
	got := map[string]string{}
	for _, m := range r.Mappings {
		got[m.Sources[0]] = m.Target
	}
	want := map[string]string{"main_rate_k": "main_rate_j", "billing_rate_k": "billing_rates_k"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
}

// TestOldCheckpointIsContinued: what the version before paid for is not paid again.
func TestOldCheckpointIsContinued(t *testing.T) {
	t.Parallel()
	s := bronze(t, customerFields, customerRow)
	first := setup(t, analysis.Config{}, shop(), step{proposal: goodProposal()})
	want := first.analyze(t, s, nil)
	old := []byte(strings.Replace(string(first.recorder.saved[0]), `"v":2`, `"v":1`, 1))
	second := setup(t, analysis.Config{}, shop(), step{err: errors.New("must not be asked")})
	if diff := cmp.Diff(want.Recommendation, second.analyze(t, s, old).Recommendation); diff != "" {
		t.Errorf("recommendation (-first +resumed):\n%s", diff)
	}
}

// TestAnyAnswersInPartsGiveVerifiedResults is promise P7 for wide schemas.
func TestAnyAnswersInPartsGiveVerifiedResults(t *testing.T) {
	t.Parallel()
	s, e := strange(t, 70)
	rapid.Check(t, func(rt *rapid.T) {
		entities := append(shop(), e)
		steps := make([]step, 20)
		for i := range steps {
			steps[i].proposal = madProposal(rt)
			if i > 0 && rapid.Bool().Draw(rt, "sane") {
				steps[i].proposal.Action, steps[i].proposal.Entity = analysis.ActionMapToExisting, 0
			}
		}
		b := setup(t, analysis.Config{}, entities, steps...)
		result, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, nil))
		if err != nil {
			if analysis.ModelErrorOf(err) == nil {
				rt.Fatalf("error is %v, want none or the model's", err)
			}
			return
		}
		checkVerified(rt, s, entities, result.Recommendation)
	})
}
