package run

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/testenv"
)

// setClock is a clock that a test sets ahead or back.
type setClock struct {
	mu    sync.Mutex
	ahead time.Duration
	err   error
}

func (c *setClock) set(ahead time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.err = ahead, err
}

func (c *setClock) Now(context.Context) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead), c.err
}

func newWatch(t *testing.T, addr string, clock Clock, log *bytes.Buffer, ahead time.Duration) *Watch {
	t.Helper()
	w, err := NewWatch(redis.UniversalOptions{Addrs: []string{addr}}, clock, WatchConfig{
		Now: func() time.Time { return time.Now().Add(ahead) }, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Stop(context.Background()) })
	return w
}

func TestWatchComparesClocks(t *testing.T) {
	t.Parallel()
	addr := testenv.Redis(t)
	for _, tc := range []struct {
		name     string
		ours     time.Duration // ahead of Redis
		database time.Duration // ahead of Redis
		ready    []string      // in the reason why it is not; nil when it is
		starts   bool
	}{
		{"all agree", 0, 0, nil, true},
		{"a little", 4 * time.Second, 0, nil, true},
		{"ours is ahead", 7 * time.Second, 0, []string{"Redis at " + addr, "7s behind", "NTP"}, true},
		{"ours is behind", -7 * time.Second, 0, []string{"Redis at " + addr, "7s ahead of", "NTP"}, true},
		{"the database differs", 0, 8 * time.Second, []string{"the database", "8s ahead of", "NTP"}, true},
		{"ours is far ahead", 45 * time.Second, 45 * time.Second, []string{"45s behind"}, false},
		{"the database is far behind", 0, -45 * time.Second, []string{"the database", "45s behind"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			clock := &setClock{ahead: tc.database}
			w := newWatch(t, addr, clock, &bytes.Buffer{}, tc.ours)
			err := w.Start(t.Context())
			if (err == nil) != tc.starts {
				t.Errorf("start = %v, want it to start: %t", err, tc.starts)
			}
			ready := w.Check(t.Context())
			if (ready == nil) != (tc.ready == nil) {
				t.Fatalf("check = %v, want %q", ready, tc.ready)
			}
			for _, want := range tc.ready {
				if !strings.Contains(ready.Error(), want) {
					t.Errorf("%q does not say %q", ready, want)
				}
				if !tc.starts && !strings.Contains(err.Error(), want) {
					t.Errorf("the refusal %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestWatchLogsEachChangeOnce(t *testing.T) {
	t.Parallel()
	addr := configured(t, map[string]string{"appendonly": "yes"})
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	var log bytes.Buffer
	clock := &setClock{}
	w := newWatch(t, addr, clock, &log, 0)
	look := func() string {
		log.Reset()
		w.look(t.Context())
		w.look(t.Context())
		return log.String()
	}
	config := func(name, value string) {
		if err := client.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if got := look(); got != "" {
		t.Errorf("nothing is wrong, and it says: %s", got)
	}
	config("maxmemory", "100mb")
	config("maxmemory-policy", "allkeys-lru")
	clock.set(6*time.Second, nil)
	if got := look(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "allkeys-lru") || !strings.Contains(got, "6s ahead") {
		t.Errorf("two problems, and it says: %s", got)
	}
	if diff := cmp.Diff(2, len(w.Status().Problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	// What does not answer is not better than it was.
	clock.set(0, errors.New("no database"))
	config("appendonly", "no")
	if got := look(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "appendonly") || w.Check(t.Context()) == nil {
		t.Errorf("one more problem, and it says: %s", got)
	}
	config("maxmemory-policy", "noeviction")
	clock.set(0, nil)
	if got := look(); strings.Count(got, "problem is over") != 2 || w.Check(t.Context()) != nil {
		t.Errorf("two problems less, and it says: %s", got)
	}
}

func TestWatchWithoutServers(t *testing.T) {
	t.Parallel()
	w := newWatch(t, closedAddr(t), &setClock{err: errors.New("no database")}, &bytes.Buffer{}, time.Hour)
	if err := w.Start(t.Context()); err != nil {
		t.Errorf("start = %v; servers that do not answer are for others to tell", err)
	}
	if err := w.Check(t.Context()); err != nil {
		t.Errorf("check = %v", err)
	}
}
