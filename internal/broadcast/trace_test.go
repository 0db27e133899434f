package broadcast

import (
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/schemacast/schemacast/internal/schema"
)

func TestDeliveryIsInTheTraceOfItsChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewInMemoryExporter()
		provider := trace.NewTracerProvider(trace.WithSyncer(spans))
		var delivered []schema.EventKind
		b := newBench(t)
		traced, plain := shortEvent(1, schema.EventStarted), shortEvent(2, schema.EventStarted)
		traced.Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		b.outbox.add("one", traced)
		b.outbox.add("one", plain)
		r := b.relay("one", func(c *RelayConfig) {
			c.Tracer = provider.Tracer("test")
			c.Delivered = func(kind schema.EventKind, _ time.Duration) { delivered = append(delivered, kind) }
		})
		b.outbox.waitEmpty(t)
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := spans.GetSpans()
		if len(got) != 1 || got[0].Name != "publish started" || got[0].Parent.SpanID().String() != "00f067aa0ba902b7" ||
			got[0].SpanContext.TraceID().String() != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("spans = %+v, want one, of the traced event, in its trace", got)
		}
		if len(delivered) != 2 {
			t.Errorf("delivered = %v, want both events", delivered)
		}
	})
}
