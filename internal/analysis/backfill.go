package analysis

import "context"

type backfillKey struct{}

// WithBackfill marks the work under ctx as a backfill: nobody waits for it, so its
// questions leave a share of the model's limits to those that somebody does.
func WithBackfill(ctx context.Context) context.Context {
	return context.WithValue(ctx, backfillKey{}, true)
}

// IsBackfill says whether WithBackfill marked ctx.
func IsBackfill(ctx context.Context) bool {
	marked, _ := ctx.Value(backfillKey{}).(bool)
	return marked
}
