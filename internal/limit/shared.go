package limit

import (
	"context"
	"fmt"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/llm"
)

// shared keeps the limits in Redis, where all workers see them.
type shared struct {
	client redis.UniversalClient
	rate   *redis_rate.Limiter
	prefix string
	gates  []gate
}

func newShared(client redis.UniversalClient, identity string, gates []gate) *shared {
	return &shared{client: client, rate: redis_rate.NewLimiter(prefixed{client}), prefix: "llm:" + identity + ":", gates: gates}
}

// take passes all gates, or gives back what it took at those before the one that is
// shut. A worker that dies in between leaves a little taken, for seconds.
func (s *shared) take(ctx context.Context, need llm.Need) (time.Duration, error) {
	left, err := s.client.PTTL(ctx, s.pauseKey()).Result()
	if err != nil {
		return 0, fmt.Errorf("read the pause of the language model: %w", err)
	}
	if left > 0 {
		return left, nil
	}
	for i, g := range s.gates {
		if !g.concerns(need) {
			continue
		}
		result, err := s.rate.AllowN(ctx, s.prefix+g.name, g.limit, g.count(need))
		if err != nil {
			return 0, fmt.Errorf("take from the %s of the language model: %w", g.name, err)
		}
		if result.Allowed > 0 || g.count(need) == 0 {
			continue
		}
		for _, passed := range s.gates[:i] {
			if passed.concerns(need) {
				if err := s.giveBack(ctx, passed, passed.count(need)); err != nil {
					return 0, err
				}
			}
		}
		return max(result.RetryAfter, time.Millisecond), nil
	}
	return 0, nil
}

func (s *shared) settle(ctx context.Context, need llm.Need, used int) error {
	for _, g := range s.gates {
		owed := g.owed(need, used)
		var err error
		switch {
		case !g.concerns(need) || owed == 0:
		case owed < 0:
			err = s.giveBack(ctx, g, -owed)
		default:
			// What is spent is spent, so the rest that the limit does not have is forgotten.
			_, err = s.rate.AllowAtMost(ctx, s.prefix+g.name, g.limit, owed)
		}
		if err != nil {
			return fmt.Errorf("settle the %s of the language model: %w", g.name, err)
		}
	}
	return nil
}

// giveBack returns n to a gate. The library does not write a limit that becomes whole
// again, so that is forgotten here.
func (s *shared) giveBack(ctx context.Context, g gate, n int) error {
	result, err := s.rate.AllowN(ctx, s.prefix+g.name, g.limit, -n)
	if err == nil && result.ResetAfter <= 0 {
		err = s.rate.Reset(ctx, s.prefix+g.name)
	}
	if err != nil {
		return fmt.Errorf("give back to the %s of the language model: %w", g.name, err)
	}
	return nil
}

// pauseScript keeps the pause that ends last.
var pauseScript = redis.NewScript(`
if redis.call("PTTL", KEYS[1]) < tonumber(ARGV[1]) then
  redis.call("SET", KEYS[1], "1", "PX", ARGV[1])
end
return 1`)

func (s *shared) pause(ctx context.Context, d time.Duration) error {
	// Rounded up: a pause must not end before the server said.
	ms := (d + time.Millisecond - 1).Milliseconds()
	if err := pauseScript.Run(ctx, s.client, []string{s.pauseKey()}, ms).Err(); err != nil {
		return fmt.Errorf("write the pause of the language model: %w", err)
	}
	return nil
}

func (s *shared) pauseKey() string { return keyPrefix + s.prefix + "pause" }

// keyPrefix marks our keys in a Redis that others use, too.
const keyPrefix = "schemacast:"

// prefixed puts our prefix before the keys of redis_rate, which has a fixed one.
type prefixed struct{ redis.UniversalClient }

// Eval implements a part of what redis_rate runs scripts with.
func (p prefixed) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return p.UniversalClient.Eval(ctx, script, ours(keys), args...)
}

// EvalSha implements a part of what redis_rate runs scripts with.
func (p prefixed) EvalSha(ctx context.Context, sha1 string, keys []string, args ...any) *redis.Cmd {
	return p.UniversalClient.EvalSha(ctx, sha1, ours(keys), args...)
}

// Del implements what redis_rate resets a limit with.
func (p prefixed) Del(ctx context.Context, keys ...string) *redis.IntCmd {
	return p.UniversalClient.Del(ctx, ours(keys)...)
}

func ours(keys []string) []string {
	marked := make([]string, len(keys))
	for i, key := range keys {
		marked[i] = keyPrefix + key
	}
	return marked
}
