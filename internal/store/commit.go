package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/failpoint"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// Commit implements run.Results.
func (s *Store) Commit(ctx context.Context, c *run.Claim, d run.Decision) (run.Outcome, error) {
	var outcome run.Outcome
	err := s.transact(ctx, func(t *tx) error {
		var err error
		outcome, err = t.commit(c, d)
		if err == nil && failpoint.Enabled {
			err = t.ask() // all but COMMIT has arrived
		}
		failpoint.Reach("store.before-commit")
		return err
	})
	if errors.Is(err, run.ErrClaimLost) {
		return run.Outcome{}, err
	}
	if err != nil {
		return run.Outcome{}, fmt.Errorf("commit run %s: %w", c.RunID, err)
	}
	return outcome, nil
}

// commitment is one commit in progress.
type commitment struct {
	*tx
	claim          *run.Claim
	run            *runRow
	cost           costRow
	record         *schemaRow // nil when the schema is gone
	mine           *ownWork
	entity         *entityRow // that the recommendation maps to, nil when there is none such
	recommendation analysis.Recommendation
	confirm        func(analysis.Recommendation) bool
}

// commit locks in the one order that all transactions keep: run, tenant, schema.
func (t *tx) commit(c *run.Claim, d run.Decision) (run.Outcome, error) {
	x := &commitment{tx: t, claim: c, recommendation: d.Result.Recommendation, confirm: d.Confirm}
	creates := x.recommendation.Action == analysis.ActionCreateNew
	if err := x.look(!creates); err != nil {
		return run.Outcome{}, err
	}
	if ended, outcome, err := x.ended(); ended || err != nil {
		return outcome, err
	}
	if creates {
		var err error
		if x.recommendation, err = t.rematch(x.run, d); err != nil {
			return run.Outcome{}, err
		}
		if err := x.lockSchema(); err != nil {
			return run.Outcome{}, err
		}
	}
	if x.record == nil {
		f := run.Failure{Code: run.CodeSchemaGone, Text: "the schema was deleted before its analysis was finished"}
		return run.Outcome{State: run.OutcomeSchemaGone, Code: f.Code}, t.fail(x.run, f)
	}
	if text := x.notWanted(); text != "" {
		f := run.Failure{Code: run.CodeSuperseded, Text: text}
		return run.Outcome{State: run.OutcomeFailed, Code: f.Code}, t.fail(x.run, f)
	}
	if x.record.DetectedFields != string(d.Schema.RawFields) {
		return t.startAgain(x.run, x.record)
	}
	if x.humanDecided() && !x.run.Force {
		return x.keepHuman()
	}
	return x.complete()
}

// look locks the run, and the rest as well where no lock of the tenant comes in between.
func (x *commitment) look(all bool) error {
	var row runRow
	var found int64
	questions := []question{x.runByID(&row, &found, x.claim.RunID), x.costOf(&x.cost, x.claim.RunID)}
	if all {
		if err := x.lockSchema(questions...); err != nil {
			return err
		}
	} else if err := x.ask(questions...); err != nil {
		return fmt.Errorf("read run %s: %w", x.claim.RunID, err)
	}
	if found == 0 || row.Fence != x.claim.Fence {
		return run.ErrClaimLost
	}
	x.run = &row
	return nil
}

// lockSchema locks the schema and its mappings, and reads the entity that the
// recommendation maps to.
func (x *commitment) lockSchema(before ...question) error {
	var entity entityRow
	var found int64
	after := x.entityByID(&entity, &found, x.recommendation.EntityID, x.claim.Schema)
	var err error
	if x.record, x.mine, err = x.tx.lockSchema(x.claim.Schema.ID, before, after); err != nil {
		return err
	}
	if found == 1 {
		x.entity = &entity
	}
	return nil
}

// ended says that the run needs no result any more, and what became of it.
func (x *commitment) ended() (bool, run.Outcome, error) {
	switch r := x.run; {
	case r.State == stateCompleted:
		// The reply to an earlier commit of this claim was lost on its way.
		return true, run.Outcome{State: run.OutcomeState(r.Outcome)}, nil
	case r.wasCancelled():
		return true, run.Outcome{State: run.OutcomeCancelled, Code: run.CodeCancelled}, nil
	case r.State != stateRunning:
		return true, run.Outcome{}, run.ErrClaimLost
	case r.CancelledBy != "":
		return true, run.Outcome{State: run.OutcomeCancelled, Code: run.CodeCancelled}, x.fail(r, r.cancellation())
	}
	return false, run.Outcome{}, nil
}

// notWanted says why nobody wants the result any more, empty when it is wanted.
func (x *commitment) notWanted() string {
	switch {
	case x.record.TenantID != x.run.TenantID:
		return movedText
	case schema.AnalysisStatus(x.record.AIAnalysisStatus) == schema.AnalysisDisabled:
		return "somebody disabled its analysis meanwhile"
	}
	return ""
}

// startAgain leaves the run to its owner, who analyses the new fields; a schema
// that keeps changing fails in the end.
func (t *tx) startAgain(r *runRow, record *schemaRow) (run.Outcome, error) {
	if r.Restarts >= t.store.cfg.MaxRestarts {
		f := run.Failure{
			Code: run.CodeFieldsChanging,
			Text: fmt.Sprintf("the fields changed %d times during the analysis; ask again when they are settled", r.Restarts+1),
		}
		return run.Outcome{State: run.OutcomeFailed, Code: f.Code}, t.fail(r, f)
	}
	err := t.execOne("start run "+r.ID+" again", "UPDATE schemacast_runs SET restarts = restarts + 1, checkpoint = NULL, checkpoint_sum = '', heartbeat_ms = "+
		t.store.dialect.now+" WHERE id = ?", r.ID)
	if err != nil {
		return run.Outcome{}, err
	}
	if err := t.emit(r, schema.Event{Kind: schema.EventProgress, Progress: &schema.Progress{Stage: "restart"}}); err != nil {
		return run.Outcome{}, err
	}
	changed, err := record.schema()
	var unusable *schema.FieldsError
	if errors.As(err, &unusable) {
		f := run.Failure{Code: run.CodeBadFields, Text: unusable.Error()}
		return run.Outcome{State: run.OutcomeFailed, Code: f.Code}, t.fail(r, f)
	}
	return run.Outcome{State: run.OutcomeFieldsChanged, Schema: changed}, err
}

// keepHuman stores the recommendation and nothing else, since a human decided.
func (x *commitment) keepHuman() (run.Outcome, error) {
	entity, count, err := x.mappedEntity(x.record)
	if err != nil {
		return run.Outcome{}, err
	}
	written, err := x.encodeRecommendation(0)
	if err != nil {
		return run.Outcome{}, err
	}
	now := x.store.dialect.appNow
	x.later("store the recommendation", "UPDATE schemas SET ai_recommendations = ?, ai_analysis_status = 'completed', ai_analyzed_at = "+now+
		", ai_analysis_error = NULL, updated_at = "+now+" WHERE id = ?", written, x.record.ID)
	return x.finish(run.OutcomeKeptHuman, entity, count, nil)
}

// complete writes the whole result.
func (x *commitment) complete() (run.Outcome, error) {
	entity, err := x.entityFor()
	if errors.Is(err, errNoRow) {
		return x.entityGone()
	}
	if err != nil {
		return run.Outcome{}, err
	}
	if err := x.replaceMappings(entity); err != nil {
		return run.Outcome{}, err
	}
	if err := x.writeRow(entity); err != nil {
		return run.Outcome{}, err
	}
	return x.finish(run.OutcomeCompleted, entity, len(x.recommendation.Mappings), x.mine)
}

// entityGone takes the checkpoint away, which names an entity that does not exist
// any more, and leaves the run to its owner.
func (x *commitment) entityGone() (run.Outcome, error) {
	err := x.execOne("forget the answer of run "+x.run.ID, "UPDATE schemacast_runs SET checkpoint = NULL, checkpoint_sum = '' WHERE id = ?", x.run.ID)
	return run.Outcome{State: run.OutcomeEntityGone}, err
}

// writeRow updates the app's row, and record with it.
func (x *commitment) writeRow(entity *entityRow) error {
	written, err := x.encodeRecommendation(entity.ID)
	if err != nil {
		return err
	}
	if proposed := clip(x.recommendation.SourceName, maxVarchar); proposed != "" && x.mayRename() {
		x.record.Name, x.mine.name = &proposed, proposed
	}
	if x.confirm(x.recommendation) {
		x.record.Status = string(schema.StatusConfirmed)
	}
	now := x.store.dialect.appNow
	x.later("write the result into the schema", "UPDATE schemas SET ai_recommendations = ?, ai_analysis_status = 'completed', "+
		"ai_analyzed_at = "+now+", ai_analysis_error = NULL, name = ?, status = ?, updated_at = "+now+" WHERE id = ?",
		written, x.record.Name, x.record.Status, x.record.ID)
	return nil
}

// mayRename is false for a name that a human gave: only an empty one, or the one
// that our last run wrote, is replaced.
func (x *commitment) mayRename() bool {
	name := x.record.Name
	return x.run.Force || name == nil || *name == "" || *name == x.mine.name
}

// finish closes the run and tells the watchers the state after the commit. wrote is what
// the run wrote, nil where it left everything as it was.
func (x *commitment) finish(state run.OutcomeState, entity *entityRow, mappings int, wrote *ownWork) (run.Outcome, error) {
	ended := ending{
		state: stateCompleted, outcome: string(state),
		engine: string(x.recommendation.Engine), model: clip(x.recommendation.Model, maxVarchar),
	}
	if entity != nil {
		ended.entityID = &entity.ID
	}
	x.endRun(x.run, ended)
	after := x.record.unparsed()
	err := x.emitWith(x.run, schema.Event{Kind: schema.EventCompleted, Completed: &schema.Completed{
		Schema: schema.CompletedSchema{
			ID: after.ID, Hash: after.Hash, Name: after.Name, Kind: after.Kind, Status: after.Status,
			TenantName: after.TenantName, Fields: after.RawFields, CreatedAt: after.CreatedAt,
		},
		Entity:        entity.completed(),
		MappingsCount: mappings,
	}}, wrote)
	return run.Outcome{State: state}, err
}
