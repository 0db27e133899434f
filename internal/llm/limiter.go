package llm

import (
	"context"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

// Limiter keeps what all workers together ask of the model within its limits. It
// answers also when it can not know what the others do.
type Limiter interface {
	// Take takes the need out of the limits and returns 0, or takes nothing and
	// returns how long to wait before asking again.
	Take(ctx context.Context, need Need) time.Duration
	// Settle corrects an earlier Take: used tokens were spent instead of need.Tokens.
	Settle(ctx context.Context, need Need, used int)
	// Pause lets no worker take anything for d, because the server said so.
	Pause(ctx context.Context, d time.Duration)
}

// Need is what one request takes out of the limits, beside being one request.
type Need struct {
	Tokens int // an estimate of prompt and answer together
	// Backfill marks work that nobody waits for; it leaves a share of the limits free.
	Backfill bool
}

// longestTurn is how long a question waits for its turn in process, all its waits
// together. Longer waits are the queue's, which frees the worker meanwhile.
const longestTurn = 20 * time.Second

// admit waits for the question's turn. It fails when that is too far away, or ctx
// ends.
func (c *Client) admit(ctx context.Context, need Need) failure {
	most := min(longestTurn, c.cfg.Timeout)
	for waited := time.Duration(0); ; {
		wait := c.cfg.Limiter.Take(ctx, need)
		if wait <= 0 {
			return failure{}
		}
		if waited += wait; waited > most || c.sleep(ctx, wait) != nil {
			return failure{ModelError: &analysis.ModelError{
				Kind: analysis.ModelRateLimited, RetryAfter: wait,
				Detail: "the workers keep to the model's limits, and the question waits for its turn",
			}}
		}
	}
}

// settle tells the limits what a request really took. One that was not answered in
// time was probably billed, so its estimate stands.
func (c *Client) settle(ctx context.Context, need Need, r *reply, ex *exchange, f failure) {
	used := need.Tokens
	switch {
	case r != nil:
		usage := usageOf(r, 1, ex.body)
		used = usage.PromptTokens + usage.CompletionTokens
	case !f.late && ctx.Err() == nil:
		used = 0
	}
	if used != need.Tokens {
		c.cfg.Limiter.Settle(ctx, need, used)
	}
	if f.ModelError != nil && f.RetryAfter > 0 {
		c.cfg.Limiter.Pause(ctx, f.RetryAfter)
	}
}

// noLimits is the Limiter of a client without one.
type noLimits struct{}

func (noLimits) Take(context.Context, Need) time.Duration { return 0 }

func (noLimits) Settle(context.Context, Need, int) {}

func (noLimits) Pause(context.Context, time.Duration) {}
