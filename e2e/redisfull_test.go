package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/testenv"
)

// D4 13: Redis takes no more writes. The producer is told in one sentence and the wish
// stays in the database; what runs ends; when there is room again the worker goes on
// by itself.
func TestRedisTakesNoWrites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		start func(*testing.T) (server *testenv.RedisServer, refuse, accept func(*redis.Client))
		wants []string
	}{
		{"memory", fullMemory, []string{"is out of memory", "raise maxmemory"}},
		{"disk", fullDisk, []string{"can not save to its disk", "free the disk"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, testenv.Soketi(t))
			server, refuse, accept := c.start(t)
			g.env["REDIS_URL"], g.env["WORKER_SWEEP_INTERVAL"], g.ahead = "redis://"+server.Addr, "1s", "1 hour"
			client := redis.NewClient(&redis.Options{Addr: server.Addr})
			t.Cleanup(func() { _ = client.Close() })
			release := g.hold()
			w := g.start(t)
			ids := g.add(shapes(3)...)
			g.enqueue(ids[:1])
			g.asked(1)
			refuse(client)
			refused := g.run("enqueue", "schema", ids[1])
			for _, want := range append(c.wants, "run the same command again") {
				if refused.code != 1 || !strings.Contains(refused.stderr, want) {
					t.Errorf("enqueue: exit %d, %q, want %q in it", refused.code, refused.stderr, want)
				}
			}
			g.wantValue("requested", "SELECT state FROM schemacast_runs WHERE schema_id = $1", ids[1])
			release()
			g.awaitValue("completed", "SELECT state FROM schemacast_runs WHERE schema_id = $1", ids[0])
			accept(client)
			g.enqueue(ids[2:], "--wait")
			g.wantDone(3)
			w.stop()
		})
	}
}

func fullMemory(t *testing.T) (server *testenv.RedisServer, refuse, accept func(*redis.Client)) {
	t.Helper()
	set := func(limit string) func(*redis.Client) {
		return func(client *redis.Client) {
			if err := client.ConfigSet(t.Context(), "maxmemory", limit).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return testenv.StartRedis(t, "--maxmemory-policy", "noeviction"), set("1"), set("0")
}

// fullDisk has a Redis whose snapshot can not take its place, since a folder is there.
func fullDisk(t *testing.T) (server *testenv.RedisServer, refuse, accept func(*redis.Client)) {
	t.Helper()
	dir := t.TempDir()
	obstacle := filepath.Join(dir, "dump.rdb")
	save := func(client *redis.Client, status string) {
		await(t, "the last snapshot is "+status, func() bool {
			_ = client.BgSave(context.Background()).Err() // one may be under way
			info, err := client.Info(t.Context(), "persistence").Result()
			return err == nil && strings.Contains(info, "rdb_last_bgsave_status:"+status)
		})
	}
	refuse = func(client *redis.Client) {
		if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		save(client, "err")
	}
	accept = func(client *redis.Client) {
		if err := os.RemoveAll(obstacle); err != nil {
			t.Fatal(err)
		}
		save(client, "ok")
	}
	return testenv.StartRedis(t, "--dir", dir, "--save", "3600 1000000"), refuse, accept
}
