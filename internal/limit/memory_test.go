package limit

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

func TestMemoryIsThatOfServerAndModel(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, connect func() *redis.Client) {
		one, other := mustNew(t, connect(), Config{}), mustNew(t, connect(), Config{})
		foreign := mustNew(t, connect(), Config{BaseURL: "https://model.example/v1", Model: "another-model"})
		if text, err := one.Recall(t.Context()); err != nil || text != nil {
			t.Errorf("at first: %q %v, want nothing", text, err)
		}
		if err := one.Remember(t.Context(), []byte("what was learned"), time.Minute); err != nil {
			t.Fatal(err)
		}
		if text, err := other.Recall(t.Context()); err != nil || string(text) != "what was learned" {
			t.Errorf("another worker recalls %q %v", text, err)
		}
		if text, err := foreign.Recall(t.Context()); err != nil || text != nil {
			t.Errorf("another model recalls %q %v, want nothing", text, err)
		}
		client := connect()
		if left := client.TTL(t.Context(), one.shared.memoryKey()).Val(); left <= 0 || left > time.Minute {
			t.Errorf("it is kept for %s, want a minute at most", left)
		}
	})
}

func TestMemoryWithoutRedisIsAnError(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	l := mustNew(t, connect(t, server.Addr()), Config{})
	server.Close()
	for range 2 { // the second is not even asked
		if _, err := l.Recall(t.Context()); err == nil {
			t.Error("Recall: no error")
		}
		if err := l.Remember(t.Context(), nil, time.Minute); err == nil {
			t.Error("Remember: no error")
		}
	}
}
