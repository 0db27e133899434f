package run

import (
	"context"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/schemacast/schemacast/internal/task"
)

// traced begins the span of a task, in the trace of its producer where there is one. What
// is done for the task begins its spans below it: only the API of OpenTelemetry is known
// here, and who collects spans, if anybody does, is HandlerConfig.Tracer's business.
func (h *Handler) traced(ctx context.Context, t *asynq.Task) (context.Context, trace.Span) {
	carrier := propagation.MapCarrier{task.HeaderTraceparent: t.Headers()[task.HeaderTraceparent]}
	ctx = propagation.TraceContext{}.Extract(ctx, carrier)
	queue, _ := asynq.GetQueueName(ctx)
	id, _ := asynq.GetTaskID(ctx)
	return h.cfg.Tracer.Start(ctx, "process "+task.Type, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.system", "asynq"), attribute.String("messaging.operation.type", "process"),
		attribute.String("messaging.destination.name", queue), attribute.String("messaging.message.id", id),
		attribute.String("schemacast.producer", clean(t.Headers()[task.HeaderProducer])),
	))
}

// describe adds to the span of a task which run it is about.
func (c *Claim) describe(ctx context.Context) {
	trace.SpanFromContext(ctx).SetAttributes(
		attribute.Int64("schemacast.schema_id", c.Schema.ID), attribute.String("schemacast.tenant_id", c.Schema.TenantID),
		attribute.String("schemacast.run_id", c.RunID), attribute.Int("schemacast.attempt", c.Attempt),
	)
}

// step begins a span below the one of ctx; the function that it returns ends it.
func step(ctx context.Context, name string) (context.Context, func(error)) {
	tracer := trace.SpanFromContext(ctx).TracerProvider().Tracer("github.com/schemacast/schemacast/internal/run")
	ctx, span := tracer.Start(ctx, name)
	return ctx, func(err error) {
		if err != nil {
			// The text may be of any depth of the worker; the log has it, under the same id.
			span.SetStatus(codes.Error, string(classify(err).failure.Code))
		}
		span.End()
	}
}
