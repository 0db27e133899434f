package llm

import (
	"context"
	"errors"
	"time"

	otelattribute "go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/schemacast/schemacast/internal/analysis"
)

// Observer hears what a Client does, to count it. Its methods are called by many
// goroutines and must not block.
type Observer interface {
	// Called tells of one request that was sent.
	Called(c Call)
	// Repeated tells that a request is sent once more within its call, after a failure.
	Repeated(after analysis.ModelErrorKind)
	// Withheld tells of a request that a limit kept from being sent.
	Withheld(by Limit)
	// Cached tells of a question that the cache answered.
	Cached()
}

// Call is one request to the server.
type Call struct {
	Model string
	Took  time.Duration
	// Failure is empty for an answer, good or bad, and stopped where the caller gave up.
	Failure analysis.ModelErrorKind
	// Usage is what the server counted, or an estimate. It is zero where nothing came.
	Usage analysis.Usage
}

// Stopped is the failure of a request that its caller ended.
const Stopped analysis.ModelErrorKind = "stopped"

// Limit is what keeps a request from being sent.
type Limit string

// The limits.
const (
	LimitBreaker      Limit = "breaker"       // the server failed again and again
	LimitRate         Limit = "rate"          // the workers keep to the rate of the model
	LimitBudget       Limit = "budget"        // the day's budget is spent
	LimitTenantBudget Limit = "tenant_budget" // the day's budget of the tenant is
	LimitLedger       Limit = "ledger"        // nobody knows what is left of the budget
)

func limitOf(f failure) Limit {
	spent := new(analysis.SpentError)
	switch {
	case !errors.As(f.ModelError, &spent):
		return LimitLedger
	case spent.Tenant:
		return LimitTenantBudget
	default:
		return LimitBudget
	}
}

// nobody is the Observer of a client without one.
type nobody struct{}

func (nobody) Called(Call) {}

func (nobody) Repeated(analysis.ModelErrorKind) {}

func (nobody) Withheld(Limit) {}

func (nobody) Cached() {}

// observed is a request and what came of it.
type observed struct {
	attempt
	*exchange
	reply   *reply
	failure failure
	sent    bool
	begun   time.Time
}

// observe tells the observer and the trace of a request. The span is made afterwards, in
// one place, and has the request's times. Its attributes are those of OpenTelemetry for
// generative models, without a word of the question or the answer.
func (c *Client) observe(ctx context.Context, o observed) {
	if !o.sent {
		c.cfg.Observer.Withheld(LimitBreaker) // another request probes the server
		return
	}
	call := Call{Model: c.cfg.Model, Took: time.Since(o.begun)}
	if o.reply != nil {
		call.Usage = c.usageOf(o.reply, 1, o.prepared)
	}
	if o.failure.ModelError != nil {
		call.Failure = o.failure.Kind
		if ctx.Err() != nil {
			call.Failure = Stopped
		}
	}
	c.cfg.Observer.Called(call)
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer("github.com/schemacast/schemacast/internal/llm")
	_, span := tracer.Start(ctx, "chat "+c.cfg.Model, trace.WithTimestamp(o.begun), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			otelattribute.String("gen_ai.operation.name", "chat"), otelattribute.String("gen_ai.request.model", c.cfg.Model),
			otelattribute.Int("gen_ai.usage.input_tokens", call.Usage.PromptTokens),
			otelattribute.Int("gen_ai.usage.output_tokens", call.Usage.CompletionTokens),
			otelattribute.Int("http.response.status_code", o.status),
		))
	if call.Failure != "" {
		span.SetAttributes(otelattribute.String("error.type", string(call.Failure)))
		span.SetStatus(codes.Error, string(call.Failure))
	}
	span.End()
}
