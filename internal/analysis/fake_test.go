package analysis_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

const tenant = "a0000001-5eed-4000-8000-000000000002"

// catalog is the entities of a tenant in memory.
type catalog struct {
	entities []schema.Entity
	err      error
}

func (c *catalog) EntityVersion(context.Context, string) (string, error) { return "", c.err }

func (c *catalog) Entities(context.Context, string) ([]schema.Entity, error) {
	return c.entities, c.err
}

// model is a language model that follows a script, one step a question, or that
// answers every question by itself.
type model struct {
	steps  []step
	answer func(q analysis.Question) step

	mu    sync.Mutex
	asked []analysis.Question
	read  int
}

// step is one answer, or the error instead of it, and what that costs. unreadable makes
// Read fail.
type step struct {
	proposal   analysis.Proposal
	err        error
	cost       analysis.Usage
	unreadable bool
}

// scripted is what the fake puts into Answer.Raw, so that Read is pure.
type scripted struct {
	Proposal   analysis.Proposal
	Unreadable bool
}

func (m *model) Name() string { return "fake-1" }

func (m *model) Ask(ctx context.Context, q analysis.Question) (analysis.Answer, error) {
	if err := ctx.Err(); err != nil {
		return analysis.Answer{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, q)
	if m.answer != nil {
		return m.answer(q).give()
	}
	if len(m.asked) > len(m.steps) {
		return analysis.Answer{}, &analysis.ModelError{Kind: analysis.ModelUnavailable, Detail: "the script is over"}
	}
	return m.steps[len(m.asked)-1].give()
}

func (s step) give() (analysis.Answer, error) {
	if s.err != nil {
		return analysis.Answer{Usage: s.cost}, s.err
	}
	raw, err := json.Marshal(scripted{Proposal: s.proposal, Unreadable: s.unreadable})
	return analysis.Answer{Raw: raw, Usage: analysis.Usage{Calls: 1, PromptTokens: 100, CompletionTokens: 20}}, err
}

func (m *model) Read(_ analysis.Question, raw []byte) (analysis.Proposal, error) {
	m.mu.Lock()
	m.read++
	m.mu.Unlock()
	var s scripted
	if err := json.Unmarshal(raw, &s); err != nil || s.Unreadable {
		return analysis.Proposal{}, &analysis.ModelError{Kind: analysis.ModelBadAnswer, Detail: "not the asked JSON"}
	}
	return s.proposal()
}

func (s scripted) proposal() (analysis.Proposal, error) { return s.Proposal, nil }

var _ analysis.Model = (*model)(nil)

// recorder is the caller's side of a request.
type recorder struct {
	saved   [][]byte
	usage   analysis.Usage
	saveErr error
	stages  []string
	mu      sync.Mutex
	reports []report
}

// report is one call of Progress.
type report struct {
	stage       string
	done, total int
}

func (r *recorder) request(s schema.Schema, checkpoint []byte) analysis.Request {
	return analysis.Request{
		Schema:     s,
		Checkpoint: checkpoint,
		Save: func(_ context.Context, checkpoint []byte, usage analysis.Usage) error {
			r.saved = append(r.saved, checkpoint)
			r.usage = r.usage.Add(usage)
			return r.saveErr
		},
		Progress: func(stage string, done, total int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.stages = append(r.stages, stage)
			r.reports = append(r.reports, report{stage, done, total})
		},
	}
}

// bed is everything that one test needs.
type bed struct {
	catalog  *catalog
	model    *model
	recorder *recorder
	analyzer *analysis.Analyzer
}

// setup returns an Analyzer over the entities. No steps mean no model.
func setup(t testing.TB, cfg analysis.Config, entities []schema.Entity, steps ...step) *bed {
	t.Helper()
	b := &bed{catalog: &catalog{entities: entities}, recorder: &recorder{}}
	var m analysis.Model
	if len(steps) > 0 {
		b.model = &model{steps: steps}
		m = b.model
	}
	var err error
	if b.analyzer, err = analysis.New(b.catalog, m, cfg); err != nil {
		t.Fatal(err)
	}
	return b
}

// oracle returns an Analyzer over the entities, with a model that answers by itself.
func oracle(t testing.TB, cfg analysis.Config, entities []schema.Entity, answer func(q analysis.Question) step) *bed {
	t.Helper()
	b := setup(t, cfg, entities)
	b.model = &model{answer: answer}
	var err error
	if b.analyzer, err = analysis.New(b.catalog, b.model, cfg); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bed) analyze(t testing.TB, s schema.Schema, checkpoint []byte) *analysis.Result {
	t.Helper()
	result, err := b.analyzer.Analyze(t.Context(), b.recorder.request(s, checkpoint))
	if err != nil {
		t.Fatalf("analyze: %v", err)
	}
	return result
}

// bronze makes a schema of detected_fields and sample_data as the app stores them.
func bronze(t testing.TB, fields, samples string) schema.Schema {
	t.Helper()
	parsed, err := schema.ParseFields(json.RawMessage(fields))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Schema{
		ID: 1, TenantID: tenant, Hash: schema.InputHash(parsed), Fields: parsed,
		RawFields: json.RawMessage(fields), RawSamples: json.RawMessage(samples),
	}
}

func entity(id int64, name string, fields ...schema.Field) schema.Entity {
	return schema.Entity{ID: id, TenantID: tenant, Name: name, Fields: fields}
}

func field(name, typ string) schema.Field { return schema.Field{Name: name, Type: typ} }

func required(name, typ string) schema.Field {
	return schema.Field{Name: name, Type: typ, Required: true}
}

// shop are the entities of a small tenant.
func shop() []schema.Entity {
	return []schema.Entity{
		entity(11, "Customer",
			required("customer_id", "decimal"), field("first_name", "string"), field("last_name", "string"),
			required("email", "string"), field("phone", "string"), field("birth_date", "date"), field("city", "string")),
		entity(12, "Order",
			required("order_id", "decimal"), field("customer_id", "decimal"), field("order_date", "date"),
			field("total_amount", "decimal"), field("currency", "string"), field("status", "string")),
		entity(13, "Product",
			required("sku", "string"), field("title", "string"), field("price", "decimal"), field("stock_quantity", "decimal")),
	}
}

const (
	customerFields = `[
		{"name":"cust_id","type":"float","required":true,"sample_value":28585},
		{"name":"fname","type":"string","required":true,"sample_value":"Marigold"},
		{"name":"lname","type":"string","required":true,"sample_value":"Fennimore"},
		{"name":"mail","type":"email","required":true,"sample_value":"marigold@fennimore.example"},
		{"name":"mobile_1","type":"phone","required":false,"sample_value":"+44 20 7185 2723"},
		{"name":"dob","type":"date","required":false,"sample_value":"1990-02-03"}]`
	customerRow = `{"cust_id":28585,"fname":"Marigold","lname":"Fennimore","mail":"marigold@fennimore.example","mobile_1":"+44 20 7185 2723","dob":"1990-02-03"}`
)
