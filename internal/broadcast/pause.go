package broadcast

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// serverFailed gives the streams back at once, since another relay may reach the
// server, and chooses the pause of this one. A rate limit holds for all.
func (r *Relay) serverFailed(ctx context.Context, left []*item, err error) pace {
	wait := r.pause(err)
	later := time.Duration(0)
	if rateLimited(err) {
		later = wait
	}
	r.giveBack(ctx, left, later)
	// The next round only tries whether the server is back, and holds up little. It
	// sends less at once: a limit of the rate below the size of a batch never lets it pass.
	r.streams, r.batch, r.proven = 1, max(1, r.batch/2), false
	return pace{wait: wait, deaf: true, err: err}
}

func rateLimited(err error) bool {
	answer, ok := errors.AsType[*PublishError](err)
	return ok && answer.Status == http.StatusTooManyRequests
}

// pause notes a failure of the server and says how long to leave it alone.
func (r *Relay) pause(err error) time.Duration {
	if classify(err) == misconfigured {
		r.gauge.broken(HealthDegraded, err)
		return r.cfg.ConfigRetry
	}
	r.gauge.broken(HealthRetrying, err)
	wait := r.retry.NextBackOff()
	if answer, ok := errors.AsType[*PublishError](err); ok {
		wait = max(wait, answer.RetryAfter)
	}
	return wait
}

func (r *Relay) outboxFailed(err error) pace {
	r.gauge.broken(HealthRetrying, err)
	return pace{wait: r.retry.NextBackOff(), deaf: true, err: err}
}

// idle ends a round without events. After a failure the server is asked how it does,
// since the events may have gone out through another relay.
func (r *Relay) idle(ctx context.Context) pace {
	if r.gauge.read().Health == HealthOK {
		return pace{wait: r.cfg.PollInterval}
	}
	if err := r.publisher.Check(ctx); err != nil && ctx.Err() == nil {
		return pace{wait: r.pause(err), deaf: true, err: err}
	}
	r.retry.Reset()
	r.gauge.fine()
	return pace{wait: r.cfg.PollInterval}
}
