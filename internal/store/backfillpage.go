package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/schemacast/schemacast/internal/schema"
)

// BackfillRow is a schema whose run waits for a task.
type BackfillRow struct {
	SchemaID int64
	TenantID string
}

// backfillWindow is how many ids one page walks over at most, for each row that it may
// open: the app's table has no index on what filters choose by, and must not get one from
// us. So a page of a tenant with few rows is as short as any other.
const backfillWindow = 10

// Why a row is left alone.
const (
	skipOpen     = "open"
	skipMapped   = "mapped"
	skipRejected = "rejected"
	skipDisabled = "disabled"
)

// chosenRow is a row that the filter chooses. Skip is empty when a run is to be opened.
type chosenRow struct {
	ID               int64
	TenantID         string
	AIAnalysisStatus string `gorm:"column:ai_analysis_status"`
	Skip             string
}

// BackfillPage goes on with the backfill of an owner by one page: it opens runs for at
// most limit rows, sets those rows pending, and moves the cursor on, all in one
// transaction. It returns how far the backfill has come and the rows whose tasks belong
// into the queue. queued is as in SaveBackfill. Its error is ErrBackfillTaken when the
// owner has lost the backfill.
//
// A claim locks the run first and then the row, and so does this: it inserts before it
// updates, in the order of the ids.
func (s *Store) BackfillPage(ctx context.Context, owner string, limit int, queued int64) (Backfill, []BackfillRow, error) {
	var b Backfill
	var rows []BackfillRow
	err := s.transact(ctx, func(t *tx) error {
		var err error
		if b, err = t.ownBackfill(owner); err != nil {
			return err
		}
		b.Queued = max(b.Queued, queued)
		if b.Limit > 0 {
			limit = int(min(int64(limit), b.Limit-b.Opened))
		}
		if rows = nil; limit > 0 {
			if rows, err = t.backfillPage(&b, limit); err != nil {
				return err
			}
		}
		return t.saveBackfill(b)
	})
	if err != nil && !errors.Is(err, ErrBackfillTaken) {
		err = fmt.Errorf("open the runs of a page after schema %d: %w", b.After, err)
	}
	return b, rows, err
}

func (t *tx) backfillPage(b *Backfill, limit int) ([]BackfillRow, error) {
	chosen, err := t.choose(b, limit)
	if err != nil {
		return nil, err
	}
	var wanted []chosenRow
	var open []int64
	for _, row := range chosen {
		b.Skipped.add(row.Skip, 1)
		switch row.Skip {
		case "":
			wanted = append(wanted, row)
		case skipOpen:
			open = append(open, row.ID)
		}
	}
	opened, err := t.openAll(b, wanted)
	if err != nil {
		return nil, err
	}
	b.Opened += int64(len(opened))
	b.Skipped.Open += int64(len(wanted) - len(opened)) // somebody was quicker
	raised, err := t.raiseAll(b, open)
	b.Raised += int64(len(raised))
	return append(opened, raised...), err
}

// choose returns the next rows that the filter chooses and moves the cursor to the last
// of them, or to the end of the window.
func (t *tx) choose(b *Backfill, limit int) ([]chosenRow, error) {
	upTo := min(b.After+int64(limit)*backfillWindow, b.Last)
	condition, args := t.chosen(b.Filter)
	reason, reasonArgs := skipReason(b.Filter.Force), []any(nil)
	var rows []chosenRow
	args = append(append(reasonArgs, b.After, upTo), args...)
	n, err := t.query(&rows, "SELECT s.id, s.tenant_id, s.ai_analysis_status, "+reason+" AS skip FROM schemas s "+
		"WHERE s.id > ? AND s.id <= ? AND "+condition+" ORDER BY s.id LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, err
	}
	if int(n) == limit {
		b.After = rows[n-1].ID
		return rows, nil
	}
	b.After = upTo
	if n > 0 || upTo == b.Last {
		return rows, nil
	}
	// Ids may have gaps of any size.
	var next int64
	found, err := t.query(&next, "SELECT id FROM schemas WHERE id > ? ORDER BY id LIMIT 1", upTo)
	if err != nil {
		return nil, err
	}
	if found == 0 {
		next = b.Last + 1
	}
	b.After = min(max(upTo, next-1), b.Last)
	return nil, nil
}

// chosen is the filter as a condition on schemas s, without ids.
func (t *tx) chosen(f BackfillFilter) (string, []any) {
	condition := "s.type <> 'struct' AND s.ai_analysis_status IN ? AND (s.ai_analysis_status <> 'processing' OR " +
		"(SELECT 1 FROM schemacast_runs r WHERE r.active_schema_id = s.id) IS NULL AND COALESCE(" + t.store.dialect.age("s.updated_at") + ", 0) > ?)"
	statuses := make([]string, len(f.Statuses))
	for i, status := range f.Statuses {
		statuses[i] = string(status)
	}
	args := []any{statuses, abandonedAge}
	if f.TenantID != "" {
		condition += " AND s.tenant_id = ?"
		args = append(args, f.TenantID)
	}
	if !f.Since.IsZero() {
		condition += " AND s.created_at >= ?"
		args = append(args, f.Since.UTC().Format(appTime))
	}
	if !f.Until.IsZero() {
		condition += " AND s.created_at < ?"
		args = append(args, f.Until.UTC().Format(appTime))
	}
	return condition, args
}

// skipReason is why a row s is left alone, as an expression. What humans decided is what
// a commit would find, see humanDecided: to pay a model for a result that is not wanted
// helps nobody. The probes have a LIMIT so that the planner makes one for each row.
func skipReason(force bool) string {
	reason := "CASE WHEN (SELECT 1 FROM schemacast_runs r WHERE r.active_schema_id = s.id LIMIT 1) IS NOT NULL THEN '" + skipOpen + "' "
	if !force {
		reason += "WHEN s.ai_analysis_status = '" + string(schema.AnalysisDisabled) + "' THEN '" + skipDisabled + "' " +
			"WHEN s.status = '" + string(schema.StatusRejected) + "' THEN '" + skipRejected + "' " +
			"WHEN s.type <> 'input' OR (SELECT 1 FROM schema_mappings m WHERE m.schema_id = s.id LIMIT 1) IS NOT NULL AND " +
			"COALESCE((SELECT w.own_mappings FROM schemacast_streams w WHERE w.schema_id = s.id), '') IN ('', '{}', 'null') THEN '" + skipMapped + "' "
	}
	return reason + "ELSE '' END"
}

// openAll opens a run for each row that has none.
func (t *tx) openAll(b *Backfill, rows []chosenRow) ([]BackfillRow, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	source, args := t.store.dialect.newRuns(rows)
	args = append([]any{b.By, b.Filter.Force, b.Queue}, args...)
	var ids []int64
	_, err := t.query(&ids, "INSERT INTO schemacast_runs (id, schema_id, active_schema_id, tenant_id, state, requested_by, force, queue, requested_ms) "+
		"SELECT n.id, n.schema_id, n.schema_id, n.tenant_id, 'requested', ?, ?, ?, "+t.store.dialect.now+" FROM "+source+
		" WHERE true ON CONFLICT (active_schema_id) DO NOTHING RETURNING schema_id", args...)
	if err != nil {
		return nil, fmt.Errorf("insert the runs: %w", err)
	}
	mine := make(map[int64]bool, len(ids))
	for _, id := range ids {
		mine[id] = true
	}
	var settled []int64
	for _, row := range rows {
		if mine[row.ID] && schema.AnalysisStatus(row.AIAnalysisStatus) != schema.AnalysisPending {
			settled = append(settled, row.ID)
		}
	}
	if err := t.setPending(b.Filter, settled); err != nil {
		return nil, err
	}
	gone, err := t.closeUnwanted(ids)
	if err != nil {
		return nil, err
	}
	for _, id := range gone {
		delete(mine, id)
	}
	opened := make([]BackfillRow, 0, len(mine))
	for _, row := range rows {
		if mine[row.ID] {
			opened = append(opened, BackfillRow{SchemaID: row.ID, TenantID: row.TenantID})
		}
	}
	return opened, nil
}

// setPending leaves rows alone that are pending already: a million new versions of
// equal rows would be the app's to clean up.
func (t *tx) setPending(f BackfillFilter, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	in, arg := t.store.dialect.anyOf(ids)
	_, err := t.exec("UPDATE schemas SET ai_analysis_status = 'pending', updated_at = "+t.store.dialect.appNow+
		" WHERE id "+in+" AND ai_analysis_status IN ?", arg, f.Statuses)
	if err != nil {
		return fmt.Errorf("set the rows pending: %w", err)
	}
	return nil
}

// closeUnwanted deletes runs whose row is not pending after all: another run ended, or
// the app wrote or deleted it, between the look at the row and the insert of the run.
// From the insert on no other run can begin.
func (t *tx) closeUnwanted(ids []int64) ([]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	in, arg := t.store.dialect.anyOf(ids)
	var gone []int64
	_, err := t.query(&gone, "DELETE FROM schemacast_runs WHERE active_schema_id "+in+
		" AND COALESCE((SELECT s.ai_analysis_status FROM schemas s WHERE s.id = schema_id), '') <> 'pending' RETURNING schema_id", arg)
	if err != nil {
		return nil, fmt.Errorf("take back runs of rows that changed: %w", err)
	}
	return gone, nil
}

// raiseAll adds the request to open runs that nobody works on, as raise does, where it
// changes anything.
func (t *tx) raiseAll(b *Backfill, ids []int64) ([]BackfillRow, error) {
	if len(ids) == 0 || !b.Filter.Force && b.Queue == queueBackfill {
		return nil, nil
	}
	in, arg := t.store.dialect.anyOf(ids)
	var rows []BackfillRow
	_, err := t.query(&rows, "UPDATE schemacast_runs SET asked_ms = "+t.store.dialect.now+", force = force OR ?, queue = CASE WHEN ? = '' THEN '' ELSE queue END "+
		"WHERE active_schema_id "+in+" AND state = 'requested' RETURNING schema_id, tenant_id", b.Filter.Force, b.Queue, arg)
	if err != nil {
		return nil, fmt.Errorf("note the request on open runs: %w", err)
	}
	return rows, nil
}

// BackfillUnqueued returns, by id, the schemas after an id whose runs wait in a queue and
// that the backfill has passed. It is for whoever goes on after Redis was away: a task
// that is there already does no harm.
func (s *Store) BackfillUnqueued(ctx context.Context, queue string, after, upTo int64, limit int) ([]BackfillRow, error) {
	var rows []BackfillRow
	err := s.db.WithContext(ctx).Raw("SELECT active_schema_id AS schema_id, tenant_id FROM schemacast_runs WHERE active_schema_id > ? AND active_schema_id <= ? "+
		"AND state = 'requested' AND queue = ? ORDER BY active_schema_id LIMIT ?", after, upTo, queue, limit).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look for runs without a task: %w", translate(err))
	}
	return rows, nil
}

func newID() string { return ulid.Make().String() }
