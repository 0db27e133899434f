// Package llm asks a language model over the OpenAI chat API: it implements
// analysis.Model on go-openai, behind a transport of its own.
//
// It renders the question to a prompt, sends it with one strict JSON schema, and
// resolves the short ids of the answer. It does not judge an answer: what a mapping
// names exists, but whether it is right, and whether its formula runs, is verified
// by package analysis.
//
// Every answer has a bound that follows from its question, and an answer that is cut
// off at it is asked for once more with twice the room. Requests keep to the limits
// that all workers share, see Limiter, and stay away for a while from a server that
// failed many times in a row.
//
// It guarantees that a request with the same tenant, model and bytes is paid once as
// long as the cache keeps its answer; that nothing of a prompt, an answer, a sample or
// the key stands in an error or in the log; that what strangers wrote stays data in a
// prompt; and that every failure is an *analysis.ModelError of the kind that says
// what to do, or the cause of the caller's own cancellation.
package llm

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/sashabaranov/go-openai"

	"github.com/schemacast/schemacast/internal/analysis"
)

var _ analysis.Model = (*Client)(nil)

// Client is a language model behind an OpenAI-compatible server. It is safe for
// concurrent use.
type Client struct {
	cfg     Config
	api     *openai.Client
	pool    *http.Transport
	cache   Cache
	logger  *slog.Logger
	schema  *jsonschema.Schema
	spoken  spoken
	breaker *breaker
	// addressed is what go-openai gets to see of a request: it checks the name of
	// the model, and its body is replaced in the transport.
	addressed openai.ChatCompletionRequest

	sleep  func(ctx context.Context, d time.Duration) error // replaced in tests
	random func() float64                                   // in [0, 1), replaced in tests
}

// New returns a client, or an error that names every problem of the configuration.
// It sends nothing. Without a cache (nil) every question is paid; without a logger
// (nil) nothing is logged.
func New(cfg Config, cache Cache, logger *slog.Logger) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("configure the language model: %w", err)
	}
	answers, err := compileAnswerSchema()
	if err != nil {
		return nil, fmt.Errorf("compile the schema of answers: %w", err)
	}
	if cache == nil {
		cache = noCache{}
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	httpClient, pool := newHTTPClient(cfg)
	apiConfig := openai.DefaultConfig(cfg.APIKey)
	apiConfig.BaseURL = cfg.BaseURL
	apiConfig.HTTPClient = httpClient
	return &Client{
		cfg:       cfg,
		api:       openai.NewClientWithConfig(apiConfig),
		pool:      pool,
		cache:     cache,
		logger:    logger,
		schema:    answers,
		spoken:    spoken{d: firstDialect(cfg.Model)},
		breaker:   newBreaker(cfg, logger),
		addressed: openai.ChatCompletionRequest{Model: cfg.Model},
		sleep:     sleep,
		random:    rand.Float64,
	}, nil
}

// Name returns the name of the model.
func (c *Client) Name() string { return c.cfg.Model }

// Close closes the idle connections. The client can still be used.
func (c *Client) Close() { c.pool.CloseIdleConnections() }

// Ask puts the question and returns the text of the answer. It answers from the
// cache where it can. An answer that came, but can not be used, is an error whose
// Answer holds the usage all the same: it was paid.
func (c *Client) Ask(ctx context.Context, q analysis.Question) (analysis.Answer, error) {
	if ctx.Err() != nil {
		return analysis.Answer{}, context.Cause(ctx)
	}
	var usage analysis.Usage
	start := time.Now()
	for d := c.spoken.current(); ; {
		answer, f := c.answer(ctx, q, d, start)
		usage = usage.Add(answer.Usage)
		answer.Usage = usage
		if f.ModelError == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return analysis.Answer{Usage: usage}, context.Cause(ctx)
		}
		next, less := d.without(f.lacks)
		if !less {
			return analysis.Answer{Usage: usage}, f.ModelError
		}
		if c.spoken.learn(f.lacks) {
			c.logger.WarnContext(ctx, "the model server refuses a feature; requests go without it from now on",
				slog.String("feature", string(f.lacks)), slog.String("model", c.cfg.Model), slog.Int("status", f.Status))
		}
		d = next
	}
}

// answer looks into the cache, and asks the server when there is nothing usable. The
// cache knows an answer by the first request for it, also one that took a second.
func (c *Client) answer(ctx context.Context, q analysis.Question, d dialect, start time.Time) (analysis.Answer, failure) {
	limit := c.outputLimit(q, d)
	body, f := c.encode(q, d, limit)
	if f.ModelError != nil {
		return analysis.Answer{}, f
	}
	key := cacheKey(q.TenantID, c.cfg.Model, body)
	if raw, found := c.cached(ctx, q, key); found {
		return analysis.Answer{Raw: raw, Usage: analysis.Usage{CachedCalls: 1}}, failure{}
	}
	r, usage, f := c.try(ctx, q, d, body, start)
	if f.cut && ctx.Err() == nil {
		var more analysis.Usage
		r, more, f = c.tryLarger(ctx, q, d, limit, start, f)
		usage = usage.Add(more)
	}
	answer := analysis.Answer{Usage: usage}
	if f.ModelError != nil {
		return answer, f
	}
	answer.Raw = []byte(r.content)
	c.keep(ctx, q, key, answer.Raw)
	return answer, failure{}
}

// try asks the server with these bytes.
func (c *Client) try(ctx context.Context, q analysis.Question, d dialect, body []byte, start time.Time) (*reply, analysis.Usage, failure) {
	prompt := len(body) / bytesPerToken
	need := Need{Tokens: prompt + answerEstimate(q, d), Backfill: analysis.IsBackfill(ctx)}
	r, calls, f := c.repeat(ctx, attempt{tenantID: q.TenantID, body: body, promptTokens: prompt, need: need, start: start})
	if r != nil && r.thinks && c.spoken.think() {
		c.logger.InfoContext(ctx, "the model thinks before it answers; its output gets more room from now on",
			slog.String("model", c.cfg.Model))
	}
	return r, c.usageOf(r, calls, body), f
}

// tryLarger asks once more for an answer that was cut off at limit. When that does
// not work out, it is the cut that is told: a model that rambles on until its time is
// up answers badly, it is not away.
func (c *Client) tryLarger(
	ctx context.Context, q analysis.Question, d dialect, limit int, start time.Time, cut failure,
) (*reply, analysis.Usage, failure) {
	d.thinks = d.thinks || c.spoken.current().thinks
	larger := c.largerLimit(limit, d)
	if larger <= limit || time.Since(start) > c.cfg.Timeout {
		return nil, analysis.Usage{}, cut
	}
	body, f := c.encode(q, d, larger)
	if f.ModelError != nil {
		return nil, analysis.Usage{}, cut
	}
	r, usage, f := c.try(ctx, q, d, body, start)
	if f.ModelError != nil && (f.late || f.Kind == analysis.ModelConfig || f.Kind == analysis.ModelTooLarge) {
		return nil, usage, cut
	}
	return r, usage, f
}

// cached returns a stored answer that can be read. An error of the cache costs a
// call, never the analysis.
func (c *Client) cached(ctx context.Context, q analysis.Question, key string) ([]byte, bool) {
	raw, found, err := c.cache.Answer(ctx, q.TenantID, key)
	if err != nil {
		if ctx.Err() == nil {
			c.logger.WarnContext(ctx, "read the cache of answers", slog.String("tenant_id", q.TenantID), slog.Any("error", err))
		}
		return nil, false
	}
	if !found {
		return nil, false
	}
	_, err = c.Read(q, raw)
	return raw, err == nil
}

// keep stores an answer, unless it can not be read: the same question would get
// the same useless answer again.
func (c *Client) keep(ctx context.Context, q analysis.Question, key string, raw []byte) {
	if _, err := c.Read(q, raw); err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := c.cache.SaveAnswer(ctx, q.TenantID, key, raw); err != nil {
		c.logger.WarnContext(ctx, "write the cache of answers", slog.String("tenant_id", q.TenantID), slog.Any("error", err))
	}
}
