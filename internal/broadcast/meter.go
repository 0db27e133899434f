package broadcast

import (
	"context"
	"log/slog"
	"time"
)

// measure keeps Status.Unsent up to date. It runs beside the relay, since counting a
// long outbox takes a while.
func (r *Relay) measure(ctx context.Context) {
	if r.cfg.Meter == nil {
		return
	}
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		// A twentieth of the time at most is spent on counting.
		wait.Reset(max(r.cfg.MeterInterval, 20*r.count(ctx)))
	}
}

// count asks the meter once and says how long that took.
func (r *Relay) count(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.MeterInterval)
	defer cancel()
	asked := time.Now()
	unsent, err := r.cfg.Meter.Unsent(ctx)
	took := time.Since(asked)
	if err != nil {
		// The relay tells loudly when the outbox does not answer; the last count stays.
		r.log.DebugContext(ctx, "unsent events not counted", slog.String("error", err.Error()))
		return took
	}
	r.gauge.measured(unsent, unsent.AsOf.Sub(asked.Add(took/2)))
	return took
}
