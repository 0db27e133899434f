package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// Graphs gives what there is to draw.
type Graphs interface {
	// Graph reads the graph of one tenant, and nothing of another. Its error is
	// schema.ErrUnknownTenant when there is no such tenant.
	Graph(ctx context.Context, tenantID string) (schema.Graph, error)
}

const (
	// graphTimeout ends a read, and the wait for one.
	graphTimeout = 5 * time.Second
	// graphReaders is how many graphs are read at once: they can be large, and a page
	// that is reloaded in a hurry must not cost the workers their connections.
	graphReaders = 4
)

type graphJSON struct {
	Seq       int64         `json:"seq"`
	Schemas   []schemaJSON  `json:"schemas"`
	Entities  []entityJSON  `json:"entities"`
	Mappings  []mappingJSON `json:"mappings"`
	Truncated bool          `json:"truncated"`
}

type schemaJSON struct {
	ID             int64                 `json:"id"`
	Name           *string               `json:"name"`
	Status         schema.Status         `json:"status"`
	AnalysisStatus schema.AnalysisStatus `json:"ai_analysis_status"`
	Hash           string                `json:"hash"`
	Fields         []fieldJSON           `json:"fields"`
	Seq            int64                 `json:"seq"`
	RunID          *string               `json:"run_id"`
	Error          *string               `json:"error"`
	CreatedAt      *time.Time            `json:"created_at"` // RFC 3339, UTC
}

type entityJSON struct {
	ID     int64       `json:"id"`
	Name   string      `json:"name"`
	Fields []fieldJSON `json:"fields"`
}

// fieldJSON has no sample value: they are the tenant's data.
type fieldJSON struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Format   string `json:"format,omitempty"`
	Required bool   `json:"required"`
}

type mappingJSON struct {
	SchemaID   int64    `json:"schema_id"`
	EntityID   int64    `json:"entity_id"`
	Source     string   `json:"source"`
	Target     string   `json:"target"`
	Type       string   `json:"type"`
	Formula    *string  `json:"formula"`
	Confidence *float64 `json:"confidence"`
}

type errorJSON struct {
	Error string `json:"error"`
}

func (u *UI) graph(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), graphTimeout)
	defer cancel()
	graph, err := u.readGraph(ctx, r.PathValue("tenant"))
	switch {
	case err == nil:
		write(w, http.StatusOK, newGraphJSON(graph))
	case errors.Is(err, schema.ErrUnknownTenant):
		write(w, http.StatusNotFound, errorJSON{schema.ErrUnknownTenant.Error()})
	default:
		if r.Context().Err() == nil {
			u.cfg.Logger.Error("graph can not be read", "error", err)
		}
		write(w, http.StatusServiceUnavailable, errorJSON{"the graph can not be read now; the log says why"})
	}
}

func (u *UI) readGraph(ctx context.Context, tenantID string) (schema.Graph, error) {
	select {
	case u.readers <- struct{}{}:
		defer func() { <-u.readers }()
		return u.graphs.Graph(ctx, tenantID)
	case <-ctx.Done():
		return schema.Graph{}, context.Cause(ctx)
	}
}

func newGraphJSON(g schema.Graph) graphJSON {
	out := graphJSON{
		Seq: g.Seq, Truncated: g.Truncated,
		Schemas:  make([]schemaJSON, len(g.Schemas)),
		Entities: make([]entityJSON, len(g.Entities)),
		Mappings: make([]mappingJSON, len(g.Mappings)),
	}
	for i, s := range g.Schemas {
		out.Schemas[i] = schemaJSON{
			ID: s.ID, Name: unlessZero(s.Name), Status: s.Status, AnalysisStatus: s.AnalysisStatus, Hash: s.Hash,
			Fields: newFieldsJSON(s.Fields), Seq: s.Seq, RunID: unlessZero(s.RunID), Error: unlessZero(s.Error),
			CreatedAt: unlessZero(s.CreatedAt),
		}
	}
	for i, e := range g.Entities {
		out.Entities[i] = entityJSON{ID: e.ID, Name: e.Name, Fields: newFieldsJSON(e.Fields)}
	}
	for i, m := range g.Mappings {
		out.Mappings[i] = mappingJSON{
			SchemaID: m.SchemaID, EntityID: m.EntityID, Source: m.Source, Target: m.Target, Type: m.Type,
			Formula: unlessZero(m.Formula), Confidence: m.Confidence,
		}
	}
	return out
}

func newFieldsJSON(fields []schema.Field) []fieldJSON {
	list := make([]fieldJSON, len(fields))
	for i, f := range fields {
		list[i] = fieldJSON{Name: f.Name, Type: f.Type, Format: f.Format, Required: f.Required}
	}
	return list
}

func unlessZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
