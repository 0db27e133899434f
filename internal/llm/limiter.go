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

// noLimits is the Limiter of a client without one.
type noLimits struct{}

func (noLimits) Take(context.Context, Need) time.Duration { return 0 }

func (noLimits) Settle(context.Context, Need, int) {}

func (noLimits) Pause(context.Context, time.Duration) {}
