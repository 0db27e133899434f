package task

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/testenv"
)

func TestWorkerSeesPayloadAndHeaders(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		req := Request{Payload: Payload{42, "acme"}, Traceparent: trace}
		if _, err := newProducer(t, b).Enqueue(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		seen := make(chan *asynq.Task, 1)
		stop := serve(t, b, func(_ context.Context, task *asynq.Task) error {
			seen <- task
			return nil
		})
		task := receive(t, seen, "run of the task")
		stop()
		payload, err := Decode(task.Payload())
		must(t, err)
		if diff := cmp.Diff(req.Payload, payload); diff != "" {
			t.Errorf("payload (-want +got):\n%s", diff)
		}
		want := map[string]string{HeaderProducer: "test/1", HeaderTraceparent: trace}
		if diff := cmp.Diff(want, task.Headers()); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if left := b.rdb.Keys(t.Context(), "*:t:*").Val(); len(left) > 0 {
			t.Errorf("tasks were left: %v", left)
		}
	})
}

func TestSixteenProducersOneTask(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		p := newProducer(t, b)
		got := make([]Outcome, 16)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				outcomes, err := p.Enqueue(t.Context(), Request{Payload: Payload{SchemaID: 7}})
				if err != nil {
					t.Error(err)
				}
				got[i] = outcomes[0]
			})
		}
		wg.Wait()
		counts := map[Outcome]int{}
		for _, outcome := range got {
			counts[outcome]++
		}
		if diff := cmp.Diff(map[Outcome]int{Enqueued: 1, AlreadyQueued: 15}, counts); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(waiting, where(t, b, QueueInteractive, ID(7))); diff != "" {
			t.Errorf("place (-want +got):\n%s", diff)
		}
	})
}

// A restarted or flushed Redis knows neither the script nor the set of queues.
func TestEnqueueAfterFlush(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		p := newProducer(t, b)
		for round := range 3 {
			must(t, b.rdb.ScriptFlush(t.Context()).Err())
			must(t, b.rdb.FlushDB(t.Context()).Err())
			got, err := p.Enqueue(t.Context(),
				Request{Payload: Payload{SchemaID: 1}}, Request{Payload: Payload{SchemaID: 2}, Queue: QueueBackfill})
			must(t, err)
			if diff := cmp.Diff([]Outcome{Enqueued, Enqueued}, got); diff != "" {
				t.Errorf("round %d: outcomes (-want +got):\n%s", round, diff)
			}
			names, err := asynq.NewInspectorFromRedisClient(b.rdb).Queues()
			must(t, err)
			if len(names) != 2 {
				t.Errorf("round %d: got queues %v, want both", round, names)
			}
		}
	})
}

func TestEnqueueRefusesBadRequests(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		for _, tt := range []struct {
			name string
			req  Request
			want string
		}{
			{"no id", Request{}, "has schema_id 0"},
			{"tenant", Request{Payload: Payload{7, "\xff"}}, "not valid Unicode"},
			{"queue", Request{Payload: Payload{SchemaID: 7}, Queue: "default"}, `no worker reads the queue "default"; use "schemas" or`},
			{"foreign task id", Request{Payload: Payload{SchemaID: 7}, TaskID: ID(77)}, `"schema:analyze:77" is not of this schema`},
			{"odd fence", Request{Payload: Payload{SchemaID: 7}, TaskID: ID(7) + ":01"}, "is not of this schema"},
		} {
			good := Request{Payload: Payload{SchemaID: 1}}
			got, err := newProducer(t, b).Enqueue(t.Context(), good, tt.req)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got error %v, want %q", tt.name, err, tt.want)
			}
			if diff := cmp.Diff([]Outcome{Unknown, Unknown}, got); diff != "" {
				t.Errorf("%s: outcomes (-want +got):\n%s", tt.name, diff)
			}
		}
		if n := b.rdb.DBSize(t.Context()).Val(); n != 0 {
			t.Errorf("%d keys were written", n)
		}
		if got, err := newProducer(t, b).Enqueue(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("no requests: got %v, %v", got, err)
		}
	})
}

func TestNewProducerRefusesBadSettings(t *testing.T) {
	t.Parallel()
	for _, cfg := range []ProducerConfig{{Name: "\xff"}, {Name: strings.Repeat("x", 101)}, {Batch: -1}} {
		if _, err := NewProducer(nil, cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

func TestRedisDown(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	must(t, l.Close())
	rdb := redis.NewClient(&redis.Options{Addr: addr, Username: "app", Password: "hunter2", MaxRetries: -1})
	defer func() { _ = rdb.Close() }()
	got, err := newProducer(t, bed{rdb: rdb}).Enqueue(t.Context(), Request{Payload: Payload{SchemaID: 7}})
	var e *RedisError
	if !errors.As(err, &e) || e.Address != addr {
		t.Fatalf("got %v, want a *RedisError of %s", err, addr)
	}
	for _, part := range []string{addr, "connection refused", "REDIS_URL"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", err, err, e); strings.Contains(text, "hunter2") {
		t.Errorf("the password is in %q", text)
	}
	sentinels := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "m", SentinelAddrs: []string{addr}, MaxRetries: -1})
	defer func() { _ = sentinels.Close() }()
	_, err = newProducer(t, bed{rdb: sentinels}).Enqueue(t.Context(), Request{Payload: Payload{SchemaID: 7}})
	if err == nil || !strings.Contains(err.Error(), "Redis at the sentinels' master does not answer") {
		t.Errorf("behind sentinels: %v, want them named", err)
	}
	if diff := cmp.Diff([]Outcome{Unknown}, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestCancelled(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := newProducer(t, b).Enqueue(ctx, Request{Payload: Payload{SchemaID: 7}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled in the chain", err)
		}
	})
}

func TestRedisRefuses(t *testing.T) {
	t.Parallel()
	addr := testenv.Redis(t)
	open := func(user, password string) *redis.Client {
		rdb := redis.NewClient(&redis.Options{Addr: addr, Username: user, Password: password})
		t.Cleanup(func() { _ = rdb.Close() })
		return rdb
	}
	must(t, open("", "").ConfigSet(t.Context(), "requirepass", "hunter2").Err())
	root := open("", "hunter2")
	must(t, root.Do(t.Context(), "ACL", "SETUSER", "reader", "on", ">hunter2", "~*", "+@read", "+hello", "+client").Err())

	expect := func(rdb redis.UniversalClient, words ...string) {
		t.Helper()
		got, err := newProducer(t, bed{rdb: rdb}).Enqueue(t.Context(), Request{Payload: Payload{SchemaID: 7}})
		var e *RedisError
		if !errors.As(err, &e) {
			t.Fatalf("got %v, %v; want a *RedisError", got, err)
		}
		for _, word := range append(words, addr) {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q does not say %q", err, word)
			}
		}
		if strings.Contains(err.Error(), "hunter") {
			t.Errorf("the password is in %q", err)
		}
	}
	expect(open("", ""), "wants a password", "set REDIS_PASSWORD")
	expect(open("", "hunter3"), "refused the password", "REDIS_USERNAME and REDIS_PASSWORD")
	expect(open("reader", "hunter2"), "forbids the user to enqueue")

	must(t, root.ConfigSet(t.Context(), "maxmemory", "1").Err())
	expect(root, "is out of memory", "raise maxmemory")
	must(t, root.ConfigSet(t.Context(), "maxmemory", "0").Err())
	if n := root.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were written without memory for them", n)
	}
	// Inside of a script Redis says it in other words.
	must(t, root.Do(t.Context(), "ACL", "SETUSER", "halfway", "on", ">hunter2", "~*", "+@all", "-lpush").Err())
	expect(open("halfway", "hunter2"), "forbids the user to enqueue", "grant it")
	must(t, root.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err())
	expect(root, "is a replica", "REDIS_SENTINEL_ADDRS")
}

// Without memory the script must not half replace a task: Redis checks only the
// first write of a script.
func TestOutOfMemoryKeepsTheOldTask(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Redis(t))
	archived(t, b, ID(7))
	before := where(t, b, QueueInteractive, ID(7))
	p := newProducer(t, b)
	must(t, b.rdb.Do(t.Context(), "CONFIG", "SET", "maxmemory", "1").Err())
	_, err := p.Enqueue(t.Context(), Request{Payload: Payload{SchemaID: 7}})
	if err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Fatalf("got %v, want OOM", err)
	}
	must(t, b.rdb.Do(t.Context(), "CONFIG", "SET", "maxmemory", "0").Err())
	if diff := cmp.Diff(before, where(t, b, QueueInteractive, ID(7))); diff != "" {
		t.Errorf("place (-want +got):\n%s", diff)
	}
}

// In a cluster all keys of a call must lie in one slot, which the hash tag decides.
func TestCluster(t *testing.T) {
	t.Parallel()
	for _, queue := range Queues() {
		for _, key := range keys(queue, ID(7)) {
			if !strings.HasPrefix(key, "asynq:{"+queue+"}:") {
				t.Errorf("the key %s is not in the slot of %s", key, queue)
			}
		}
	}
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{miniredis.RunT(t).Addr()}})
	t.Cleanup(func() { _ = rdb.Close() })
	first := Request{Payload: Payload{SchemaID: 1}}
	reqs := []Request{first, {Payload: Payload{SchemaID: 2}, Queue: QueueBackfill}, first}
	got, err := newProducer(t, bed{rdb: rdb}).Enqueue(t.Context(), reqs...)
	must(t, err)
	if diff := cmp.Diff([]Outcome{Enqueued, Enqueued, AlreadyQueued}, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// BenchmarkEnqueue compares one call a task with one round trip for many.
func BenchmarkEnqueue(b *testing.B) {
	for _, size := range []int{1, 500} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			p := newProducer(b, newBed(b, testenv.Redis(b)))
			reqs := make([]Request, size)
			next := int64(0)
			b.ResetTimer()
			for n := 0; n < b.N; n += size {
				for i := range reqs {
					next++
					reqs[i] = Request{Payload: Payload{next, "3f0c9a52-6f4e-4b7a-9d55-3f1f0d1c8a11"}, Queue: QueueBackfill}
				}
				if _, err := p.Enqueue(context.Background(), reqs...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
		})
	}
}
