package broadcast

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// What was written before Stop is sent by it.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		r := b.relay("one", nil)
		synctest.Wait()
		b.fill("one", 100)
		begin := time.Now()
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wire.mustBeInOrder(100, 3)
		if left := b.outbox.left(); left > 0 || time.Since(begin) > 0 {
			t.Errorf("%d events are left after %s", left, time.Since(begin))
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Errorf("second stop = %v", err)
		}
	})
}

// A server that hangs does not hold up the end, and the next relay starts at once.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"by the drain timeout": context.WithCancel,
		"by the caller": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				hung := true
				b.wire.script = func(ctx context.Context, _ int, _ request) (*http.Response, error) {
					if hung {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					return nil, nil
				}
				b.fill("one", 10)
				r := b.relay("one", func(c *RelayConfig) { c.DrainTimeout = 2 * time.Second })
				synctest.Wait()
				ctx, cancel := limit(t.Context())
				defer cancel()
				begin := time.Now()
				err := r.Stop(ctx)
				if err == nil || !strings.HasPrefix(err.Error(), "drain relay: ") || time.Since(begin) > 2*time.Second {
					t.Errorf("stop = %v after %s, want an error within the limit", err, time.Since(begin))
				}
				hung = false
				begin = time.Now()
				b.relay("two", nil)
				b.outbox.waitEmpty(t)
				if took := time.Since(begin); took > 0 {
					t.Errorf("the next relay waited %s for the streams", took)
				}
				b.wire.mustBeInOrder(10, 3)
			})
		})
	}
}

// A failing server is not waited for, and the error says where the events are.
func TestStopReportsAFailingServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.wire.script = func(context.Context, int, request) (*http.Response, error) { return nil, errRefused }
		r := b.relay("one", nil)
		synctest.Wait()
		b.outbox.add("one", shortEvent(1, schema.EventStarted))
		begin := time.Now()
		err := r.Stop(t.Context())
		if err == nil || !strings.Contains(err.Error(), "connection refused") || time.Since(begin) > 0 {
			t.Errorf("stop = %v after %s, want the server's failure at once", err, time.Since(begin))
		}
	})
}

func TestStartAndStopOutOfTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		r := b.relay("one", nil)
		if err := r.Start(t.Context()); err == nil {
			t.Error("a relay was started twice")
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		unused, err := NewRelay(b.outbox, silent{}, newTestRenderer(t, nil), RelayConfig{Owner: "w"})
		if err != nil {
			t.Fatal(err)
		}
		unused.Nudge(1)
		if err := unused.Stop(t.Context()); err != nil {
			t.Errorf("stop of a relay that never ran = %v", err)
		}
		if err := unused.Start(t.Context()); err == nil {
			t.Error("a stopped relay was started")
		}
	})
}
