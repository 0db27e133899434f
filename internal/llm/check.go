package llm

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

// The question of Check: as small as one can be that asks for JSON by a schema.
const (
	checkSchema = `{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"],"additionalProperties":false}`
	checkSystem = "You answer with JSON of this schema and nothing else: " + checkSchema
	checkUser   = "Are you there?"
)

// Check asks the server one tiny question, in the form of the real ones, and so finds
// out whether it is there, accepts the key, has the model and offers JSON answers. It
// costs a few tokens and goes past the cache. What the model answers is not judged.
// The error is an *analysis.ModelError, or the cause of ctx.
func (c *Client) Check(ctx context.Context) error {
	for d := c.spoken.current(ctx); ; {
		body, err := json.Marshal(c.checkRequest(d))
		if err != nil {
			return fmt.Errorf("encode the question of the check: %w", err)
		}
		p := prepared{body: body, prompt: len(body) / bytesPerData}
		r, _, f := c.repeat(ctx, attempt{prepared: p, need: Need{Tokens: p.prompt}, start: time.Now()})
		switch {
		case f.ModelError == nil, r != nil && f.Kind != analysis.ModelUnavailable:
			return nil // a model that says too much or nothing is there all the same
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		next, less := d.without(f.lacks)
		if !less {
			return f.ModelError
		}
		c.logger.DebugContext(ctx, "the model server refuses a feature", slog.String("feature", string(f.lacks)))
		c.spoken.refused(ctx, f.lacks)
		d = next
	}
}

func (c *Client) checkRequest(d dialect) wireRequest {
	limit := outputBase
	if d.Thinks {
		limit = c.cfg.MaxOutputTokens
	}
	return c.request(d, form{"check", json.RawMessage(checkSchema)}, checkSystem, checkUser, limit)
}
