// Package tracing sends the spans of a worker to a collector, as OTLP over HTTP. It is the
// only room that knows the SDK of OpenTelemetry; the others know its API, which does
// nothing without it.
//
// It guarantees that a collector which is away, slow or wrong neither slows a run down nor
// keeps a worker from stopping: spans wait in a bounded queue, and what does not fit is
// lost. It sets nothing global.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Config says where spans go. What is not here, as the sampler and the attributes of the
// resource, the SDK reads from the standard OTEL_ variables of the environment.
type Config struct {
	// URL takes spans in OTLP over HTTP: http://127.0.0.1:4318/v1/traces. Empty for no traces.
	URL string
	// Headers go with every request.
	Headers map[string]string
	// Service, Version and Instance name this process.
	Service, Version, Instance string
	// Logger gets what the exporter complains of, once a minute. Defaults to one that
	// discards.
	Logger *slog.Logger
}

// Tracing makes tracers. Its zero value makes those that record nothing.
type Tracing struct{ provider *sdk.TracerProvider }

// New returns the tracing of a process. It connects to nothing.
func New(ctx context.Context, cfg Config) (*Tracing, error) {
	if cfg.URL == "" {
		return &Tracing{}, nil
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(cfg.URL), otlptracehttp.WithHeaders(cfg.Headers))
	if err != nil {
		return nil, fmt.Errorf("prepare the exporter of traces: %w", err)
	}
	// The environment comes last: it may name the service otherwise.
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", cfg.Service), attribute.String("service.version", cfg.Version),
		attribute.String("service.instance.id", cfg.Instance),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe this process for traces: %w", err)
	}
	return &Tracing{provider: sdk.NewTracerProvider(
		sdk.WithResource(res), sdk.WithBatcher(&complaining{SpanExporter: exporter, log: cfg.Logger}),
	)}, nil
}

// Tracer returns a tracer for a room of this program.
func (t *Tracing) Tracer() trace.Tracer {
	if t.provider == nil {
		return noop.NewTracerProvider().Tracer("")
	}
	return t.provider.Tracer("github.com/schemacast/schemacast")
}

// Stop sends what waits, for a few seconds at most. What a collector does not take is
// lost, which is no failure of the worker.
func (t *Tracing) Stop(ctx context.Context) {
	if t.provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // complaining has logged why
}

const (
	stopTimeout   = 3 * time.Second
	complainEvery = time.Minute
)

// complaining logs what goes wrong with an exporter, which would go to a global handler
// otherwise. The processor exports one batch at a time.
type complaining struct {
	sdk.SpanExporter
	log  *slog.Logger
	last time.Time
}

// ExportSpans implements sdk.SpanExporter.
func (c *complaining) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	if err != nil && time.Since(c.last) > complainEvery {
		c.last = time.Now()
		c.log.WarnContext(ctx, "spans were not taken; check OTEL_EXPORTER_OTLP_ENDPOINT", "spans", len(spans), "error", err)
	}
	return nil
}
