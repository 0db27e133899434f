package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// Standing is where the analysis of a schema stands.
type Standing struct {
	Schema   schema.Schema
	RunID    string // of the newest run, empty when there was none
	Open     bool   // the newest run has not ended
	Owned    bool   // a worker works on it now
	Attempts int
	Outcome  run.OutcomeState
	Failure  run.Failure // of the run, or of its last attempt while it is open
	EntityID int64       // 0 when the schema is mapped to none
	// Recommendation is what the app's row holds, nil when it was never analysed.
	Recommendation *analysis.Recommendation
}

// Standing reads where a schema stands. Its error is run.ErrUnknownSchema when
// there is no such schema, or it belongs to another tenant than tenantID, where that
// is given.
func (s *Store) Standing(ctx context.Context, schemaID int64, tenantID string) (Standing, error) {
	var standing Standing
	err := s.transact(ctx, func(t *tx) error {
		row, err := ignoreNoRow(t.selectSchema(schemaID, false))
		if err != nil {
			return err
		}
		if row == nil || (tenantID != "" && row.TenantID != tenantID) {
			return run.ErrUnknownSchema
		}
		// Fields that can not be used do not stand in the way of telling so.
		parsed, _ := row.schema()
		standing = Standing{Schema: parsed}
		if err := t.readRun(schemaID, &standing); err != nil {
			return err
		}
		return t.readRecommendation(schemaID, &standing)
	})
	if err != nil {
		return Standing{}, fmt.Errorf("read where schema %d stands: %w", schemaID, err)
	}
	return standing, nil
}

func (t *tx) readRun(schemaID int64, standing *Standing) error {
	var row struct {
		ID        string
		State     string
		Attempts  int
		Outcome   string
		ErrorCode string
		ErrorText string
		EntityID  *int64
	}
	n, err := t.query(&row, "SELECT id, state, attempts, outcome, error_code, error_text, entity_id FROM schemacast_runs "+
		"WHERE schema_id = ? ORDER BY requested_ms DESC, id DESC LIMIT 1", schemaID)
	if err != nil || n == 0 {
		return err
	}
	standing.RunID, standing.Attempts = row.ID, row.Attempts
	standing.Open = row.State == stateRequested || row.State == stateRunning
	standing.Owned = row.State == stateRunning
	standing.Outcome = run.OutcomeState(row.Outcome)
	standing.Failure = run.Failure{Code: run.Code(row.ErrorCode), Text: row.ErrorText}
	if row.EntityID != nil {
		standing.EntityID = *row.EntityID
	}
	return nil
}

func (t *tx) readRecommendation(schemaID int64, standing *Standing) error {
	var row struct{ Recommendations *string }
	_, err := t.query(&row, "SELECT "+t.store.dialect.text("ai_recommendations")+" AS recommendations FROM schemas WHERE id = ?", schemaID)
	if err != nil || row.Recommendations == nil {
		return err
	}
	standing.Recommendation = decodeRecommendation(*row.Recommendations)
	return nil
}

// decodeRecommendation reads the column ai_recommendations, nil when something else
// wrote it in a shape of its own.
func decodeRecommendation(text string) *analysis.Recommendation {
	var in recommendationJSON
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return nil
	}
	r := &analysis.Recommendation{
		Action: analysis.Action(in.Action), EntityID: orZero(in.EntityID), EntityName: in.EntityName,
		SourceName: in.SourceSchemaName, Similarity: in.SimilarityScore, Reasoning: in.Reasoning,
		Review: in.Review, Engine: schema.Engine(in.Engine), Model: orZero(in.Model),
		PromptVersion: orZero(in.PromptVersion),
		Confidence:    in.Confidence, EntityConfidence: in.EntityConfidence, VerifiedRows: in.VerifiedRows,
	}
	for _, f := range in.CanonicalSchema.Fields {
		r.Fields = append(r.Fields, schema.Field{
			Name: f.Name, Type: f.Type, Format: orZero(f.Format), Required: f.Required, Description: f.Description,
		})
	}
	for _, m := range in.FieldMappings {
		sources := m.SourceFields
		if len(sources) == 0 && m.SourceField != "" {
			sources = []string{m.SourceField}
		}
		r.Mappings = append(r.Mappings, schema.Mapping{
			Sources: sources, Target: m.TargetField, Op: schema.Op(m.Transformation), Formula: orZero(m.JSONataFormula),
			Confidence: m.Confidence, Why: m.Explanation, Engine: schema.Engine(m.Engine), Review: m.Review,
		})
	}
	for _, u := range in.Unmapped {
		r.Unmapped = append(r.Unmapped, analysis.Unmapped{Source: u.SourceField, Target: u.TargetField, Code: u.Code, Detail: u.Detail})
	}
	return r
}

func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
