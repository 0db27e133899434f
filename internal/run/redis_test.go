package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

func TestMain(m *testing.M) {
	redis.SetLogger(RedisLog{Logger: slog.New(slog.DiscardHandler)})
	goleak.VerifyTestMain(m)
}

// redisServers are those that a test runs against.
var redisServers = []struct {
	name  string
	start func(t *testing.T) redis.UniversalOptions
}{
	{"miniredis", func(t *testing.T) redis.UniversalOptions {
		t.Helper()
		return redis.UniversalOptions{Addrs: []string{miniredis.RunT(t).Addr()}}
	}},
	{"redis", func(t *testing.T) redis.UniversalOptions {
		t.Helper()
		return redis.UniversalOptions{Addrs: []string{testenv.Redis(t)}}
	}},
}

// configured is a redis-server with settings of its own.
func configured(t *testing.T, settings map[string]string) string {
	t.Helper()
	addr := testenv.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close() //nolint:errcheck // each setting was checked
	for name, value := range settings {
		if err := client.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return addr
}

func enqueue(t *testing.T, opts redis.UniversalOptions, queue string, ids ...int64) {
	t.Helper()
	enqueueWith(t, opts, 1000, queue, ids...)
}

func enqueueWith(t *testing.T, opts redis.UniversalOptions, maxRetry int, queue string, ids ...int64) {
	t.Helper()
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: opts.Addrs[0]})
	defer client.Close() //nolint:errcheck // each enqueue was checked
	for _, id := range ids {
		payload := fmt.Appendf(nil, `{"schema_id":%d,"v":1}`, id)
		_, err := client.Enqueue(asynq.NewTask(task.Type, payload),
			asynq.TaskID(task.ID(id)), asynq.Queue(queue), asynq.MaxRetry(maxRetry), asynq.Timeout(10*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// taskInfo returns nil when Redis has no such task.
func taskInfo(t *testing.T, opts redis.UniversalOptions, queue string, id int64) *asynq.TaskInfo {
	t.Helper()
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: opts.Addrs[0]})
	defer inspector.Close() //nolint:errcheck // nothing was written
	info, err := inspector.GetTaskInfo(queue, task.ID(id))
	if errors.Is(err, asynq.ErrTaskNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// eventually waits for what no signal tells: a state in Redis.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("not so after 30 s: %s", what)
		}
	}
}

func TestStartSaysWhatIsWrongWithRedis(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		opts func(t *testing.T) redis.UniversalOptions
		want []string
	}{
		{"nobody listens", func(t *testing.T) redis.UniversalOptions {
			t.Helper()
			return redis.UniversalOptions{Addrs: []string{closedAddr(t)}, Password: "hunter2"}
		}, []string{"does not answer", "refused", "REDIS_HOST", "127.0.0.1:"}},
		{"nobody answers", func(t *testing.T) redis.UniversalOptions {
			t.Helper()
			return redis.UniversalOptions{Addrs: []string{silentAddr(t)}, ReadTimeout: 200 * time.Millisecond}
		}, []string{"does not answer", "timeout", "127.0.0.1:"}},
		{"a password is missing", func(t *testing.T) redis.UniversalOptions {
			t.Helper()
			return redis.UniversalOptions{Addrs: []string{configured(t, map[string]string{"requirepass": "hunter2"})}}
		}, []string{"NOAUTH", "REDIS_PASSWORD"}},
		{"the password is wrong", func(t *testing.T) redis.UniversalOptions {
			t.Helper()
			return redis.UniversalOptions{Addrs: []string{configured(t, map[string]string{"requirepass": "hunter2"})}, Password: "hunter3"}
		}, []string{"WRONGPASS", "REDIS_PASSWORD"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			service, err := NewService(tc.opts(t), newTestHandler(t, newFakeStore(), analyzerFunc(good), HandlerConfig{}), ServiceConfig{})
			if err != nil {
				t.Fatal(err)
			}
			err = service.Start(t.Context())
			var typed *task.RedisError
			if !errors.As(err, &typed) {
				t.Fatalf("got %v, want a *task.RedisError", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("%q tells the password", err)
			}
			if err := service.Stop(t.Context()); err != nil {
				t.Errorf("stop after a failed start: %v", err)
			}
		})
	}
}

func closedAddr(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// silentAddr accepts and says nothing.
func silentAddr(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func TestCheckVersion(t *testing.T) {
	t.Parallel()
	for version, ok := range map[string]bool{
		"6.0.16": false, "5.0.7": false, "6.2.0": true, "7.4.1": true, "10.0": true, "": true, "valkey": true,
	} {
		if err := checkVersion("here:6379", version); (err == nil) != ok {
			t.Errorf("version %q: %v", version, err)
		}
	}
}

func TestRealRedisTellsItsVersion(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: testenv.Redis(t)})
	defer client.Close() //nolint:errcheck // nothing was written
	info, err := client.Info(t.Context(), "server").Result()
	if err != nil || infoField(info, "redis_version") == "" {
		t.Errorf("no version in %q (%v)", info, err)
	}
	if err := checkRedis(t.Context(), client, "here"); err != nil {
		t.Error(err)
	}
}

func TestAsynqLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Now()
	l := newAsynqLog(slog.New(slog.NewTextHandler(&out, nil)), "schemas")
	l.now = func() time.Time { return now }
	l.Info("Starting processing")
	l.Warn("Retry exhausted for task id=1")
	for range 5 {
		l.Error("Failed to write server state data: dial tcp: refused")
	}
	now = now.Add(repeatEvery)
	l.Error("Failed to write server state data: EOF")
	l.Warn("Lease reset failed for 1\xff")
	l.Fatal("the end")
	want := 4
	if got := strings.Count(out.String(), "\n"); got != want {
		t.Errorf("%d lines, want %d:\n%s", got, want, out.String())
	}
	if !strings.Contains(out.String(), "queue=schemas") {
		t.Errorf("no queue in:\n%s", out.String())
	}
	if newAsynqLog(slog.New(slog.DiscardHandler), "q").log.Enabled(context.Background(), slog.LevelError) {
		t.Error("the discarding logger is enabled")
	}
}

// infoNumber reads the number behind "name:" or "name:count=" of a section of INFO, 0
// where it is absent.
func infoNumber(t *testing.T, client redis.UniversalClient, section, name string) int64 {
	t.Helper()
	info, err := client.Info(t.Context(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.ParseInt(strings.TrimPrefix(infoField(info, name), "count="), 10, 64)
	return n
}
