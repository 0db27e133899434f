package analysis_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/schema"
)

// The source fields of customerFields by their index in the question.
const (
	custID = iota
	fname
	lname
	mail
	mobile
	dob
)

func direct(source int, target string) analysis.Proposed {
	return analysis.Proposed{Sources: []int{source}, Target: target, Op: schema.OpDirect, Band: analysis.BandHigh, Why: "same meaning"}
}

// goodProposal maps the customer schema onto Customer, the first entity of the
// question.
func goodProposal() analysis.Proposal {
	return analysis.Proposal{
		Action: analysis.ActionMapToExisting, Entity: 0, SourceName: "CRM Contacts", Reasoning: "Rows of people who buy.",
		Mappings: []analysis.Proposed{
			direct(custID, "customer_id"), direct(fname, "first_name"), direct(lname, "last_name"),
			direct(mail, "email"), direct(mobile, "phone"),
		},
		Unmapped: []int{dob},
	}
}

func TestModelDecides(t *testing.T) {
	t.Parallel()
	b := setup(t, analysis.Config{}, shop(), step{proposal: goodProposal()})
	result := b.analyze(t, bronze(t, customerFields, customerRow), nil)
	r := result.Recommendation
	want := []string{"cust_id -> customer_id", "fname -> first_name", "lname -> last_name", "mail -> email", "mobile_1 -> phone"}
	if diff := cmp.Diff(want, pairsOf(r)); diff != "" {
		t.Errorf("mappings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"dob -> : no_target"}, gapsOf(r)); diff != "" {
		t.Errorf("what the model leaves alone stays unmapped (-want +got):\n%s", diff)
	}
	if r.EntityID != 11 || r.Engine != schema.EngineLLM || r.Model != "fake-1" || r.SourceName != "crm_contacts" || r.Reasoning != "Rows of people who buy." {
		t.Errorf("recommendation is %+v", r)
	}
	for _, m := range r.Mappings {
		if m.Engine != schema.EngineLLM || m.Confidence < 0.9 || m.Confidence >= 1 || m.Why != "same meaning" || m.Review != "" {
			t.Errorf("mapping is %+v, want a sure one of the model", m)
		}
	}
	if len(r.Review) != 0 {
		t.Errorf("review is %v, want none", r.Review)
	}
	wantUsage := analysis.Usage{Calls: 1, PromptTokens: 100, CompletionTokens: 20}
	if diff := cmp.Diff(wantUsage, result.Usage); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantUsage, b.recorder.usage); diff != "" {
		t.Errorf("saved usage (-want +got):\n%s", diff)
	}
}

// TestCheckpoint: what was paid for is not paid for again, and nothing of an earlier
// attempt is used where it does not belong.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	s := bronze(t, customerFields, customerRow)
	first := setup(t, analysis.Config{}, shop(), step{proposal: goodProposal()})
	want := first.analyze(t, s, nil).Recommendation
	checkpoint := first.recorder.saved[0]

	t.Run("is used", func(t *testing.T) {
		t.Parallel()
		b := setup(t, analysis.Config{}, shop(), step{err: errors.New("must not be asked")})
		result := b.analyze(t, s, checkpoint)
		if diff := cmp.Diff(want, result.Recommendation); diff != "" {
			t.Errorf("recommendation (-first +resumed):\n%s", diff)
		}
		if len(b.model.asked) != 0 || len(b.recorder.saved) != 0 {
			t.Errorf("%d questions, %d checkpoints; want none", len(b.model.asked), len(b.recorder.saved))
		}
		if diff := cmp.Diff(analysis.Usage{CachedCalls: 1}, result.Usage); diff != "" {
			t.Errorf("usage (-want +got):\n%s", diff)
		}
	})

	changed := bronze(t, strings.Replace(customerFields, `"name":"dob"`, `"name":"born"`, 1), customerRow)
	retyped := bronze(t, strings.Replace(customerFields, `"type":"date"`, `"type":"string"`, 1), customerRow)
	wider := bronze(t, strings.Replace(customerFields, `[`, `[{"name":"vip","type":"boolean"},`, 1), customerRow)
	foreign, foreignShop := s, shop()
	foreign.TenantID = "somebody-else"
	for i := range foreignShop {
		foreignShop[i].TenantID = foreign.TenantID
	}
	var parts map[string]any
	if err := json.Unmarshal(checkpoint, &parts); err != nil {
		t.Fatal(err)
	}
	parts["v"] = 99
	future, err := json.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name       string
		schema     schema.Schema
		entities   []schema.Entity
		checkpoint []byte
	}{
		{"other fields", changed, shop(), checkpoint},
		{"other type", retyped, shop(), checkpoint},
		{"another field", wider, shop(), checkpoint},
		{"other tenant", foreign, foreignShop, checkpoint},
		{"other version", s, shop(), future},
		{"not JSON", s, shop(), []byte("{")},
		{"entity gone", s, shop()[1:], checkpoint},
		{"answer can not be read", s, shop(), []byte(strings.Replace(string(checkpoint), `"answer":"`, `"answer":"AAAA`, 1))},
	}
	for _, tt := range tests {
		t.Run(tt.name+" is asked again", func(t *testing.T) {
			t.Parallel()
			b := setup(t, analysis.Config{}, tt.entities, step{proposal: analysis.Proposal{Action: analysis.ActionCreateNew, Entity: -1}})
			result := b.analyze(t, tt.schema, tt.checkpoint)
			if len(b.model.asked) != 1 || result.Usage.Calls != 1 || result.Usage.CachedCalls != 0 {
				t.Errorf("%d questions, usage %+v; want a new question", len(b.model.asked), result.Usage)
			}
		})
	}
}

func TestAnswerIsSavedBeforeItIsRead(t *testing.T) {
	t.Parallel()
	b := setup(t, analysis.Config{}, shop(), step{proposal: goodProposal()})
	b.recorder.saveErr = errors.New("the claim is lost")
	_, err := b.analyzer.Analyze(t.Context(), b.recorder.request(bronze(t, customerFields, customerRow), nil))
	if !errors.Is(err, b.recorder.saveErr) {
		t.Errorf("error is %v, want the one of Save", err)
	}
	if b.model.read != 0 {
		t.Error("the answer was read although it could not be saved")
	}
}

// A refusal is paid like an answer, and the next attempt starts where this one did.
func TestFailedQuestionIsCharged(t *testing.T) {
	t.Parallel()
	cost := analysis.Usage{Calls: 2, PromptTokens: 70, CompletionTokens: 5}
	away := &analysis.ModelError{Kind: analysis.ModelUnavailable, Detail: "cut off"}
	b := setup(t, analysis.Config{}, shop(), step{err: away, cost: cost}, step{proposal: goodProposal()})
	s := bronze(t, customerFields, customerRow)
	if _, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, nil)); !errors.Is(err, away) {
		t.Fatalf("error is %v, want the model's", err)
	}
	if diff := cmp.Diff(cost, b.recorder.usage); diff != "" || len(b.recorder.saved) != 1 {
		t.Fatalf("%d checkpoints, usage (-want +got):\n%s", len(b.recorder.saved), diff)
	}
	b.analyze(t, s, b.recorder.saved[0])
	if len(b.model.asked) != 2 || b.recorder.usage.Calls != 3 {
		t.Errorf("%d questions, %d calls counted; want 2 and 3", len(b.model.asked), b.recorder.usage.Calls)
	}
}

func TestModelErrorsAreReturnedAsTheyAre(t *testing.T) {
	t.Parallel()
	s := bronze(t, customerFields, customerRow)
	refused := &analysis.ModelError{Kind: analysis.ModelRefused, Detail: "no"}
	tests := []struct {
		name string
		step step
		kind analysis.ModelErrorKind
	}{
		{"refusal", step{err: refused}, analysis.ModelRefused},
		{"unreadable answer", step{unreadable: true}, analysis.ModelBadAnswer},
		{"invented entity", step{proposal: analysis.Proposal{Action: analysis.ActionMapToExisting, Entity: 9}}, analysis.ModelBadAnswer},
		{"negative entity", step{proposal: analysis.Proposal{Action: analysis.ActionMapToExisting, Entity: -1}}, analysis.ModelBadAnswer},
		{"invented action", step{proposal: analysis.Proposal{Action: "drop_table"}}, analysis.ModelBadAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, analysis.Config{}, shop(), tt.step)
			_, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, nil))
			got, ok := err.(*analysis.ModelError) //nolint:errorlint // "as it is" means not wrapped
			if !ok || got.Kind != tt.kind {
				t.Errorf("error is %#v, want a *ModelError of kind %s", err, tt.kind)
			}
		})
		t.Run(tt.name+" with fallback", func(t *testing.T) {
			t.Parallel()
			b := setup(t, analysis.Config{Fallback: analysis.FallbackOffline}, shop(), tt.step)
			r := b.analyze(t, s, nil).Recommendation
			if r.Engine != schema.EngineOffline || r.Model != "" || !slices.Contains(r.Review, analysis.ReviewFallbackOffline) {
				t.Errorf("engine %q, model %q, review %v; want an offline result that says so", r.Engine, r.Model, r.Review)
			}
		})
	}
	t.Run("fallback is no cure for a lost claim", func(t *testing.T) {
		t.Parallel()
		b := setup(t, analysis.Config{Fallback: analysis.FallbackOffline}, shop(), step{proposal: goodProposal()})
		b.recorder.saveErr = errors.New("the claim is lost")
		if _, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, nil)); !errors.Is(err, b.recorder.saveErr) {
			t.Errorf("error is %v, want the one of Save", err)
		}
	})
}

// badMail replaces the mapping of mail with one that does not work.
func badMail(bad analysis.Proposed) analysis.Proposal {
	p := goodProposal()
	p.Mappings[3] = bad
	return p
}

func TestRepair(t *testing.T) {
	t.Parallel()
	s := bronze(t, customerFields, customerRow)
	broken := analysis.Proposed{
		Sources: []int{mail}, Target: "email", Op: schema.OpFormula,
		Args: formula.Args{Formula: "$lowercase(("}, Band: analysis.BandHigh,
	}
	mended := analysis.Proposed{
		Sources: []int{mail}, Target: "email", Op: schema.OpFormula,
		Args: formula.Args{Formula: "$lowercase(mail)"}, Band: analysis.BandHigh,
	}

	t.Run("mends what failed and nothing else", func(t *testing.T) {
		t.Parallel()
		b := setup(t, analysis.Config{}, shop(), step{proposal: badMail(broken)}, step{proposal: analysis.Proposal{
			Mappings: []analysis.Proposed{mended, direct(fname, "last_name"), direct(dob, "birth_date")},
		}})
		result := b.analyze(t, s, nil)
		want := []string{"cust_id -> customer_id", "fname -> first_name", "lname -> last_name", "mail -> email (formula)", "mobile_1 -> phone"}
		if diff := cmp.Diff(want, pairsOf(result.Recommendation)); diff != "" {
			t.Errorf("mappings (-want +got):\n%s", diff)
		}
		q := b.model.asked[1]
		if q.Repair == nil || len(q.Repair.Failures) != 1 {
			t.Fatalf("second question is %+v, want one failure in it", q.Repair)
		}
		f := q.Repair.Failures[0]
		if !slices.Equal(f.Sources, []int{mail}) || f.Target != "email" || f.Code != analysis.CodeFormulaFailed || f.Detail == "" {
			t.Errorf("failure is %+v", f)
		}
		if len(b.recorder.saved) != 2 || result.Usage.Calls != 2 {
			t.Errorf("%d checkpoints, usage %+v; want two of each", len(b.recorder.saved), result.Usage)
		}

		resumed := setup(t, analysis.Config{}, shop(), step{err: errors.New("must not be asked")})
		again := resumed.analyze(t, s, b.recorder.saved[1])
		if diff := cmp.Diff(result.Recommendation, again.Recommendation); diff != "" {
			t.Errorf("recommendation (-first +resumed):\n%s", diff)
		}
	})

	t.Run("is asked after a crash between both questions", func(t *testing.T) {
		t.Parallel()
		b := setup(t, analysis.Config{}, shop(), step{proposal: badMail(broken)}, step{err: &analysis.ModelError{Kind: analysis.ModelUnavailable}})
		if _, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, nil)); analysis.ModelErrorOf(err) == nil {
			t.Fatalf("error is %v, want the model's: it is away, not at its end", err)
		}
		resumed := setup(t, analysis.Config{}, shop(), step{proposal: analysis.Proposal{Mappings: []analysis.Proposed{mended}}})
		result := resumed.analyze(t, s, b.recorder.saved[0])
		if !slices.Contains(pairsOf(result.Recommendation), "mail -> email (formula)") {
			t.Errorf("mappings are %v, want the mended one among them", pairsOf(result.Recommendation))
		}
		if diff := cmp.Diff(analysis.Usage{Calls: 1, CachedCalls: 1, PromptTokens: 100, CompletionTokens: 20}, result.Usage); diff != "" {
			t.Errorf("usage (-want +got):\n%s", diff)
		}
	})

	for name, second := range map[string]step{
		"fails again": {proposal: analysis.Proposal{Mappings: []analysis.Proposed{broken}}},
		"refused":     {err: &analysis.ModelError{Kind: analysis.ModelRefused}},
		"unreadable":  {unreadable: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, analysis.Config{}, shop(), step{proposal: badMail(broken)}, second)
			r := b.analyze(t, s, nil).Recommendation
			// The matcher is sure enough about mail -> email to step in, visibly.
			i := slices.IndexFunc(r.Mappings, func(m schema.Mapping) bool { return m.Target == "email" })
			if i < 0 || r.Mappings[i].Engine != schema.EngineOffline || r.Mappings[i].Confidence > 0.75 {
				t.Errorf("mappings are %+v, want an offline one for email", r.Mappings)
			}
			if len(b.model.asked) != 2 {
				t.Errorf("%d questions, want at most one repair", len(b.model.asked))
			}
		})
	}
}

func TestVerification(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		proposed analysis.Proposed
		code     string // of the failure in the repair question
	}{
		{"invented target", direct(dob, "birthday"), analysis.CodeUnknownField},
		{"invented source", direct(40, "birth_date"), analysis.CodeUnknownField},
		{"negative source", direct(-1, "birth_date"), analysis.CodeUnknownField},
		{"two sources", analysis.Proposed{Sources: []int{dob, fname}, Target: "birth_date", Op: schema.OpDirect}, analysis.CodeFormulaFailed},
		{"no source", analysis.Proposed{Target: "birth_date", Op: schema.OpFormula, Args: formula.Args{Formula: `"x"`}}, analysis.CodeFormulaFailed},
		{"unknown operation", analysis.Proposed{Sources: []int{dob}, Target: "birth_date", Op: "eval"}, analysis.CodeFormulaFailed},
		{"types", direct(custID, "birth_date"), analysis.CodeTypeMismatch},
		{
			"another field in the formula",
			analysis.Proposed{Sources: []int{dob}, Target: "city", Op: schema.OpFormula, Args: formula.Args{Formula: "fname"}},
			analysis.CodeUnknownField,
		},
		{
			"dangerous formula",
			analysis.Proposed{Sources: []int{dob}, Target: "city", Op: schema.OpFormula, Args: formula.Args{Formula: `$eval("dob")`}},
			analysis.CodeFormulaFailed,
		},
		{
			"result of a wrong type",
			analysis.Proposed{Sources: []int{fname}, Target: "birth_date", Op: schema.OpFormula, Args: formula.Args{Formula: "$length(fname) > 3"}},
			analysis.CodeTypeMismatch,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := analysis.Proposal{Action: analysis.ActionMapToExisting, Entity: 0, Mappings: []analysis.Proposed{direct(mail, "email"), tt.proposed}}
			b := setup(t, analysis.Config{}, shop(), step{proposal: p}, step{proposal: analysis.Proposal{}})
			r := b.analyze(t, bronze(t, customerFields, customerRow), nil).Recommendation
			if len(b.model.asked) != 2 {
				t.Fatalf("%d questions, want a repair", len(b.model.asked))
			}
			failures := b.model.asked[1].Repair.Failures
			if len(failures) != 1 || failures[0].Code != tt.code {
				t.Errorf("failures are %+v, want one of %s", failures, tt.code)
			}
			for _, m := range r.Mappings {
				if m.Engine == schema.EngineLLM && m.Target != "email" {
					t.Errorf("mapping %+v passed", m)
				}
			}
		})
	}
}

func TestOneOwnerPerTarget(t *testing.T) {
	t.Parallel()
	p := analysis.Proposal{Action: analysis.ActionMapToExisting, Entity: 0, Mappings: []analysis.Proposed{
		{Sources: []int{fname}, Target: "email", Op: schema.OpDirect, Band: analysis.BandLow},
		direct(mail, "email"),
	}}
	b := setup(t, analysis.Config{}, shop(), step{proposal: p})
	r := b.analyze(t, bronze(t, customerFields, customerRow), nil).Recommendation
	if !slices.Contains(pairsOf(r), "mail -> email") || !slices.Contains(gapsOf(r), "fname -> email: target_taken") {
		t.Errorf("mappings %v, unmapped %v", pairsOf(r), gapsOf(r))
	}
}

func TestRejectedItemsAreRepaired(t *testing.T) {
	t.Parallel()
	p := goodProposal()
	p.Rejected = []analysis.Failure{{Sources: []int{dob, 77}, Target: "t99", Code: "unknown_field", Detail: "t99 is not in the question"}}
	b := setup(t, analysis.Config{}, shop(), step{proposal: p},
		step{proposal: analysis.Proposal{Mappings: []analysis.Proposed{direct(dob, "birth_date")}}})
	r := b.analyze(t, bronze(t, customerFields, customerRow), nil).Recommendation
	if !slices.Contains(pairsOf(r), "dob -> birth_date") {
		t.Errorf("mappings are %v, want the mended one among them", pairsOf(r))
	}
	if len(b.model.asked[1].Repair.Proposal.Rejected) != 0 {
		t.Error("the rejected items were sent twice")
	}
}

func TestModelCreatesEntity(t *testing.T) {
	t.Parallel()
	created := func(name string) analysis.Proposal {
		return analysis.Proposal{
			Action: analysis.ActionCreateNew, Entity: -1,
			NewEntity: &analysis.NewEntity{Name: name, Fields: []schema.Field{
				required("Person ID", "float"), field("fullName", "text"), field("eMail", "email"),
				field("fullName", "string"), required("source_system", "string"), field("notes", "string"),
			}},
			Mappings: []analysis.Proposed{
				direct(custID, "Person ID"),
				{Sources: []int{fname, lname}, Target: "fullName", Op: schema.OpCombine, Args: formula.Args{Separator: " "}, Band: analysis.BandHigh},
				direct(mail, "eMail"),
				{Sources: []int{}, Target: "source_system", Op: schema.OpConstant, Args: formula.Args{Literal: "crm"}, Band: analysis.BandHigh},
			},
		}
	}
	tests := []struct {
		name, proposed, want string
		review               []string
	}{
		{"clean name", "Person", "Person", nil},
		{"plural with blanks", "key accounts", "KeyAccount", nil},
		{"junk", "DataEntity", "Person", nil},
		{"name taken", "customers", "Customer2", []string{analysis.ReviewNearDuplicate}},
		{"hostile", "Per\x00son\u202e<script>", "PersonScript", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, analysis.Config{}, shop()[1:], step{proposal: created(tt.proposed)})
			if tt.want == "Customer2" {
				b = setup(t, analysis.Config{}, []schema.Entity{entity(9, "Customer", field("loyalty", "string"))}, step{proposal: created(tt.proposed)})
			}
			s := bronze(t, customerFields, customerRow)
			if tt.name == "junk" {
				s.Name = "export/persons.csv"
			}
			r := b.analyze(t, s, nil).Recommendation
			if r.EntityName != tt.want {
				t.Errorf("entity is named %q, want %q", r.EntityName, tt.want)
			}
			wantFields := []schema.Field{
				{Name: "person_id", Type: "decimal", Required: true}, {Name: "full_name", Type: "string"}, {Name: "e_mail", Type: "string", Format: "email"},
				{Name: "source_system", Type: "string", Required: true}, {Name: "notes", Type: "string"},
			}
			if diff := cmp.Diff(wantFields, r.Fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			want := []string{"cust_id -> person_id", "fname+lname -> full_name (combine)", "mail -> e_mail", " -> source_system (constant)"}
			if diff := cmp.Diff(want, pairsOf(r)); diff != "" {
				t.Errorf("mappings (-want +got):\n%s", diff)
			}
			if r.Mappings[3].Review != analysis.ReviewMappingConstant || r.Mappings[3].Formula != `"crm"` {
				t.Errorf("constant is %+v, want it in review", r.Mappings[3])
			}
			if diff := cmp.Diff(tt.review, r.Review); diff != "" {
				t.Errorf("review (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNearDuplicate: the model creates what exists under another name.
func TestNearDuplicate(t *testing.T) {
	t.Parallel()
	p := analysis.Proposal{Action: analysis.ActionCreateNew, Entity: -1, NewEntity: &analysis.NewEntity{Name: "Shopper", Fields: shop()[0].Fields},
		Mappings: []analysis.Proposed{direct(mail, "email"), direct(custID, "customer_id")}}
	b := setup(t, analysis.Config{}, shop(), step{proposal: p})
	r := b.analyze(t, bronze(t, customerFields, customerRow), nil).Recommendation
	if r.Action != analysis.ActionCreateNew || !slices.Contains(r.Review, analysis.ReviewNearDuplicate) {
		t.Errorf("action %s, review %v; want create_new in review", r.Action, r.Review)
	}
}

// TestNothingToMendCostsNoCall: a failure that names neither a source nor a target
// says nothing that a second answer could do better.
func TestNothingToMendCostsNoCall(t *testing.T) {
	t.Parallel()
	p := goodProposal()
	p.Rejected = []analysis.Failure{{Code: analysis.CodeUnknownField, Detail: "unmapped names s99"}, {Sources: []int{77}}}
	p.Mappings = append(p.Mappings, analysis.Proposed{Op: schema.OpConstant, Args: formula.Args{Literal: "red"}})
	b := setup(t, analysis.Config{}, shop(), step{proposal: p})
	r := b.analyze(t, bronze(t, customerFields, customerRow), nil).Recommendation
	if len(b.model.asked) != 1 || len(r.Mappings) != len(goodProposal().Mappings) || len(r.Review) != 0 {
		t.Errorf("%d questions, %d mappings, review %v; want one question and the good mappings", len(b.model.asked), len(r.Mappings), r.Review)
	}
}

// TestModelLeavesTheFormatOut: a direct mapping of dates that have to be converted
// costs no second question, unless day and month could change places.
func TestModelLeavesTheFormatOut(t *testing.T) {
	t.Parallel()
	converted := analysis.Proposed{
		Sources: []int{dob}, Target: "birth_date", Op: schema.OpFormatConversion, Args: formula.Args{InFormat: "MM/DD/YYYY"}, Band: analysis.BandHigh,
	}
	for _, tt := range []struct {
		date, review string
		questions    int
	}{
		{"27.02.1990", "", 1},
		{"02/27/1990", "", 1},
		{"02/03/1990", analysis.ReviewMappingAmbiguous, 2},
	} {
		p := goodProposal()
		p.Mappings, p.Unmapped = append(p.Mappings, direct(dob, "birth_date")), nil
		b := setup(t, analysis.Config{}, shop(), step{proposal: p}, step{proposal: analysis.Proposal{Mappings: []analysis.Proposed{converted}}})
		r := b.analyze(t, bronze(t, customerFields, strings.Replace(customerRow, "1990-02-03", tt.date, 1)), nil).Recommendation
		if pairs := pairsOf(r); !slices.Contains(pairs, "dob -> birth_date (format_conversion)") || len(b.model.asked) != tt.questions {
			t.Errorf("%s: mappings %v after %d questions, want a conversion after %d", tt.date, pairs, len(b.model.asked), tt.questions)
			continue
		}
		if m := r.Mappings[len(r.Mappings)-1]; m.Engine != schema.EngineLLM || m.Review != tt.review {
			t.Errorf("%s: mapping is %+v, want review %q", tt.date, m, tt.review)
		}
	}
}
