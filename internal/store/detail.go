package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

const (
	detailRuns    = 20
	detailSamples = 3
)

// SchemaTenant returns the tenant of a schema. Its error is run.ErrUnknownSchema when there
// is none, also for the row of a canonical entity.
func (s *Store) SchemaTenant(ctx context.Context, schemaID int64) (string, error) {
	var tenantID string
	result := s.db.WithContext(ctx).Raw("SELECT tenant_id FROM schemas WHERE id = ? AND type <> 'struct'", schemaID).Scan(&tenantID)
	switch {
	case result.Error != nil:
		return "", fmt.Errorf("read the tenant of schema %d: %w", schemaID, translate(result.Error))
	case result.RowsAffected == 0:
		return "", fmt.Errorf("read the tenant of schema %d: %w", schemaID, run.ErrUnknownSchema)
	}
	return tenantID, nil
}

// Detail reads all that there is to know about a schema of a tenant, sample records only
// when they are wanted. Its error is run.ErrUnknownSchema when the tenant has no such schema.
func (s *Store) Detail(ctx context.Context, schemaID int64, tenantID string, samples bool) (schema.Detail, error) {
	var detail schema.Detail
	err := s.snapshot(ctx, func(t *tx) error {
		var row graphRow
		n, err := t.query(&row, graphSelect(s.dialect)+"WHERE s.id = ? AND s.tenant_id = ? AND s.type <> 'struct'", schemaID, tenantID)
		if err != nil {
			return err
		}
		if n == 0 {
			return run.ErrUnknownSchema
		}
		detail = schema.Detail{Schema: t.graphSchema(&row)}
		judge(&detail.Schema, row.Recommendations)
		if err := t.readDetailRuns(&detail); err != nil {
			return err
		}
		recommendation, err := t.readDetailDecision(&detail, row.Recommendations)
		if err != nil {
			return err
		}
		if err := t.readDetailMappings(&detail, recommendation); err != nil {
			return err
		}
		detail.Unmapped = unmapped(&detail, recommendation)
		if samples {
			return t.readDetailSamples(&detail)
		}
		return nil
	})
	if err != nil {
		return schema.Detail{}, fmt.Errorf("read schema %d: %w", schemaID, err)
	}
	return detail, nil
}

func (t *tx) readDetailRuns(d *schema.Detail) error {
	rows, err := t.historyRows(d.Schema.ID, d.Schema.TenantID, detailRuns)
	if err != nil || len(rows) == 0 {
		return err
	}
	runs := make([]Run, len(rows))
	for i, row := range rows {
		runs[i] = row.run()
	}
	if err := t.readAttempts(runs); err != nil {
		return err
	}
	for _, r := range runs {
		one := schema.DetailRun{RequestedBy: r.RequestedBy, Outcome: string(r.Outcome), GraphRun: schema.GraphRun{
			ID: r.ID, State: r.State, Attempts: r.AttemptCount, MaxAttempts: t.store.cfg.MaxAttempts,
			Requested: r.Requested, Started: r.Started, Ended: r.Ended, Error: r.Failure.Text, Code: string(r.Failure.Code),
		}}
		if d.Schema.Run != nil && r.ID == d.Schema.Run.ID {
			one.Attempts = d.Schema.Run.Attempts // those that count against the budget
		}
		for _, a := range r.Attempts {
			one.History = append(one.History, schema.DetailAttempt{
				Number: a.Number, Worker: a.Owner, Started: a.Started, Ended: a.Ended, Error: a.Failure.Text, Code: string(a.Failure.Code),
			})
		}
		d.Runs = append(d.Runs, one)
	}
	return nil
}

// readDetailDecision reads the stored recommendation, and what its run cost.
func (t *tx) readDetailDecision(d *schema.Detail, recommendations *string) (*analysis.Recommendation, error) {
	if recommendations == nil {
		return nil, nil
	}
	r := decodeRecommendation(*recommendations)
	if r == nil {
		return nil, nil
	}
	var stored struct {
		RunID string    `json:"run_id"`
		Usage usageJSON `json:"usage"`
	}
	// What can not be read stays empty.
	_ = json.Unmarshal([]byte(*recommendations), &stored)
	d.Decision = &schema.Decision{
		Action: string(r.Action), Confidence: unlessZero(r.EntityConfidence), Why: r.Reasoning, Engine: r.Engine,
		NeedsReview: r.NeedsReview(), Review: r.Review, PromptVersion: r.PromptVersion,
		Calls: stored.Usage.Calls, InputTokens: stored.Usage.PromptTokens, OutputTokens: stored.Usage.CompletionTokens,
	}
	var usage analysis.Usage
	n, err := t.query(&usage, "SELECT calls, priced_calls, cost_micros FROM schemacast_runs WHERE id = ?", stored.RunID)
	if err != nil {
		return nil, fmt.Errorf("cost: %w", err)
	}
	if micros, known := usage.Cost(); n > 0 && known && usage.PricedCalls > 0 {
		dollars := float64(micros) / 1e6
		d.Decision.Cost = &dollars
	}
	return r, nil
}

func (t *tx) readDetailMappings(d *schema.Detail, r *analysis.Recommendation) error {
	var proposed proposals
	verified := 0
	if r != nil {
		proposed, verified = proposalsOf(r), r.VerifiedRows
	}
	leads := map[int64]int{}
	_, err := each(t, func(_ int, row *graphMappingRow) bool {
		m, ok := row.mapping()
		if !ok {
			return true
		}
		leads[m.EntityID]++
		if p, ok := proposed[proposal{m.Source, m.Target, m.Formula}]; ok {
			m.Confidence, m.Why, m.Op, m.Review, m.VerifiedRows = &p.Confidence, p.Why, p.Op, p.Review, verified
		}
		d.Mappings = append(d.Mappings, m)
		return true
	}, graphMappings(t.store.dialect)+" ORDER BY m.id", []int64{d.Schema.ID}, d.Schema.TenantID)
	if err != nil {
		return fmt.Errorf("mappings: %w", err)
	}
	slices.SortStableFunc(d.Mappings, byDoubt)
	var most int64
	for id, mappings := range leads {
		if most == 0 || mappings > leads[most] || mappings == leads[most] && id > most {
			most = id
		}
	}
	if most == 0 {
		return nil
	}
	var row entityRow
	n, err := t.query(&row, "SELECT "+t.entityColumns()+" FROM schemas WHERE id = ? AND "+confirmedStructs, most, d.Schema.TenantID)
	if err != nil || n == 0 {
		return err
	}
	entity := row.drawn()
	d.Entity = &entity
	return nil
}

// byDoubt puts what needs a look first, and what a human made last.
func byDoubt(a, b schema.DetailMapping) int {
	rank := func(m schema.DetailMapping) float64 {
		if m.Confidence == nil {
			return 2
		}
		return *m.Confidence
	}
	return cmp.Compare(rank(a), rank(b))
}

// unmapped are the fields that no mapping uses, with the reason where the analysis gave
// one, and the required fields of the entity that the analysis could not fill.
func unmapped(d *schema.Detail, r *analysis.Recommendation) []schema.DetailUnmapped {
	if r == nil && len(d.Mappings) == 0 {
		return nil // nobody has tried
	}
	used, filled := map[string]bool{}, map[string]bool{}
	for _, m := range d.Mappings {
		filled[m.Target] = true
		used[m.Source] = true
		for source := range strings.SplitSeq(m.Source, ",") {
			used[source] = true
		}
	}
	var list []schema.DetailUnmapped
	told := map[string]bool{}
	if r != nil {
		for _, u := range r.Unmapped {
			if u.Source != "" && used[u.Source] || u.Source == "" && filled[u.Target] {
				continue // a human has mapped it since
			}
			told[u.Source] = true
			list = append(list, schema.DetailUnmapped{Source: u.Source, Target: u.Target, Why: u.Detail, Code: u.Code})
		}
	}
	for _, f := range d.Schema.Fields {
		if !used[f.Name] && !told[f.Name] {
			list = append(list, schema.DetailUnmapped{Source: f.Name})
		}
	}
	return list
}

func (t *tx) readDetailSamples(d *schema.Detail) error {
	var row struct{ SampleData string }
	if _, err := t.query(&row, "SELECT "+t.store.dialect.text("sample_data")+" AS sample_data FROM schemas WHERE id = ?", d.Schema.ID); err != nil {
		return fmt.Errorf("samples: %w", err)
	}
	d.Samples = append([]json.RawMessage{}, schema.SampleRows(json.RawMessage(row.SampleData), detailSamples)...)
	return nil
}
