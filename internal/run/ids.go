package run

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// The attributes that join the lines of a log: with the events, the tables and the traces.
const (
	keySchema = "schema_id"
	keyTenant = "tenant_id"
	keyRun    = "run_id"
	keyTask   = "task_id"
	keyTrace  = "trace_id"
)

var joinKeys = [...]string{keySchema, keyTenant, keyRun, keyTask, keyTrace}

type idsKey struct{}

// withIDs returns a context whose lines of the log have the given attributes, beside those
// that they had under other keys.
func withIDs(ctx context.Context, attrs ...slog.Attr) context.Context {
	before, _ := ctx.Value(idsKey{}).([]slog.Attr)
	for _, b := range before {
		if !slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == b.Key }) {
			attrs = append(attrs, b)
		}
	}
	return context.WithValue(ctx, idsKey{}, attrs)
}

// idsOf are the attributes that join a line logged with ctx.
func idsOf(ctx context.Context) []slog.Attr {
	ids, _ := ctx.Value(idsKey{}).([]slog.Attr)
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		ids = append(ids[:len(ids):len(ids)], slog.String(keyTrace, span.TraceID().String()))
	}
	return ids
}

// LogIDs returns a handler that adds, to each line that is logged with the context of a
// task, which task, schema, tenant, run and trace it is about, unless the line says so
// already. So the lines of the language model, the limits and the database are joined
// with those of the run.
func LogIDs(next slog.Handler) slog.Handler { return joining{Handler: next} }

type joining struct {
	slog.Handler
	given [len(joinKeys)]bool // what the logger's own attributes say
	deep  bool                // within a group
}

// Handle implements slog.Handler.
func (j joining) Handle(ctx context.Context, r slog.Record) error {
	ids := idsOf(ctx)
	if len(ids) == 0 || j.deep {
		return j.Handler.Handle(ctx, r)
	}
	given := j.given
	r.Attrs(func(a slog.Attr) bool {
		note(&given, a.Key)
		return true
	})
	r = r.Clone()
	for _, id := range ids {
		if note(&given, id.Key) {
			r.AddAttrs(id)
		}
	}
	return j.Handler.Handle(ctx, r)
}

// note remembers that a key is given, false when it was before or joins nothing.
func note(given *[len(joinKeys)]bool, key string) bool {
	for i, known := range joinKeys {
		if key == known && !given[i] {
			given[i] = true
			return true
		}
	}
	return false
}

// WithAttrs implements slog.Handler.
func (j joining) WithAttrs(attrs []slog.Attr) slog.Handler {
	if !j.deep {
		for _, a := range attrs {
			note(&j.given, a.Key)
		}
	}
	j.Handler = j.Handler.WithAttrs(attrs)
	return j
}

// WithGroup implements slog.Handler.
func (j joining) WithGroup(name string) slog.Handler {
	j.Handler, j.deep = j.Handler.WithGroup(name), j.deep || name != ""
	return j
}
