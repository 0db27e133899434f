package admin

import (
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// stamp is a time in JSON: RFC 3339, UTC, milliseconds; null for none.
type stamp time.Time

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	if time.Time(s).IsZero() {
		return []byte("null"), nil
	}
	return []byte(time.Time(s).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

type graphJSON struct {
	Seq       int64        `json:"seq"`
	Since     string       `json:"since"`
	Delta     bool         `json:"delta"`
	Next      *string      `json:"next"`
	Totals    totalsJSON   `json:"totals"`
	TypicalMs *int64       `json:"typical_ms"`
	Schemas   []schemaJSON `json:"schemas"`
	Entities  []entityJSON `json:"entities"`
	Links     []linkJSON   `json:"links"`
}

type totalsJSON struct {
	Schemas  int `json:"schemas"`
	Entities int `json:"entities"`
}

type schemaJSON struct {
	ID             int64                 `json:"id"`
	Name           *string               `json:"name"`
	Hash           string                `json:"hash"`
	Status         schema.Status         `json:"status"`
	AnalysisStatus schema.AnalysisStatus `json:"ai_analysis_status"`
	Fields         []fieldJSON           `json:"fields"`
	Seq            int64                 `json:"seq"`
	Run            *runJSON              `json:"run"`
	Error          *string               `json:"error"`
	Confidence     *float64              `json:"confidence"`
	NeedsReview    bool                  `json:"needs_review"`
	Engine         *schema.Engine        `json:"engine"`
	CreatedAt      stamp                 `json:"created_at"`
	AnalyzedAt     stamp                 `json:"analyzed_at"`
}

type runJSON struct {
	ID          string  `json:"id"`
	State       string  `json:"state"`
	Attempts    int     `json:"attempts"`
	MaxAttempts int     `json:"max_attempts"`
	RequestedAt stamp   `json:"requested_at"`
	StartedAt   stamp   `json:"started_at"`
	EndedAt     stamp   `json:"ended_at"`
	RetryAt     stamp   `json:"retry_at"` // always null: only Redis knows
	Error       *string `json:"error"`
	Code        *string `json:"code"`
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

type linkJSON struct {
	SchemaID   int64    `json:"schema_id"`
	EntityID   int64    `json:"entity_id"`
	Fields     int      `json:"fields"`
	Confidence *float64 `json:"confidence"`
	Low        *float64 `json:"low"`
	ByHand     int      `json:"by_hand"`
}

func newGraphJSON(g schema.GraphPage) graphJSON {
	out := graphJSON{
		Seq: g.Seq, Since: g.Since, Delta: g.Delta, Next: unlessZero(g.Next), Totals: totalsJSON(g.Totals),
		TypicalMs: unlessZero(g.Typical.Milliseconds()),
		Schemas:   make([]schemaJSON, len(g.Schemas)), Entities: make([]entityJSON, len(g.Entities)), Links: make([]linkJSON, len(g.Links)),
	}
	for i, s := range g.Schemas {
		out.Schemas[i] = newSchemaJSON(s)
	}
	for i, e := range g.Entities {
		out.Entities[i] = newEntityJSON(e)
	}
	for i, l := range g.Links {
		out.Links[i] = linkJSON(l)
	}
	return out
}

func newSchemaJSON(s schema.GraphSchema) schemaJSON {
	return schemaJSON{
		ID: s.ID, Name: unlessZero(s.Name), Hash: s.Hash, Status: s.Status, AnalysisStatus: s.AnalysisStatus,
		Fields: newFieldsJSON(s.Fields), Seq: s.Seq, Run: newRunJSON(s.Run), Error: unlessZero(s.Error), Confidence: s.Confidence,
		NeedsReview: s.NeedsReview, Engine: unlessZero(s.Engine), CreatedAt: stamp(s.CreatedAt), AnalyzedAt: stamp(s.AnalyzedAt),
	}
}

func newRunJSON(r *schema.GraphRun) *runJSON {
	if r == nil {
		return nil
	}
	return &runJSON{
		ID: r.ID, State: r.State, Attempts: r.Attempts, MaxAttempts: r.MaxAttempts, RequestedAt: stamp(r.Requested),
		StartedAt: stamp(r.Started), EndedAt: stamp(r.Ended), Error: unlessZero(r.Error), Code: unlessZero(r.Code),
	}
}

func newEntityJSON(e schema.Entity) entityJSON {
	return entityJSON{ID: e.ID, Name: e.Name, Fields: newFieldsJSON(e.Fields)}
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
