package embedded

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pusher/pusher-http-go/v5"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/schemacast/schemacast/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) *Services {
	t.Helper()
	s, err := Start(t.Context(), Config{DataDir: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The file that leads others to the services says the same as the variables.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	s := start(t)
	fromFile, err := config.Load(config.Source{DotEnv: s.EnvFile()}, config.NeedDatabase, config.NeedRedis, config.NeedBroadcast)
	if err != nil {
		t.Fatal(err)
	}
	given, err := config.Load(config.Source{Overrides: s.Environment()}, config.NeedDatabase, config.NeedRedis, config.NeedBroadcast)
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]string{
		"database":  {fromFile.Database.String(), given.Database.String()},
		"redis":     {fromFile.Redis.String(), given.Redis.String()},
		"broadcast": {fromFile.Broadcast.String(), given.Broadcast.String()},
		"secret":    {fromFile.Broadcast.Secret.Reveal(), given.Broadcast.Secret.Reveal()},
	} {
		if pair[0] != pair[1] || pair[0] == "" {
			t.Errorf("%s: the file says %q, the variables say %q", name, pair[0], pair[1])
		}
	}
	if info, err := os.Stat(s.EnvFile()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the secret: %v, %v; want it readable by its owner only", info, err)
	}
}

func TestStopTakesTheEnvironmentAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Start(t.Context(), Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second start on the same folder: %v", err)
	}
	if _, err := os.Stat(s.EnvFile()); err != nil {
		t.Errorf("the refused start took the file of the running one: %v", err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.EnvFile()); !os.IsNotExist(err) {
		t.Errorf("after the stop: %v, want no file", err)
	}
	again, err := Start(t.Context(), Config{DataDir: dir})
	if err != nil {
		t.Fatalf("a start after the stop: %v", err)
	}
	if err := again.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestRefusesProduction(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Start(t.Context(), Config{DataDir: dir, Production: true}); err == nil || !strings.Contains(err.Error(), "APP_ENV") {
		t.Errorf("start in production: %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the refused start made %s", dir)
	}
}

// asynq's record of a dead worker has to go away by itself.
func TestKeysOfRedisExpire(t *testing.T) {
	t.Parallel()
	s := start(t)
	client := redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	defer func() { _ = client.Close() }()
	if err := client.Set(t.Context(), "k", "v", time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(10 * time.Second)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for client.Exists(t.Context(), "k").Val() == 1 {
		select {
		case <-deadline:
			t.Fatal("the key is there after ten seconds; it was to live for one")
		case <-ticker.C:
		}
	}
}

func TestWatchSeesWhatIsPublished(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan string, 1)
	ended, err := s.Watch(ctx, "tenant.demo.schemas", func(event string, data []byte) { seen <- event + " " + string(data) })
	if err != nil {
		t.Fatal(err)
	}
	client := pusher.Client{AppID: appID, Key: s.key, Secret: s.secret, Host: s.Address()}
	if err := client.Trigger("tenant.demo.schemas", "schema.analysis", map[string]int{"seq": 1}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-seen:
		if got != `schema.analysis {"seq":1}` {
			t.Errorf("seen: %s", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was seen")
	}
	cancel()
	<-ended
}
