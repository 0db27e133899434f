package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// The errors of a backfill.
var (
	// ErrNoBackfill says that there is none, or that it has come to its end.
	ErrNoBackfill = errors.New("there is no backfill that has not come to its end")
	// ErrBackfillTaken says that another process goes on with the backfill, or began
	// another one: whoever gets it must stop.
	ErrBackfillTaken = errors.New("another process has taken the backfill over")
)

// backfillKey is the row of schemacast_meta that holds the backfill as JSON. There is
// one at a time: what two would ask for is one table, and one queue.
const backfillKey = "backfill"

// abandoned rows are older than this, see abandonedAfter.
const abandonedAge = int64(abandonedAfter / time.Second)

// BackfillFilter chooses among the app's rows. Canonical entities are never chosen.
type BackfillFilter struct {
	// Statuses of the analysis. A row that is "processing" is chosen when the job that
	// this service replaced must have left it behind.
	Statuses []schema.AnalysisStatus `json:"statuses"`
	// TenantID chooses one tenant when not empty.
	TenantID string `json:"tenant_id,omitempty"`
	// Since and Until bound the time at which the row was created; the zero value does
	// not. Until itself is not included.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Force also chooses what humans rejected, disabled or mapped, and allows the runs to
	// replace that.
	Force bool `json:"force"`
}

// BackfillRequest asks for the analysis of all rows that a filter chooses.
type BackfillRequest struct {
	Filter BackfillFilter `json:"filter"`
	// Queue is as in Request.
	Queue string `json:"queue"`
	// By says who asks; it stays on the runs.
	By string `json:"by"`
	// Limit is how many runs are opened at most, the lowest ids first; 0 for all.
	Limit int64 `json:"limit,omitempty"`
	// Total is how many are expected, for people who watch.
	Total int64 `json:"total"`
}

// BackfillSkipped counts rows that the filter chooses and that are left alone.
type BackfillSkipped struct {
	Open     int64 `json:"open"`     // a run is open already
	Mapped   int64 `json:"mapped"`   // a human mapped it
	Rejected int64 `json:"rejected"` // a human rejected it
	Disabled int64 `json:"disabled"` // its analysis is disabled
}

// Sum is the number of them all.
func (s BackfillSkipped) Sum() int64 { return s.Open + s.Mapped + s.Rejected + s.Disabled }

func (s *BackfillSkipped) add(reason string, n int64) {
	switch reason {
	case skipOpen:
		s.Open += n
	case skipMapped:
		s.Mapped += n
	case skipRejected:
		s.Rejected += n
	case skipDisabled:
		s.Disabled += n
	}
}

// Backfill is how far one has come. It is stored with every page, in the transaction of
// the page, so that whoever goes on neither loses nor repeats a row.
type Backfill struct {
	BackfillRequest
	ID string `json:"id"`
	// Owner is the process that may go on with it.
	Owner string `json:"owner"`
	// After is the id up to which rows have been looked at, and Last the highest one when
	// it began: rows that came later are no history.
	After int64 `json:"after"`
	Last  int64 `json:"last"`
	// Queued is the id up to which the tasks of the runs are known to be in Redis.
	Queued  int64           `json:"queued"`
	Opened  int64           `json:"opened"` // runs
	Raised  int64           `json:"raised"` // runs that were open, and got force or the better queue
	Skipped BackfillSkipped `json:"skipped"`
	// Started and Ended are the database's clock, in epoch milliseconds; Ended is 0 until
	// it has come to its end.
	Started int64 `json:"started_ms"`
	Ended   int64 `json:"ended_ms,omitempty"`
}

// Exhausted says that there is no row left to look at.
func (b Backfill) Exhausted() bool {
	return b.After >= b.Last || b.Limit > 0 && b.Opened >= b.Limit
}

// StartBackfill begins a backfill that belongs to an owner, in place of the one before,
// which it returns when that has not come to its end.
func (s *Store) StartBackfill(ctx context.Context, owner string, r BackfillRequest) (begun Backfill, replaced *Backfill, err error) {
	if r.Queue != queueInteractive && r.Queue != queueBackfill {
		return Backfill{}, nil, fmt.Errorf("begin a backfill: the queue %q is unknown; use %q, or leave it empty", r.Queue, queueBackfill)
	}
	err = s.transact(ctx, func(t *tx) error {
		replaced = nil
		before, found, err := t.backfill()
		if err != nil {
			return err
		}
		if found && before.Ended == 0 {
			replaced = &before
		}
		begun = Backfill{BackfillRequest: r, ID: newID(), Owner: owner}
		begun.By = clip(r.By, maxVarchar)
		if _, err := t.query(&begun.Last, "SELECT COALESCE(max(id), 0) FROM schemas"); err != nil {
			return err
		}
		if _, err := t.query(&begun.Started, "SELECT "+s.dialect.now); err != nil {
			return err
		}
		return t.saveBackfill(begun)
	})
	if err != nil {
		return Backfill{}, nil, fmt.Errorf("begin a backfill: %w", err)
	}
	return begun, replaced, nil
}

// ResumeBackfill gives the backfill that has not come to its end to an owner. Its error
// is ErrNoBackfill when there is none.
func (s *Store) ResumeBackfill(ctx context.Context, owner string) (Backfill, error) {
	var b Backfill
	err := s.transact(ctx, func(t *tx) error {
		var found bool
		var err error
		if b, found, err = t.backfill(); err != nil {
			return err
		}
		if !found || b.Ended != 0 {
			return ErrNoBackfill
		}
		b.Owner = owner
		return t.saveBackfill(b)
	})
	if errors.Is(err, ErrNoBackfill) {
		return Backfill{}, ErrNoBackfill
	}
	if err != nil {
		return Backfill{}, fmt.Errorf("resume the backfill: %w", err)
	}
	return b, nil
}

// SaveBackfill notes up to which id tasks are in Redis. A backfill that is exhausted,
// and whose tasks are all there, has come to its end with that.
func (s *Store) SaveBackfill(ctx context.Context, owner string, queued int64) (Backfill, error) {
	var b Backfill
	err := s.transact(ctx, func(t *tx) error {
		var err error
		if b, err = t.ownBackfill(owner); err != nil {
			return err
		}
		b.Queued = max(b.Queued, queued)
		if b.Exhausted() && b.Queued >= b.After && b.Ended == 0 {
			if _, err := t.query(&b.Ended, "SELECT "+s.dialect.now); err != nil {
				return err
			}
		}
		return t.saveBackfill(b)
	})
	if err != nil && !errors.Is(err, ErrBackfillTaken) {
		return Backfill{}, fmt.Errorf("note how far the backfill has come: %w", err)
	}
	return b, err
}

// backfill reads the row, locked until the end of the transaction.
func (t *tx) backfill() (Backfill, bool, error) {
	var text string
	n, err := t.query(&text, "SELECT value FROM schemacast_meta WHERE key = ?"+t.store.dialect.forUpdate, backfillKey)
	if err != nil || n == 0 {
		return Backfill{}, false, err
	}
	var b Backfill
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return Backfill{}, false, fmt.Errorf("schemacast_meta has a damaged row %s; delete it: %w", backfillKey, err)
	}
	return b, true, nil
}

func (t *tx) ownBackfill(owner string) (Backfill, error) {
	b, found, err := t.backfill()
	if err == nil && (!found || b.Owner != owner) {
		err = ErrBackfillTaken
	}
	return b, err
}

func (t *tx) saveBackfill(b Backfill) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO schemacast_meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", backfillKey, string(text))
	return err
}
