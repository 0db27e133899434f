package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/schemacast/schemacast/internal/run"
)

const (
	// settling is how long a row may stay invisible after the time that it says it was
	// created: its producer's transaction may commit late.
	settling = 10 * time.Minute
	// maxID is more than any id.
	maxID = math.MaxInt64
)

// The app's rows that wait for an analysis and have no run, as conditions on
// schemas s. The probes have a LIMIT so that the planner makes one for each row that
// passed the rest, and never reads our tables as a whole.
const (
	withoutRun     = "(SELECT 1 FROM schemacast_runs r WHERE r.schema_id = s.id LIMIT 1) IS NULL"
	withoutMapping = "(SELECT 1 FROM schema_mappings m WHERE m.schema_id = s.id LIMIT 1) IS NULL"
	undecidedInput = "s.type = 'input' AND s.status = 'pending' AND s.ai_analysis_status IN ('pending', 'processing')"
	// forgottenRow has the parameters abandoned, installed and grace.
	forgottenRow = undecidedInput + " AND (s.ai_analysis_status = 'pending' OR s.updated_at < ?) AND s.created_at >= ? AND s.created_at <= ? AND " +
		withoutRun + " AND " + withoutMapping
	// unsettledRow has the parameters recent and installed.
	unsettledRow = "(s.created_at > ? OR " + undecidedInput + " AND s.created_at >= ? AND " + withoutRun + ")"
)

// Forgotten implements run.Backlog. A row that the job which this service replaced
// left in "processing" counts as well, once that job must have died.
//
// The app's table has no index that finds these rows, and must not get one from us.
// So everything up to an id that schemacast_meta keeps counts as settled, and only
// what came later is looked at, with a few settled rows in turn.
func (s *Store) Forgotten(ctx context.Context, after int64, grace time.Duration, limit int) ([]run.Orphan, error) {
	var orphans []run.Orphan
	err := s.transact(ctx, func(t *tx) error {
		search, err := t.newSearch(grace)
		if err != nil {
			return err
		}
		orphans, err = search.page(after, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for schemas without a run: %w", err)
	}
	return orphans, nil
}

// search looks for forgotten rows. Its times are as the app's columns hold them.
type search struct {
	*tx
	installed, recent, abandoned, latest string
}

func (t *tx) newSearch(grace time.Duration) (*search, error) {
	now, err := t.now()
	if err != nil {
		return nil, err
	}
	installed, found, err := t.number(installedKey)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("schemacast_meta has no row %s, which says from when on rows are analysed; insert it with that time in epoch milliseconds", installedKey)
	}
	text := func(at time.Time) string { return at.UTC().Format(appTime) }
	return &search{
		tx:        t,
		installed: text(time.UnixMilli(installed)),
		recent:    text(now.Add(-settling)),
		abandoned: text(now.Add(-abandonedAfter)),
		latest:    text(now.Add(-grace)),
	}, nil
}

// page begins a new sweep when after is 0: it moves on what counts as settled, and
// which of the settled rows are looked at again.
func (s *search) page(after int64, limit int) ([]run.Orphan, error) {
	settled, err := s.settled(after == 0)
	if err != nil {
		return nil, err
	}
	var orphans []run.Orphan
	if after < settled {
		if orphans, err = s.again(after, settled, limit); err != nil {
			return nil, err
		}
	}
	if len(orphans) < limit {
		rest, err := s.between(max(after, settled), maxID, limit-len(orphans))
		if err != nil {
			return nil, err
		}
		orphans = append(orphans, rest...)
	}
	return orphans, nil
}

// between returns forgotten rows with after < id <= upTo.
func (s *search) between(after, upTo int64, limit int) ([]run.Orphan, error) {
	var rows []struct {
		ID        int64
		TenantID  string
		CreatedAt *string
	}
	_, err := s.query(&rows, "SELECT s.id, s.tenant_id, "+s.store.dialect.time("s.created_at")+" AS created_at FROM schemas s "+
		"WHERE s.id > ? AND s.id <= ? AND "+forgottenRow+" ORDER BY s.id LIMIT ?",
		after, upTo, s.abandoned, s.installed, s.latest, limit)
	if err != nil {
		return nil, err
	}
	orphans := make([]run.Orphan, len(rows))
	for i, r := range rows {
		orphans[i] = run.Orphan{SchemaID: r.ID, TenantID: r.TenantID, Requested: parseAppTime(r.CreatedAt)}
	}
	return orphans, nil
}

// again looks at settled rows: a sweep's first page at those after the place where
// the sweep before ended, a later page at those after its own.
func (s *search) again(after, settled int64, limit int) ([]run.Orphan, error) {
	begin := after
	if after == 0 {
		place, _, err := s.number(revisitedKey)
		if err != nil {
			return nil, err
		}
		if begin = place; begin >= settled {
			begin = 0
		}
	}
	var last int64
	n, err := s.query(&last, "SELECT id FROM schemas WHERE id > ? AND id <= ? ORDER BY id LIMIT 1 OFFSET ?", begin, settled, s.store.cfg.bounds.revisited-1)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		last = settled
	}
	orphans, err := s.between(begin, last, limit)
	if err != nil {
		return nil, err
	}
	if len(orphans) == limit {
		last = orphans[limit-1].SchemaID
	}
	return orphans, s.setNumber(revisitedKey, last)
}

// settled returns the id up to which no row waits without a run. It moves on when
// asked to, and starts again when the table has become shorter: another backup was
// restored.
func (s *search) settled(moveOn bool) (int64, error) {
	settled, found, err := s.number(settledKey)
	if err != nil || found && !moveOn {
		return settled, err
	}
	var last int64
	if _, err := s.query(&last, "SELECT COALESCE(max(id), 0) FROM schemas"); err != nil {
		return 0, err
	}
	from := settled
	if !found || settled > last {
		if from, err = s.beforeInstallation(last); err != nil {
			return 0, err
		}
	}
	var unsettled int64
	n, err := s.query(&unsettled, "SELECT s.id FROM schemas s WHERE s.id > ? AND "+unsettledRow+" ORDER BY s.id LIMIT 1", from, s.recent, s.installed)
	if err != nil {
		return 0, err
	}
	upTo := last
	if n == 1 {
		upTo = min(last, unsettled-1)
	}
	if found && upTo == settled {
		return settled, nil
	}
	return upTo, s.setNumber(settledKey, upTo)
}

// beforeInstallation searches, by halves, for the last row that is older than the
// installation. Where the order of ids is not the order of creation it is a guess,
// which the revisits make good.
func (s *search) beforeInstallation(last int64) (int64, error) {
	low, high := int64(0), last
	for low < high {
		middle := low + (high-low)/2
		var row struct {
			ID  int64
			Old bool
		}
		n, err := s.query(&row, "SELECT id, created_at < ? AS old FROM schemas WHERE id > ? AND id <= ? AND created_at IS NOT NULL ORDER BY id LIMIT 1",
			s.installed, middle, high)
		if err != nil {
			return 0, err
		}
		if n == 1 && row.Old {
			low = row.ID
		} else {
			high = middle
		}
	}
	return low, nil
}
