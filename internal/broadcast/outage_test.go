package broadcast

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// A server that is down loses nothing and is told about once.
func TestRelayOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		back := time.Now().Add(10 * time.Minute)
		b.wire.script = func(context.Context, int, request) (*http.Response, error) {
			if time.Now().Before(back) {
				return nil, errRefused
			}
			return nil, nil
		}
		b.fill("one", 100)
		r := b.relay("one", nil)
		synctest.Wait()
		if got := r.Status(); got.Health != HealthRetrying || !strings.Contains(got.Reason, "connection refused") || got.Deferred == 0 {
			t.Errorf("status while the server is down = %+v", got)
		}
		before := b.wire.requests()
		r.Nudge(1)
		synctest.Wait()
		if b.wire.requests() != before {
			t.Error("a nudge shortened the pause after a failure")
		}
		b.outbox.waitEmpty(t)
		b.wire.mustBeInOrder(100, 3)
		if late := time.Since(back); late > 20*time.Second {
			t.Errorf("the last event left %s after the server was back", late)
		}
		if got := r.Status(); got.Health != HealthOK || got.Reason != "" || got.Sent != 300 || got.Dropped != 0 {
			t.Errorf("status afterwards = %+v", got)
		}
		if warned, told := b.log.count("interrupted"), b.log.count("works again"); warned != 1 || told != 1 {
			t.Errorf("logged the outage %d times and its end %d times, want once each", warned, told)
		}
		if n := b.wire.requests(); n > 250 {
			t.Errorf("%d requests, so a dead server was hammered", n)
		}
	})
}

// Something that refuses everything, such as a proxy, is no reason to drop events.
func TestRelayDropsNothingBeforeAForeignServer(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"bad request": 400, "not found": 404, "a page": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				mended := time.Now().Add(time.Hour)
				b.wire.script = func(context.Context, int, request) (*http.Response, error) {
					if time.Now().Before(mended) {
						return answer(status, "<html>The plain HTTP request was sent to HTTPS port</html>"), nil
					}
					return nil, nil
				}
				b.fill("one", 5)
				r := b.relay("one", nil)
				synctest.Wait()
				if got := r.Status(); got.Health != HealthDegraded {
					t.Errorf("status = %+v, want degraded", got)
				}
				b.outbox.waitEmpty(t)
				b.wire.mustBeInOrder(5, 3)
				if dropped, _, _ := b.outbox.counters(); len(dropped) > 0 {
					t.Errorf("dropped: %v", dropped)
				}
			})
		})
	}
}

// Wrong credentials are told once, loudly, and tried slowly.
func TestRelayWaitsForTheConfiguration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		mended := time.Now().Add(time.Hour)
		b.wire.script = func(context.Context, int, request) (*http.Response, error) {
			if time.Now().Before(mended) {
				return answer(200, `{"error":"The secret authentication failed","code":401}`), nil
			}
			return nil, nil
		}
		b.fill("one", 5)
		r := b.relay("one", nil)
		synctest.Wait()
		if got := r.Status(); got.Health != HealthDegraded || !strings.Contains(got.Reason, "PUSHER_APP_SECRET") {
			t.Errorf("status = %+v, want degraded with the cure", got)
		}
		b.outbox.waitEmpty(t)
		b.wire.mustBeInOrder(5, 3)
		if n := b.log.count("level=ERROR"); n != 1 {
			t.Errorf("logged %d errors, want 1", n)
		}
		if n := b.wire.requests(); n > 140 {
			t.Errorf("%d requests within an hour, want one every 30 s", n)
		}
		if got := r.Status(); got.Health != HealthOK {
			t.Errorf("status = %+v after the cure", got)
		}
	})
}

// A database that is down for a while costs only time, whatever call it refuses.
func TestRelayOutlivesTheDatabase(t *testing.T) {
	t.Parallel()
	for _, refused := range []string{"take", "settle", "defer"} {
		t.Run(refused, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				back := time.Now().Add(5 * time.Minute)
				b.outbox.fail = func(call string) error {
					if call == refused && time.Now().Before(back) {
						return errors.New("the database restarts")
					}
					return nil
				}
				b.wire.script = func(_ context.Context, call int, _ request) (*http.Response, error) {
					if call == 2 {
						return nil, errRefused
					}
					return nil, nil
				}
				b.fill("one", 50)
				b.relay("one", nil)
				b.outbox.waitEmpty(t)
				b.wire.mustBeInOrder(50, 3)
				if _, takes, _ := b.outbox.counters(); takes > 100 {
					t.Errorf("%d takes within five minutes, so a dead database was hammered", takes)
				}
			})
		})
	}
}

// A server that allows fewer events a second than a batch holds still gets all.
func TestRelayAdaptsToARateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		second, used := time.Now(), 0
		b.wire.script = func(_ context.Context, _ int, r request) (*http.Response, error) {
			if now := time.Now(); now.Sub(second) >= time.Second {
				second, used = now, 0
			}
			if used += len(r.Data); used > 3 {
				return answer(200, soketiBusy), nil
			}
			return nil, nil
		}
		b.fill("one", 20)
		b.relay("one", nil)
		b.outbox.waitEmpty(t)
		b.wire.mustBeInOrder(20, 3)
	})
}

// While the outbox can not be told what was sent, nothing is sent again.
func TestRelayRemembersWhatItCouldNotSettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		back := time.Now().Add(15 * time.Second)
		b.outbox.fail = func(call string) error {
			if call == "settle" && time.Now().Before(back) {
				return errors.New("the database restarts")
			}
			return nil
		}
		b.fill("one", 10)
		r := b.relay("one", nil)
		synctest.Wait()
		if got := r.Status(); got.Health != HealthRetrying || !strings.Contains(got.Reason, "settle 30 events") {
			t.Errorf("status = %+v, want retrying", got)
		}
		b.outbox.waitEmpty(t)
		if got := len(b.wire.delivered()); got != 30 {
			t.Errorf("%d deliveries of 30 events", got)
		}
		b.outbox.add("one", shortEvent(11, schema.EventStarted))
		b.outbox.waitEmpty(t)
		if _, _, again := b.outbox.counters(); again > 0 {
			t.Errorf("%d events were settled again", again)
		}
	})
}

// A panic of the client library is the failure of a request, not of the process.
func TestRelaySurvivesAPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.wire.script = func(_ context.Context, call int, _ request) (*http.Response, error) {
			if call == 1 {
				panic("a defect of the library")
			}
			return nil, nil
		}
		b.fill("one", 2)
		b.relay("one", nil)
		b.outbox.waitEmpty(t)
		b.wire.mustBeInOrder(2, 3)
		if n := b.log.count("a defect of the library"); n != 1 {
			t.Errorf("the panic was told %d times, want once", n)
		}
	})
}

// So is one of the outbox, after which the relay goes on.
func TestRelaySurvivesAPanicOfTheOutbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.outbox.fail = func(call string) error {
			if call == "take" && b.outbox.takes == 1 {
				panic("a defect of the driver")
			}
			return nil
		}
		b.fill("one", 2)
		r := b.relay("one", nil)
		synctest.Wait()
		if got := r.Status(); got.Health != HealthDegraded || !strings.Contains(got.Reason, "a defect of the driver") {
			t.Errorf("status = %+v", got)
		}
		b.outbox.waitEmpty(t)
		b.wire.mustBeInOrder(2, 3)
	})
}
