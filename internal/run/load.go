package run

import (
	"context"
	"time"
)

// Loads tells how much work there is.
type Loads interface {
	// Load counts the open runs of all tenants. It is cheap however many there are.
	Load(ctx context.Context) (Load, error)
}

// Load is the work of the whole installation at a moment.
type Load struct {
	// Interactive and Backfill are the runs that wait for a worker.
	Interactive, Backfill Waiting
	// Running are the runs that somebody works on, Silent those of them whose owner has not
	// been heard of for as long as a claim lasts.
	Running, Silent int64
}

// Waiting are the runs of a queue that nobody has taken up.
type Waiting struct {
	// Runs is exact up to 10,000. More are estimated: right for both queues together, with
	// what is beyond in the backfill where both have more.
	Runs      int64
	Estimated bool
	// Oldest is for how long the oldest of them waits, 0 without any.
	Oldest time.Duration
}
