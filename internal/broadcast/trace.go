package broadcast

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/schemacast/schemacast/internal/schema"
)

// within returns ctx with the trace of the change that an event tells of.
func within(ctx context.Context, ev schema.Event) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": ev.Traceparent})
}

// traced makes the span of one try to send an event. A request carries the events of many
// traces, so each of them gets a span of its own, with the times of the request. Events
// without a trace, as those of an older worker, have none.
func (r *Relay) traced(ctx context.Context, it *item, began time.Time, err error) {
	if it.event.Traceparent == "" {
		return
	}
	_, span := r.cfg.Tracer.Start(within(ctx, it.event), "publish "+string(it.event.Kind),
		trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
			attribute.String("messaging.system", "pusher"), attribute.String("messaging.operation.type", "send"),
			attribute.String("messaging.message.id", it.event.ID),
			attribute.Int64("schemacast.schema_id", it.event.SchemaID), attribute.String("schemacast.run_id", it.event.RunID),
			attribute.Int64("schemacast.seq", it.event.Seq),
		))
	if err != nil || it.dropped != "" {
		span.SetStatus(codes.Error, "not sent")
	}
	span.End()
}
