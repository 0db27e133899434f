package limit

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

func TestWithoutRedisEachWorkerLimitsItself(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	log := &buffer{}
	l := mustNew(t, connect(t, server.Addr()), Config{
		RequestsPerMinute: 60, TokensPerMinute: 10_000, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	server.Close()
	if n := taken(t, l, backfill, 20); n != 8 {
		t.Errorf("a backfill got %d of 20 without Redis, want 8", n)
	}
	if n := taken(t, l, interactive, 20); n != 2 {
		t.Errorf("others got %d of 20 without Redis, want the 2 that are left", n)
	}
	l.Settle(t.Context(), interactive, 5_000)
	l.Pause(t.Context(), time.Minute)
	if wait := l.Take(t.Context(), interactive); wait < 30*time.Second {
		t.Errorf("the pause is %s without Redis, want the minute that the server asked for", wait)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, log)
	}

	l.pausedUntil.Store(0)
	l.restUntil.Store(1) // the rest is over
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if n := taken(t, l, interactive, 12); n != 10 {
		t.Errorf("%d of 12 passed when Redis was back, want its 10", n)
	}
	if got := strings.Count(log.String(), "level=INFO"); got != 1 {
		t.Errorf("%d words on the return of Redis, want one:\n%s", got, log)
	}
}

func TestCallerThatLeavesIsNoOutage(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	log := &buffer{}
	l := mustNew(t, connect(t, server.Addr()), Config{RequestsPerMinute: 6, Logger: slog.New(slog.NewTextHandler(log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.Take(ctx, interactive)
	if log.String() != "" || l.restUntil.Load() != 0 {
		t.Errorf("a caller that left counts as an outage of Redis: %s", log)
	}
}

type buffer struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}
