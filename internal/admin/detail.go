package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

type detailJSON struct {
	Schema   schemaJSON       `json:"schema"`
	Entity   *entityJSON      `json:"entity"`
	Mappings []mappingJSON    `json:"mappings"`
	Unmapped []unmappedJSON   `json:"unmapped"`
	Decision *decisionJSON    `json:"decision"`
	Runs     []detailRunJSON  `json:"runs"`
	Samples  []map[string]any `json:"samples"`
}

type mappingJSON struct {
	EntityID     int64      `json:"entity_id"`
	Source       string     `json:"source"`
	Target       string     `json:"target"`
	Type         string     `json:"type"`
	Formula      *string    `json:"formula"`
	Confidence   *float64   `json:"confidence"` // null: by hand
	Why          *string    `json:"why"`
	Op           *schema.Op `json:"op"`
	VerifiedRows *int       `json:"verified_rows"`
	Review       []string   `json:"review"`
}

type unmappedJSON struct {
	Source string  `json:"source"`           // empty: it is the target that lacks one
	Target string  `json:"target,omitempty"` // that nothing fills
	Why    *string `json:"why"`
	Code   *string `json:"code"`
}

type decisionJSON struct {
	Action        string         `json:"action"`
	Confidence    *float64       `json:"confidence"`
	Why           string         `json:"why"`
	Engine        *schema.Engine `json:"engine"`
	NeedsReview   bool           `json:"needs_review"`
	Review        []string       `json:"review"`
	PromptVersion string         `json:"prompt_version,omitempty"`
	Usage         usageJSON      `json:"usage"`
}

type usageJSON struct {
	Calls        int      `json:"calls"`
	InputTokens  int      `json:"input_tokens"`
	OutputTokens int      `json:"output_tokens"`
	Cost         *float64 `json:"cost,omitempty"` // US dollars
}

type detailRunJSON struct {
	*runJSON

	RequestedBy string        `json:"requested_by"`
	Outcome     string        `json:"outcome,omitempty"`
	History     []attemptJSON `json:"history"`
}

type attemptJSON struct {
	Attempt   int64   `json:"attempt"`
	Worker    string  `json:"worker"`
	StartedAt stamp   `json:"started_at"`
	EndedAt   stamp   `json:"ended_at"`
	Error     *string `json:"error"`
	Code      *string `json:"code"`
}

func (u *UI) detail(w http.ResponseWriter, r *http.Request, who identity) {
	ctx, cancel := context.WithTimeout(r.Context(), graphTimeout)
	defer cancel()
	id, tenantID, ok := u.ownSchema(ctx, w, r, who)
	if !ok {
		return
	}
	detail, err := u.ports.Graphs.Detail(ctx, id, tenantID, u.cfg.Samples)
	switch {
	case err == nil:
		write(w, http.StatusOK, newDetailJSON(detail))
	case errors.Is(err, run.ErrUnknownSchema):
		unknownSchema(w)
	default:
		u.unavailable(w, r, "the schema can not be read", err)
	}
}

func newDetailJSON(d schema.Detail) detailJSON {
	out := detailJSON{
		Schema: newSchemaJSON(d.Schema), Mappings: make([]mappingJSON, len(d.Mappings)), Unmapped: make([]unmappedJSON, len(d.Unmapped)),
		Decision: newDecisionJSON(d.Decision), Runs: make([]detailRunJSON, len(d.Runs)), Samples: newSamplesJSON(d.Samples),
	}
	if d.Entity != nil {
		entity := newEntityJSON(*d.Entity)
		out.Entity = &entity
	}
	for i, m := range d.Mappings {
		out.Mappings[i] = mappingJSON{
			EntityID: m.EntityID, Source: m.Source, Target: m.Target, Type: m.Type, Formula: unlessZero(m.Formula),
			Confidence: m.Confidence, Why: unlessZero(m.Why), Op: unlessZero(m.Op), VerifiedRows: unlessZero(m.VerifiedRows),
			Review: listOf(m.Review),
		}
	}
	for i, m := range d.Unmapped {
		out.Unmapped[i] = unmappedJSON{Source: m.Source, Target: m.Target, Why: unlessZero(m.Why), Code: unlessZero(m.Code)}
	}
	for i, one := range d.Runs {
		out.Runs[i] = detailRunJSON{
			runJSON: newRunJSON(&one.GraphRun), RequestedBy: one.RequestedBy, Outcome: one.Outcome,
			History: make([]attemptJSON, len(one.History)),
		}
		for j, a := range one.History {
			out.Runs[i].History[j] = attemptJSON{
				a.Number, a.Worker, stamp(a.Started), stamp(a.Ended), unlessZero(a.Error), unlessZero(a.Code),
			}
		}
	}
	return out
}

func newDecisionJSON(d *schema.Decision) *decisionJSON {
	if d == nil {
		return nil
	}
	return &decisionJSON{
		Action: d.Action, Confidence: d.Confidence, Why: d.Why, Engine: unlessZero(d.Engine), NeedsReview: d.NeedsReview,
		Review: listOf(d.Review...), PromptVersion: d.PromptVersion, Usage: usageJSON{d.Calls, d.InputTokens, d.OutputTokens, d.Cost},
	}
}

// listOf never returns nil, and leaves out what is empty.
func listOf(codes ...string) []string {
	list := []string{}
	for _, code := range codes {
		if code != "" {
			list = append(list, code)
		}
	}
	return list
}

// maxSampleValue is how many characters of a sample value are shown.
const maxSampleValue = 200

// newSamplesJSON returns nil for nil.
func newSamplesJSON(rows []json.RawMessage) []map[string]any {
	if rows == nil {
		return nil
	}
	out := []map[string]any{}
	for _, row := range rows {
		var values map[string]json.RawMessage
		if err := json.Unmarshal(row, &values); err != nil {
			continue // it is no object
		}
		cut := make(map[string]any, len(values))
		for name, value := range values {
			cut[name] = cutValue(value)
		}
		out = append(out, cut)
	}
	return out
}

// cutValue keeps short values as they are, numbers to the last digit; of a long one it
// keeps the beginning, as text.
func cutValue(value json.RawMessage) any {
	if utf8.RuneCount(value) <= maxSampleValue {
		return value
	}
	text := string(value)
	var decoded string
	if json.Unmarshal(value, &decoded) == nil {
		text = decoded
	}
	runes := []rune(text)
	if len(runes) <= maxSampleValue {
		return text
	}
	return string(runes[:maxSampleValue]) + "…"
}
