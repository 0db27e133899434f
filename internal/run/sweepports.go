package run

import (
	"context"
	"time"
)

// Leases elect one process among all for a job.
type Leases interface {
	// Lead takes or renews the lease of a job for ttl, and says whether owner holds it.
	Lead(ctx context.Context, job, owner string, ttl time.Duration) (bool, error)
	// Resign gives the lease back, so that another process need not wait for its end.
	Resign(ctx context.Context, job, owner string) error
}

// Backlog is what asks for an analysis and has no worker.
type Backlog interface {
	// Orphans returns open runs that no worker holds, interactive ones first, then by
	// age: requested ones, once they are older than grace, and running ones whose
	// owner is gone. A page begins after the last orphan of the page before, nil for
	// the first one.
	Orphans(ctx context.Context, after *Orphan, grace time.Duration, limit int) ([]Orphan, error)
	// Forgotten returns rows that wait for an analysis and have no run, by id,
	// beginning after an id: those that were created since the service was installed,
	// and grace ago.
	Forgotten(ctx context.Context, after int64, grace time.Duration, limit int) ([]Orphan, error)
	// Requested returns the open runs of some schemas that no worker has taken up, however
	// young they are.
	Requested(ctx context.Context, schemaIDs []int64) ([]Orphan, error)
	// Abandon ends the open run of an orphan whose task was put away at a time, or the
	// wish of a row without a run: row failed, one failed event. It changes nothing, and
	// says so, when somebody took the run up or asked again since then.
	Abandon(ctx context.Context, o Orphan, putAway time.Time, f Failure) (bool, error)
}

// Orphan is work that nobody does.
type Orphan struct {
	SchemaID int64
	TenantID string
	RunID    string // empty for a row without a run
	Fence    int64  // of the run
	// Backfill says that the work belongs into the backfill queue.
	Backfill bool
	// Requested is when somebody asked, by the database's clock.
	Requested time.Time
}

// Archive forgets what is not needed any more.
type Archive interface {
	// Prune deletes one bounded batch of what is older than its retention, and says
	// how much it was; call it until nothing is left.
	Prune(ctx context.Context, r Retention) (Pruned, error)
}

// Retention is how long records are kept. Zero keeps them for ever.
type Retention struct {
	Events  time.Duration // after they were sent
	Answers time.Duration // after they were given
	Runs    time.Duration // after they ended, with their attempts
}

// Pruned counts deleted rows.
type Pruned struct{ Events, Answers, Runs int64 }

// Any says whether there may be more.
func (p Pruned) Any() bool { return p.Events+p.Answers+p.Runs > 0 }

// Clock tells the time of a server, to compare it with ours.
type Clock interface {
	Now(ctx context.Context) (time.Time, error)
}
