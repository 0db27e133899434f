package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sashabaranov/go-openai"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/schema"
)

// benchStems and benchParts are those of bench/pipeline: twenty entities of ten fields.
var (
	benchStems = strings.Fields(`Customer Order Invoice Product Supplier Payment Shipment Employee Contract Ticket
		Booking Campaign Device Location Subscription Vehicle Patient Course Sensor Budget`)
	benchParts = []struct{ name, typ, sample string }{
		{"id", "string", `"C-1001"`}, {"name", "string", `"Erika Mustermann"`}, {"email", "email", `"erika@example.com"`},
		{"phone", "phone", `"+49 30 901820"`}, {"created_at", "datetime", `"2024-03-01T10:00:00Z"`}, {"status", "string", `"active"`},
		{"amount", "float", `199.95`}, {"city", "string", `"Berlin"`}, {"country", "string", `"DE"`}, {"is_active", "boolean", `true`},
	}
)

func benchFields(stem string) []schema.Field {
	fields := make([]schema.Field, len(benchParts))
	for i, part := range benchParts {
		fields[i] = schema.Field{Name: strings.ToLower(stem) + "_" + part.name, Type: part.typ, Required: i < 3, Sample: json.RawMessage(part.sample)}
	}
	return fields
}

// benchSchema has ten fields that an entity has, and one that none has.
func benchSchema(b *testing.B) schema.Schema {
	b.Helper()
	fields := append(benchFields("Invoice"), schema.Field{Name: "legacy_ref_7", Type: "string", Sample: json.RawMessage(`"R-7"`)})
	row := map[string]json.RawMessage{}
	for _, f := range fields {
		row[f.Name] = f.Sample
	}
	samples, err := json.Marshal(row)
	if err != nil {
		b.Fatal(err)
	}
	return schema.Schema{ID: 1, TenantID: "bench", Hash: schema.InputHash(fields), Fields: fields, RawSamples: samples}
}

type benchCatalog []schema.Entity

func (c benchCatalog) EntityVersion(context.Context, string) (string, error) { return "always", nil }

func (c benchCatalog) Entities(context.Context, string) ([]schema.Entity, error) { return c, nil }

func newBenchCatalog() benchCatalog {
	list := make(benchCatalog, len(benchStems))
	for i, stem := range benchStems {
		list[i] = schema.Entity{ID: int64(i + 1), TenantID: "bench", Name: stem, Hash: fmt.Sprint(i), Fields: benchFields(stem)}
	}
	return list
}

// answering is a server that knows the answer before it is asked, and takes no time.
type answering struct{ body []byte }

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.body == nil {
		var request openai.ChatCompletionRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			return nil, err
		}
		answer := llmtest.GoodAnswer(request.Messages[1].Content)
		a.body = fmt.Appendf(nil, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",`+
			`"message":{"role":"assistant","content":%s}}],"usage":{"prompt_tokens":3000,"completion_tokens":500,"total_tokens":3500}}`, textOf(answer))
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
		Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

func textOf(s string) []byte {
	text, _ := json.Marshal(s) // a string always encodes
	return text
}

// forgetful is a cache that has nothing, so that every question is put.
type forgetful struct{ noCache }

func newBenchClient(b *testing.B) *Client {
	b.Helper()
	client, err := New(Config{APIKey: llmtest.Key, BaseURL: "http://127.0.0.1:1/v1"}, forgetful{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	api := openai.DefaultConfig(llmtest.Key)
	api.BaseURL, api.HTTPClient = client.cfg.BaseURL, &http.Client{Transport: &transport{base: &answering{}}}
	client.api = openai.NewClientWithConfig(api)
	b.Cleanup(client.Close)
	return client
}

// recording keeps the question that a model was asked.
type recording struct {
	*Client
	asked analysis.Question
}

func (r *recording) Ask(ctx context.Context, q analysis.Question) (analysis.Answer, error) {
	r.asked = q
	return r.Client.Ask(ctx, q)
}

func benchAnalyse(b *testing.B, model analysis.Model) func() {
	b.Helper()
	analyzer, err := analysis.New(newBenchCatalog(), model, analysis.Config{})
	if err != nil {
		b.Fatal(err)
	}
	request := analysis.Request{
		Schema:   benchSchema(b),
		Save:     func(context.Context, []byte, analysis.Usage) error { return nil },
		Progress: func(string, int, int) {},
	}
	return func() {
		result, err := analyzer.Analyze(b.Context(), request)
		if err != nil {
			b.Fatal(err)
		}
		if n := len(result.Recommendation.Mappings); n != len(benchParts) {
			b.Fatalf("%d mappings", n)
		}
	}
}

// BenchmarkAnalyse is one schema from its fields to the recommendation, without a database
// and without waiting for anybody.
func BenchmarkAnalyse(b *testing.B) {
	analyse := benchAnalyse(b, newBenchClient(b))
	analyse() // the entities are indexed once
	b.ReportAllocs()
	for b.Loop() {
		analyse()
	}
}

// BenchmarkAsk is one question, from what is asked to an answer that was read.
func BenchmarkAsk(b *testing.B) {
	model := &recording{Client: newBenchClient(b)}
	benchAnalyse(b, model)()
	b.ReportAllocs()
	for b.Loop() {
		answer, err := model.Client.Ask(b.Context(), model.asked)
		if err != nil {
			b.Fatal(err)
		}
		if p, err := model.Read(model.asked, answer.Raw); err != nil || len(p.Mappings) != len(benchParts) {
			b.Fatalf("%+v, %v", p, err)
		}
	}
}
