package limit

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/schemacast/schemacast/internal/llm"
	"github.com/schemacast/schemacast/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onEveryRedis runs a test over the Redis of production and over that of the embedded
// mode. connect opens a client as one more worker has it.
func onEveryRedis(t *testing.T, test func(t *testing.T, connect func() *redis.Client)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		addr := testenv.Redis(t)
		test(t, func() *redis.Client { return connect(t, addr) })
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		server := miniredis.RunT(t)
		test(t, func() *redis.Client { return connect(t, server.Addr()) })
	})
}

func connect(t *testing.T, addr string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// aDay stands for the minute of a limit: however slow the machine is, nothing comes
// back while a test runs.
const aDay = 24 * time.Hour

// mustNew returns a Limiter whose minutes have the length of a day.
func mustNew(t *testing.T, client redis.UniversalClient, cfg Config) *Limiter {
	t.Helper()
	if cfg.Model == "" {
		cfg.BaseURL, cfg.Model = "https://model.example/v1", "test-model"
	}
	l, err := New(client, cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	for i := range l.shared.gates {
		l.shared.gates[i].limit.Period = aDay
	}
	l.local = newLocal(l.shared.gates)
	return l
}

var (
	interactive = llm.Need{Tokens: 100}
	backfill    = llm.Need{Tokens: 100, Backfill: true}
)

// taken counts how often the limit lets the need through, of tries.
func taken(t *testing.T, l *Limiter, need llm.Need, tries int) (count int) {
	t.Helper()
	for range tries {
		if wait := l.Take(t.Context(), need); wait == 0 {
			count++
		} else if wait < 0 || wait > aDay {
			t.Fatalf("the limit asks for a wait of %s, want at most its period", wait)
		}
	}
	return count
}

func TestWorkersShareALimit(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, connect func() *redis.Client) {
		cfg := Config{RequestsPerMinute: 12} // 2 at once
		first, second := mustNew(t, connect(), cfg), mustNew(t, connect(), cfg)
		if n := taken(t, first, interactive, 1) + taken(t, second, interactive, 3); n != 2 {
			t.Errorf("two workers got %d requests at once, want 2", n)
		}
		other := mustNew(t, connect(), Config{BaseURL: "https://model.example/v1", Model: "other", RequestsPerMinute: 12})
		if n := taken(t, other, interactive, 3); n != 2 {
			t.Errorf("another model got %d requests at once, want 2 of its own", n)
		}
	})
}

func TestNoLimitTakesEverything(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, connect func() *redis.Client) {
		if n := taken(t, mustNew(t, connect(), Config{}), llm.Need{Tokens: 1 << 30}, 100); n != 100 {
			t.Errorf("%d of 100 requests passed without a limit", n)
		}
	})
}

func TestLimitHoldsUnderContention(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, connect func() *redis.Client) {
		const workers, tries = 4, 10
		var passed atomic.Int64
		var group sync.WaitGroup
		for range workers {
			l := mustNew(t, connect(), Config{RequestsPerMinute: 60, TokensPerMinute: 60_000})
			for range tries {
				group.Go(func() {
					if l.Take(t.Context(), interactive) == 0 {
						passed.Add(1)
					}
				})
			}
		}
		group.Wait()
		if n := passed.Load(); n != 10 {
			t.Errorf("%d of %d requests passed at once, want 10", n, workers*tries)
		}
	})
}

func TestBackfillLeavesAShare(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, connect func() *redis.Client) {
		for name, cfg := range map[string]Config{
			"requests": {RequestsPerMinute: 60},
			"tokens":   {TokensPerMinute: 1_000},
		} {
			cfg.BaseURL, cfg.Model = "", name
			l := mustNew(t, connect(), cfg)
			if n := taken(t, l, backfill, 10); n != 8 {
				t.Errorf("%s: a backfill got %d of 10, want 8", name, n)
			}
			if n := taken(t, l, interactive, 10); n != 2 {
				t.Errorf("%s: beside a backfill that takes all it can, others got %d, want 2", name, n)
			}
		}
	})
}

func TestRefusalTakesNothing(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, connect func() *redis.Client) {
		l := mustNew(t, connect(), Config{RequestsPerMinute: 60, TokensPerMinute: 1_000})
		if n := taken(t, l, llm.Need{Tokens: 900}, 1); n != 1 {
			t.Fatal("a first question was refused")
		}
		if n := taken(t, l, llm.Need{Tokens: 500, Backfill: true}, 30); n != 0 {
			t.Errorf("%d questions of 500 tokens passed, with 100 left", n)
		}
		// Nine requests and a few tokens are left: the refused ones gave theirs back.
		if n := taken(t, l, llm.Need{Tokens: 1}, 9); n != 9 {
			t.Errorf("%d of 9 small questions passed after the refusals", n)
		}
	})
}

func TestSettle(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, connect func() *redis.Client) {
		for _, c := range []struct {
			name string
			used int
			next int  // tokens of the next question
			want bool // whether it passes
		}{
			{"as estimated", 600, 600, false},
			{"less", 100, 900, true},
			{"nothing", 0, 1_000, true}, // the library forgets to write this one
			{"more", 990, 300, false},
			{"more than there is", 1 << 40, 300, false},
			{"negative", -5, 1_000, true},
		} {
			l := mustNew(t, connect(), Config{Model: c.name, TokensPerMinute: 1_000})
			need := llm.Need{Tokens: 600}
			if n := taken(t, l, need, 1); n != 1 {
				t.Fatalf("%s: the first question was refused", c.name)
			}
			l.Settle(t.Context(), need, c.used)
			if got := taken(t, l, llm.Need{Tokens: c.next}, 1) == 1; got != c.want {
				t.Errorf("%s: a question of %d tokens passed: %v, want %v", c.name, c.next, got, c.want)
			}
		}
	})
}

func TestQuestionLargerThanTheLimitPasses(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, connect func() *redis.Client) {
		l := mustNew(t, connect(), Config{TokensPerMinute: 1_000})
		if n := taken(t, l, llm.Need{Tokens: 50_000, Backfill: true}, 2); n != 1 {
			t.Errorf("%d of 2 questions of 50 times the limit passed, want the first", n)
		}
	})
}

func TestPauseHoldsForAllWorkers(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, connect func() *redis.Client) {
		first, second := mustNew(t, connect(), Config{}), mustNew(t, connect(), Config{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		first.Pause(ctx, time.Hour) // also when its caller has left
		first.Pause(t.Context(), time.Second)
		first.Pause(t.Context(), -time.Second)
		for name, l := range map[string]*Limiter{"the one that was told": first, "another": second} {
			if wait := l.Take(t.Context(), interactive); wait < longestPause/2 || wait > longestPause {
				t.Errorf("%s waits %s, want the longest pause of %s", name, wait, longestPause)
			}
		}
	})
}

func TestKeysTellNothing(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, connect func() *redis.Client) {
		client := connect()
		l := mustNew(t, client, Config{BaseURL: "https://acme.example/v1", Model: "m", RequestsPerMinute: 60, TokensPerMinute: 1_000})
		taken(t, l, backfill, 1)
		l.Pause(t.Context(), time.Minute)
		keys, err := client.Keys(t.Context(), "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) != 5 {
			t.Errorf("keys %q, want four limits and a pause", keys)
		}
		for _, key := range keys {
			if !strings.HasPrefix(key, "schemacast:") || strings.Contains(key, "acme") {
				t.Errorf("key %q has not our prefix, or tells the address", key)
			}
			if ttl := client.TTL(t.Context(), key).Val(); ttl <= 0 {
				t.Errorf("key %q stays for ever", key)
			}
		}
	})
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = client.Close() })
	for want, cfg := range map[string]Config{
		"no model":    {},
		"-1 requests": {Model: "m", RequestsPerMinute: -1},
		"-2 tokens":   {Model: "m", TokensPerMinute: -2},
		"share":       {Model: "m", BackfillShare: 1.5},
	} {
		if _, err := New(client, cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v) = %v, want an error with %q", cfg, err, want)
		}
	}
	if _, err := New(nil, Config{Model: "m"}); err == nil {
		t.Error("New accepts no Redis")
	}
}

// TestSmallLimits: a share of one request a minute is one request a minute.
func TestSmallLimits(t *testing.T) {
	t.Parallel()
	var got []string
	for _, g := range newGates(Config{RequestsPerMinute: 1, TokensPerMinute: 1_000, BackfillShare: 0.8}) {
		got = append(got, g.name+" "+g.limit.String())
	}
	want := []string{
		"requests:backfill 1 req/m (burst 1)", "requests 1 req/m (burst 1)",
		"tokens:backfill 800 req/m (burst 800)", "tokens 1000 req/m (burst 1000)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("gates (-want +got)\n%s", diff)
	}
}
