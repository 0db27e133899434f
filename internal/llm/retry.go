package llm

import (
	"context"
	"errors"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

const (
	maxRepeats  = 2                      // repeats of one request within a call
	backoffBase = 500 * time.Millisecond // doubled for every repeat
	maxWait     = 10 * time.Second       // longer waits are the queue's, which frees the worker meanwhile
)

// errTimeout is the cause when the timeout of one request ends it, as opposed to
// the deadline or the cancellation of whoever called.
var errTimeout = errors.New("timeout of the request")

// attempt is one request that may be repeated.
type attempt struct {
	prepared
	tenantID string // empty for requests that no budget bounds
	need     Need
	// start is that of the whole call, whose budget the repeats share.
	start time.Time
}

// repeat sends the request until it is answered, a failure is final, or waiting is
// better done elsewhere. It returns the number of requests that were answered by
// anything. A repeat that is not let through leaves the failure before it: the server
// had its try, and a run that only ever waited would do so as long as the server is
// down.
func (c *Client) repeat(ctx context.Context, a attempt) (r *reply, answered int, f failure) {
	for repeats := 0; ; repeats++ {
		ex := &exchange{body: a.body}
		got, failed, sent := c.guarded(ctx, ex, a)
		if sent || repeats == 0 {
			r, f = got, failed
		}
		if ex.status != 0 {
			answered++
		}
		if !sent || f.ModelError == nil || !f.again || repeats == maxRepeats || ctx.Err() != nil {
			return r, answered, f
		}
		wait := c.wait(f, repeats)
		// The second half of the budget belongs to the last request alone.
		if wait < 0 || time.Since(a.start)+wait > c.cfg.Timeout || c.sleep(ctx, wait) != nil {
			return r, answered, f
		}
		c.cfg.Observer.Repeated(f.Kind)
	}
}

// guarded sends the request once, as far as the breaker, the budgets and the limits let
// it.
func (c *Client) guarded(ctx context.Context, ex *exchange, a attempt) (r *reply, f failure, sent bool) {
	if f := c.breaker.refuses(); f.ModelError != nil {
		c.cfg.Observer.Withheld(LimitBreaker)
		return nil, f, false
	}
	reserved, f := c.reserve(ctx, a)
	if f.ModelError != nil {
		c.cfg.Observer.Withheld(limitOf(f))
		return nil, f, false
	}
	if f := c.admit(ctx, a.need); f.ModelError != nil {
		c.cfg.Observer.Withheld(LimitRate)
		c.account(ctx, reserved, analysis.Usage{})
		return nil, f, false
	}
	begun := time.Now()
	r, f = c.breaker.do(ctx, func() (*reply, failure) {
		sent = true
		return c.send(ctx, ex)
	})
	c.observe(ctx, observed{attempt: a, exchange: ex, reply: r, failure: f, sent: sent, begun: begun})
	// What was not answered in time, or not waited for, was probably billed, so the
	// estimates stand.
	if billed := sent && r == nil && (f.late || ctx.Err() != nil); !billed {
		usage := c.usageOf(r, 1, a.prepared)
		c.cfg.Limiter.Settle(ctx, a.need, usage.PromptTokens+usage.CompletionTokens)
		c.account(ctx, reserved, usage)
	}
	if sent && f.ModelError != nil && f.RetryAfter > 0 {
		c.cfg.Limiter.Pause(ctx, f.RetryAfter)
	}
	return r, f, sent
}

// send puts the request once.
func (c *Client) send(ctx context.Context, ex *exchange) (*reply, failure) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, errTimeout)
	defer cancel()
	_, err := c.api.CreateChatCompletion(withExchange(ctx, ex), c.addressed)
	switch {
	case ex.reply != nil: // go-openai's own decoding is not asked, see completion
		return ex.reply, checkReply(ex, ex.reply)
	case errors.Is(context.Cause(ctx), errTimeout):
		return nil, timedOut(ex, c.cfg.Timeout)
	}
	return nil, classify(ex, err, time.Now())
}

// wait says how long to wait before the next repeat, negative when this call
// should not: the server asks for more than maxWait, or limits without saying how
// long. Up to a fifth is added, so that callers told the same do not return as one.
func (c *Client) wait(f failure, repeats int) time.Duration {
	switch {
	case f.RetryAfter > maxWait:
		return -1
	case f.RetryAfter > 0:
		return f.RetryAfter + time.Duration(c.random()*float64(f.RetryAfter)/5)
	case f.Kind == analysis.ModelRateLimited:
		return -1
	}
	return time.Duration(c.random() * float64(backoffBase<<repeats))
}

// sleep waits, or returns early with the context's cause.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
