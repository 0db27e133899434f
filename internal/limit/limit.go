// Package limit keeps what all workers together ask of a language model within the
// limits that its provider sets a minute: requests, tokens, and a pause when the
// server asks for one. It implements llm.Limiter over Redis.
//
// It also remembers for all workers what was learned about the server (llm.Memory).
//
// It does not wait and does not queue: it says how long to wait before asking again.
// It counts neither by tenant nor by key, and it is no budget: what it lets through
// may cost any amount of money. Budgets are of days, and stand in the database.
//
// It guarantees that workers with the same Redis, base URL and model share one limit;
// that a backfill never takes more than its share of it, so that work somebody waits
// for finds room; and that nothing waits for a Redis that is away: each worker then
// keeps to the full limit on its own, and to the pauses that it was told itself.
package limit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/llm"
)

var _ llm.Limiter = (*Limiter)(nil)

const (
	// longestPause is the most that a server's word is believed for: one odd header
	// must not stop all workers for a day.
	longestPause = 10 * time.Minute
	// redisTimeout bounds what one question of a limit may take; the client of Redis
	// must have ContextTimeoutEnabled for it to hold while a connection hangs.
	redisTimeout = 3 * time.Second
	// redisRest is how long nobody asks a Redis that did not answer.
	redisRest = 5 * time.Second
)

// Config says what is limited, and how far.
type Config struct {
	// BaseURL and Model name the server and the model whose limits these are. Only a
	// hash of the two stands in Redis.
	BaseURL, Model string
	// RequestsPerMinute and TokensPerMinute are for all workers together; 0 for no
	// limit. A sixth of the requests may come at once, and all of the tokens.
	RequestsPerMinute, TokensPerMinute int
	// BackfillShare is the part of the limits, between 0 and 1, that a backfill may
	// take. Defaults to 0.8.
	BackfillShare float64
	// Logger hears when Redis does not answer. Defaults to silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if c.BackfillShare == 0 {
		c.BackfillShare = 0.8
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Model == "":
		return c, errors.New("the limits of the language model have no model; name the one that is asked")
	case c.RequestsPerMinute < 0 || c.TokensPerMinute < 0:
		return c, fmt.Errorf("the limits of the language model are %d requests and %d tokens a minute; set them to 0 for none or above",
			c.RequestsPerMinute, c.TokensPerMinute)
	case c.BackfillShare < 0 || c.BackfillShare > 1:
		return c, fmt.Errorf("the share of a backfill is %g; set it between 0 and 1", c.BackfillShare)
	}
	return c, nil
}

// Limiter shares the limits of one model among all workers. It is safe for concurrent
// use.
type Limiter struct {
	shared *shared
	local  *local
	logger *slog.Logger

	pausedUntil atomic.Int64 // Unix nanoseconds; what this worker knows without Redis
	restUntil   atomic.Int64 // Unix nanoseconds; 0 while Redis answers
}

// New returns a Limiter over the Redis of client, which stays the caller's to close.
// It asks Redis nothing.
func New(client redis.UniversalClient, cfg Config) (*Limiter, error) {
	if client == nil {
		return nil, errors.New("the limits of the language model have no Redis; give them its client")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	gates := newGates(cfg)
	return &Limiter{
		shared: newShared(client, identity(cfg.BaseURL, cfg.Model), gates),
		local:  newLocal(gates),
		logger: cfg.Logger,
	}, nil
}

// Take takes the need out of the limits and returns 0, or takes nothing and returns
// how long to wait before asking again.
func (l *Limiter) Take(ctx context.Context, need llm.Need) time.Duration {
	if left := time.Until(time.Unix(0, l.pausedUntil.Load())); left > 0 {
		return left
	}
	var wait time.Duration
	if !l.ask(ctx, func(ctx context.Context) (err error) {
		wait, err = l.shared.take(ctx, need)
		return err
	}) {
		return l.local.take(need)
	}
	return wait
}

// Settle corrects an earlier Take: used tokens were spent instead of need.Tokens. What
// was taken too much is given back; what was spent beyond it is taken as far as the
// limit has it.
func (l *Limiter) Settle(ctx context.Context, need llm.Need, used int) {
	// An answer is settled also when its caller does not wait for it any more.
	if !l.ask(context.WithoutCancel(ctx), func(ctx context.Context) error { return l.shared.settle(ctx, need, used) }) {
		l.local.settle(need, used)
	}
}

// Pause lets no worker take anything for d. Of several pauses the one that ends last
// counts.
func (l *Limiter) Pause(ctx context.Context, d time.Duration) {
	d = min(d, longestPause)
	if d <= 0 {
		return
	}
	until := time.Now().Add(d).UnixNano()
	for {
		known := l.pausedUntil.Load()
		if until <= known || l.pausedUntil.CompareAndSwap(known, until) {
			break
		}
	}
	l.ask(context.WithoutCancel(ctx), func(ctx context.Context) error { return l.shared.pause(ctx, d) })
}

// ask asks Redis, unless it did not answer a moment ago, and says whether it answered.
// Of all that find the rest over, one asks.
func (l *Limiter) ask(ctx context.Context, question func(ctx context.Context) error) bool {
	now := time.Now()
	rest := l.restUntil.Load()
	if rest != 0 && (now.UnixNano() < rest || !l.restUntil.CompareAndSwap(rest, now.Add(redisRest).UnixNano())) {
		return false
	}
	bounded, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	err := question(bounded)
	switch {
	case err == nil:
		if rest != 0 && l.restUntil.Swap(0) != 0 {
			l.logger.Info("Redis answers again; the limits of the language model are shared by all workers")
		}
		return true
	case ctx.Err() != nil:
		return false // the caller left; that says nothing about Redis
	}
	if l.restUntil.Swap(time.Now().Add(redisRest).UnixNano()) == 0 {
		l.logger.Warn("Redis does not answer; each worker keeps to the full limits of the language model on its own",
			slog.Any("error", err))
	}
	return false
}

// identity names a server and a model in keys. It is a hash: an address may tell whose
// account it is.
func identity(baseURL, model string) string {
	sum := sha256.Sum256([]byte(baseURL + "\x00" + model))
	return hex.EncodeToString(sum[:8])
}
