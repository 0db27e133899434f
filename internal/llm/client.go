// Package llm asks a language model over the OpenAI chat API: it implements
// analysis.Model on go-openai, behind a transport of its own.
//
// It renders the question to a prompt, sends it with one strict JSON schema, or what the
// server has instead (see rung), and resolves the short ids of the answer. It does not judge an answer: what a mapping
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
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
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
	example example
	forms   forms
	// templates are made of the forms.
	templates templates
	routed    bool // the server is OpenRouter
	spoken    *spoken
	flights   flights
	breaker   *breaker
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
		example:   exampleAnswer(),
		forms:     newForms(),
		routed:    routes(cfg.BaseURL),
		spoken:    newSpoken(cfg, logger),
		breaker:   newBreaker(cfg, logger),
		addressed: openai.ChatCompletionRequest{Model: cfg.Model},
		sleep:     sleep,
		random:    rand.Float64,
	}, nil
}

// Name returns the name of the model.
func (c *Client) Name() string { return c.cfg.Model }

// PromptVersion names the instructions that every prompt begins with, and the schema of
// the answer: it changes with either.
func (c *Client) PromptVersion() string { return promptVersion() }

var promptVersion = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(rules + answerSchema))
	return hex.EncodeToString(sum[:6])
})

// Close closes the idle connections. The client can still be used.
func (c *Client) Close() { c.pool.CloseIdleConnections() }

// Ask puts the question and returns the text of the answer. It answers from the
// cache where it can, which knows an answer by the first request for it, whatever it took
// to get a usable one. An answer that came, but can not be used, has its usage also where
// there is an error: it was paid.
func (c *Client) Ask(ctx context.Context, q analysis.Question) (analysis.Answer, error) {
	if ctx.Err() != nil {
		return analysis.Answer{}, context.Cause(ctx)
	}
	v := c.variant(q, c.spoken.current(ctx))
	p, f := c.prepare(v)
	for f.ModelError != nil {
		shorter, is := v.shorter()
		if !is {
			return analysis.Answer{}, f.ModelError
		}
		v = shorter
		p, f = c.prepare(v)
	}
	key := cacheKey(q.TenantID, c.cfg.Model, p.body)
	return c.flights.do(ctx, key, func() (analysis.Answer, error) {
		if raw, found := c.cached(ctx, q, key); found {
			c.cfg.Observer.Cached()
			return analysis.Answer{Raw: raw, Usage: analysis.Usage{CachedCalls: 1}}, nil
		}
		answer, usable, err := c.put(ctx, v, p)
		if usable {
			c.keep(ctx, q, key, answer.Raw)
		}
		return answer, err
	})
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

// keep stores an answer that can be read. From another one the same question would get
// the same useless answer again.
func (c *Client) keep(ctx context.Context, q analysis.Question, key string, raw []byte) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := c.cache.SaveAnswer(ctx, q.TenantID, key, raw); err != nil {
		c.logger.WarnContext(ctx, "write the cache of answers", slog.String("tenant_id", q.TenantID), slog.Any("error", err))
	}
}
