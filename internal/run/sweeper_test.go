package run

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
)

func TestSweepPrunesWithoutRedis(t *testing.T) {
	t.Parallel()
	store := newFakeBacklog(orphans(1, 1, false)...)
	store.prunable = 1050
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client := newProbe(redis.UniversalOptions{Addrs: []string{closedAddr(t)}})
	t.Cleanup(func() { _ = client.Close() })
	s, err := NewSweeper(store, client, SweeperConfig{Retention: Retention{Events: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.Sweep(ctx)
	var refused *task.RedisError
	if !errors.As(err, &refused) {
		t.Errorf("sweep without a redis = %v, want a *task.RedisError", err)
	}
	if done.Pruned.Events != 1050 || s.Status().Total.Pruned.Events != 1050 {
		t.Errorf("pruned %+v, want 1050 events", done.Pruned)
	}
}

func TestOneSweeperAtATime(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			store := newFakeBacklog(orphans(1, 5, false)...)
			first := newSweeper(t, store, opts, SweeperConfig{Owner: "a", Interval: 10 * time.Millisecond})
			second := newSweeper(t, store, opts, SweeperConfig{Owner: "b", Interval: 10 * time.Millisecond})
			for _, s := range []*Sweeper{first, second} {
				if err := s.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Stop(context.Background()) })
				eventually(t, "somebody leads", func() bool { return first.Status().Leading })
			}
			<-store.swept
			if second.Status().Leading {
				t.Error("two sweepers lead")
			}
			if err := first.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the other one goes on", func() bool { return second.Status().Leading })
			eventually(t, "and sweeps", func() bool { return second.Status().Total.Looked > 0 })
			if got := first.Status().Total.Enqueued + second.Status().Total.Enqueued; got != 5 {
				t.Errorf("%d tasks enqueued by both, want 5", got)
			}
			if err := first.Start(t.Context()); err == nil {
				t.Error("a stopped sweeper starts again")
			}
		})
	}
}

// A database that is down is told once, and the sweeper goes on by itself.
func TestSweeperRecovers(t *testing.T) {
	t.Parallel()
	store := newFakeBacklog(orphans(1, 5, false)...)
	store.err = ErrUnavailable
	s := newSweeper(t, store, redisServers[0].start(t), SweeperConfig{Interval: 5 * time.Millisecond})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	eventually(t, "the error is told", func() bool { return errors.Is(s.Status().Err, ErrUnavailable) })
	store.mu.Lock()
	store.err = nil
	store.mu.Unlock()
	eventually(t, "the tasks are there", func() bool { return s.Status().Total.Enqueued == 5 })
	eventually(t, "the error is gone", func() bool { return s.Status().Err == nil })
}

// A sweep that takes longer than its lease renews it, and ends when another process has
// it.
func TestLongSweepKeepsItsLease(t *testing.T) {
	t.Parallel()
	store := newFakeBacklog(orphans(1, 100, false)...)
	s := newSweeper(t, store, redisServers[0].start(t), SweeperConfig{Owner: "a", Interval: time.Nanosecond, Page: 10})
	s.round(t.Context())
	if got := s.Status(); !got.Leading || got.Last.Enqueued != 100 {
		t.Errorf("after a sweep with the lease: %+v, want all 100 enqueued", got)
	}
	store.mu.Lock()
	store.leases[sweeperJob] = "b"
	store.orphans = orphans(101, 100, false)
	store.mu.Unlock()
	_, err := s.sweep(t.Context(), s.renewal())
	if got := s.Status(); !errors.Is(err, errLedElsewhere) || got.Leading || got.Total.Enqueued != 100 {
		t.Errorf("sweep without the lease = %v and %+v; want it to end at once", err, got)
	}
}

// A Redis that hangs does not hold up the end of the process.
func TestSweeperAndDoctorStopWhileRedisHangs(t *testing.T) {
	t.Parallel()
	opts := redis.UniversalOptions{Addrs: []string{silentAddr(t)}, ReadTimeout: 300 * time.Millisecond}
	store := newFakeBacklog()
	sweeper := newSweeper(t, store, opts, SweeperConfig{Interval: time.Millisecond})
	doctor := newDoctor(t, store, opts, DoctorConfig{Interval: time.Millisecond, Timeout: 500 * time.Millisecond})
	for _, part := range []interface {
		Start(context.Context) error
		Stop(context.Context) error
	}{sweeper, doctor} {
		if err := part.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := part.Stop(ctx)
		cancel()
		if err != nil {
			t.Error(err)
		}
	}
}
