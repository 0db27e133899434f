package broadcast

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// serverFailed gives the streams back, since another relay may reach the server, and
// chooses the pause.
func (r *Relay) serverFailed(ctx context.Context, left []*item, err error) pace {
	delay := r.pause(err)
	r.giveBack(ctx, left, delay)
	return pace{wait: delay, deaf: true, err: err}
}

// pause notes a failure of the server and says how long to leave it alone.
func (r *Relay) pause(err error) time.Duration {
	if classify(err) == misconfigured {
		r.gauge.broken(HealthDegraded, err)
		return r.cfg.ConfigRetry
	}
	r.gauge.broken(HealthRetrying, err)
	delay := r.retry.NextBackOff()
	if answer, ok := errors.AsType[*PublishError](err); ok {
		if answer.Status == http.StatusTooManyRequests {
			// A limit below the size of the batch would never let it pass.
			r.batch = max(1, r.batch/2)
		}
		delay = max(delay, answer.RetryAfter)
	}
	return delay
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
