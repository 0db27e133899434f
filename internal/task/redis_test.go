package task

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/schemacast/schemacast/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bed is a Redis without tasks.
type bed struct {
	t   *testing.T // of the subtest that it is for
	rdb redis.UniversalClient
	opt asynq.RedisClientOpt
}

// onEachRedis runs a test against miniredis and against a real server.
func onEachRedis(t *testing.T, test func(bed)) {
	t.Helper()
	t.Parallel()
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		test(newBed(t, miniredis.RunT(t).Addr()).of(t))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		test(newBed(t, testenv.Redis(t)).of(t))
	})
}

func (b bed) of(t *testing.T) bed {
	t.Helper()
	b.t = t
	return b
}

func newBed(t testing.TB, addr string) bed {
	t.Helper()
	// A machine that runs all tests at once may take its time.
	rdb := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: time.Minute})
	t.Cleanup(func() { _ = rdb.Close() })
	return bed{rdb: rdb, opt: asynq.RedisClientOpt{Addr: addr}}
}

// place is where a task is. Two of them compare with cmp.
type place struct {
	State     string
	HasMsg    bool
	Pending   int
	Active    int
	Lease     bool
	Scheduled bool
	Retry     bool
	Archived  bool
	Completed bool
	Extra     []string // fields of the hash that a pending task does not have
}

var waiting = place{State: "pending", HasMsg: true, Pending: 1}

func where(t *testing.T, b bed, queue, id string) place {
	t.Helper()
	ctx := context.Background()
	k := keys(queue, id)
	var p place
	hash, err := b.rdb.HGetAll(ctx, k[0]).Result()
	if err != nil {
		t.Fatal(err)
	}
	p.State, p.HasMsg = hash["state"], hash["msg"] != ""
	for _, field := range []string{"result", "unique_key", "group"} {
		if _, ok := hash[field]; ok {
			p.Extra = append(p.Extra, field)
		}
	}
	count := func(key string) (n int) {
		ids, err := b.rdb.LRange(ctx, key, 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range ids {
			if other == id {
				n++
			}
		}
		return n
	}
	p.Pending, p.Active = count(k[1]), count(k[2])
	for i, set := range []*bool{&p.Lease, &p.Scheduled, &p.Retry, &p.Archived, &p.Completed} {
		_, err := b.rdb.ZScore(ctx, k[3+i], id).Result()
		*set = err == nil
	}
	return p
}

func newProducer(t testing.TB, b bed) *Producer {
	t.Helper()
	p, err := NewProducer(b.rdb, ProducerConfig{Name: "test/1"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serve runs an asynq server over the interactive queue until stop is called. Its
// handler's calls arrive on the returned channel; stop waits for the acks.
func serve(t *testing.T, b bed, handler asynq.HandlerFunc) (stop func()) {
	t.Helper()
	srv := asynq.NewServerFromRedisClient(b.rdb, asynq.Config{
		Concurrency:       4,
		Queues:            map[string]int{QueueInteractive: 1, QueueBackfill: 1},
		TaskCheckInterval: 5 * time.Millisecond,
		ShutdownTimeout:   10 * time.Second,
		LogLevel:          asynq.FatalLevel,
		RetryDelayFunc:    func(int, error, *asynq.Task) time.Duration { return time.Hour },
	})
	if err := srv.Start(handler); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() { once.Do(srv.Shutdown) }
	t.Cleanup(stop)
	return stop
}

// receive waits for a signal, but not for ever.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s within 20 s", what)
		panic("unreachable")
	}
}
