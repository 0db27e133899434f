package llm

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/schemacast/schemacast/internal/analysis"
)

// errStopped is a request that its caller ended: it says nothing about the server.
var errStopped = errors.New("the caller ended the request")

// breaker keeps requests from a server that is down: after so many failures in a row
// none is sent for a while, then one at a time until one is answered. It is this
// process's alone; every worker finds out for itself.
type breaker struct {
	pause   time.Duration
	circuit *gobreaker.CircuitBreaker[*reply]
	until   atomic.Int64 // Unix nanoseconds at which the pause ends
}

func newBreaker(cfg Config, logger *slog.Logger) *breaker {
	b := &breaker{pause: cfg.BreakerPause}
	b.circuit = gobreaker.NewCircuitBreaker[*reply](gobreaker.Settings{
		Name: cfg.Model, MaxRequests: 1, Timeout: cfg.BreakerPause,
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return int64(counts.ConsecutiveFailures) >= int64(cfg.BreakerFailures)
		},
		// Whatever else went wrong, the server was there to say so.
		IsSuccessful: func(err error) bool {
			e := analysis.ModelErrorOf(err)
			return e == nil || e.Kind != analysis.ModelUnavailable
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errStopped) },
		OnStateChange: func(model string, from, to gobreaker.State) {
			switch to {
			case gobreaker.StateHalfOpen:
			case gobreaker.StateOpen:
				b.until.Store(time.Now().Add(b.pause).UnixNano())
				if from == gobreaker.StateClosed {
					logger.Warn("the model server fails again and again; no question is put to it for a while",
						slog.String("model", model), slog.Duration("pause", b.pause))
				}
			case gobreaker.StateClosed:
				logger.Info("the model server answers again", slog.String("model", model))
			}
		},
	})
	return b
}

// refuses says that the pause goes on. It takes no part in the probing after it.
func (b *breaker) refuses() failure {
	if b.circuit.State() == gobreaker.StateOpen {
		return b.refusal()
	}
	return failure{}
}

// do sends a request, or refuses to.
func (b *breaker) do(ctx context.Context, send func() (*reply, failure)) (*reply, failure) {
	var f failure
	r, err := b.circuit.Execute(func() (*reply, error) {
		var r *reply
		r, f = send()
		switch {
		case f.ModelError == nil:
			return r, nil
		case ctx.Err() != nil:
			return r, errStopped
		}
		return r, f.ModelError
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return nil, b.refusal()
	}
	return r, f
}

// refusal carries RetryAfter, so that a run waits without using up an attempt.
// While another request probes the server nobody knows how long that takes.
func (b *breaker) refusal() failure {
	left := time.Until(time.Unix(0, b.until.Load()))
	if left <= 0 {
		left = b.pause / 4
	}
	return failure{ModelError: &analysis.ModelError{
		Kind: analysis.ModelUnavailable, RetryAfter: left,
		Detail: "the server failed again and again, so no question is put to it for a while",
	}}
}

// Available returns nil, or an *analysis.ModelError that says for how long no
// question is put to the server, because it failed again and again.
func (c *Client) Available() error {
	if f := c.breaker.refuses(); f.ModelError != nil {
		return f.ModelError
	}
	return nil
}
