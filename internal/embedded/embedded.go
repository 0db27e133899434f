// Package embedded runs the services that a worker needs inside its own process:
// Redis, a database file, and a server of the Pusher protocol. It is for trying
// things out on a machine with nothing but Go.
//
// The worker uses them as it uses real ones, by address: Environment returns the
// variables that lead to them, and no other part of the program knows. What is in
// Redis ends with the process; the database file stays.
package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gofrs/flock"

	"github.com/schemacast/schemacast/internal/embedded/hub"
)

const (
	appID = "schemacast"
	// EnvironmentFile is the name of the file in the data folder that leads other
	// programs, such as enqueue --env-file, to the services of a running process.
	EnvironmentFile = "env"
	databaseFile    = "schemacast.db"
	lockFile        = "lock"
	// tick is how often the clock of Redis moves: keys there expire only when told.
	tick = time.Second
)

// Config says where the services keep their data.
type Config struct {
	// DataDir is the folder of the database. It is made when it is missing.
	DataDir string
	// Production says that APP_ENV is production, where this package refuses to work.
	Production bool
	// Authorize says who may subscribe to a private channel. Defaults to everybody:
	// the services listen on loopback only.
	Authorize func(channel string) bool
}

// Services are the running services.
type Services struct {
	lock     *flock.Flock
	database string // path of the file
	envFile  string // path
	redis    *miniredis.Miniredis
	hub      *hub.Hub
	web      *http.Server // of the hub
	address  *net.TCPAddr // of the hub
	key      string
	secret   string

	stopClock context.CancelFunc
	clock     chan struct{} // closed when the clock has stopped
}

// Start starts the services on free ports of 127.0.0.1.
func Start(ctx context.Context, cfg Config) (*Services, error) {
	if cfg.Production {
		return nil, errors.New("APP_ENV is production, and the embedded services lose their tasks when they stop; " +
			"leave --embedded out, or set APP_ENV to local to try things out")
	}
	if cfg.Authorize == nil {
		cfg.Authorize = func(string) bool { return true }
	}
	s := &Services{key: strings.ToLower(rand.Text()), secret: rand.Text()}
	if err := s.start(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	return s, nil
}

func (s *Services) start(ctx context.Context, cfg Config) error {
	if err := s.claimFolder(cfg.DataDir); err != nil {
		return err
	}
	s.redis = miniredis.NewMiniRedis()
	if err := s.redis.StartAddr("127.0.0.1:0"); err != nil {
		return fmt.Errorf("start the embedded redis: %w", err)
	}
	if err := s.startHub(ctx, cfg); err != nil {
		return err
	}
	s.startClock(context.WithoutCancel(ctx))
	return s.writeEnvironment()
}

// claimFolder makes the data folder and keeps other processes out of it.
func (s *Services) claimFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder %s: %w; choose another with --data", dir, err)
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("write into the data folder %s: %w; choose another with --data", dir, err)
	}
	if !locked {
		return fmt.Errorf("the data folder %s is in use by another process; stop that one, or choose another folder with --data", dir)
	}
	s.lock = lock
	s.database = filepath.Join(dir, databaseFile)
	s.envFile = filepath.Join(dir, EnvironmentFile)
	return nil
}

func (s *Services) startHub(ctx context.Context, cfg Config) error {
	h, err := hub.New(hub.Options{AppID: appID, Key: s.key, Secret: s.secret, Authorize: cfg.Authorize})
	if err != nil {
		return fmt.Errorf("start the embedded hub: %w", err)
	}
	s.hub = h
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the embedded hub: %w", err)
	}
	s.address = listener.Addr().(*net.TCPAddr)
	s.web = &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	go func() {
		// It ends with Stop; the hub's clients notice any other end.
		_ = s.web.Serve(listener)
	}()
	return nil
}

// startClock lets the keys of Redis expire.
func (s *Services) startClock(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	s.stopClock, s.clock = stop, make(chan struct{})
	go func() {
		defer close(s.clock)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				s.redis.FastForward(tick)
			}
		}
	}()
}

// Environment returns the variables that lead to the services, in the words of the
// Laravel app.
func (s *Services) Environment() map[string]string {
	return map[string]string{
		"APP_ENV":              "local",
		"DB_CONNECTION":        "sqlite",
		"DB_DATABASE":          s.database,
		"REDIS_URL":            "redis://" + s.redis.Addr(),
		"BROADCAST_CONNECTION": "pusher",
		"BROADCAST_CHANNEL":    "public",
		"PUSHER_APP_ID":        appID,
		"PUSHER_APP_KEY":       s.key,
		"PUSHER_APP_SECRET":    s.secret,
		"PUSHER_HOST":          s.address.IP.String(),
		"PUSHER_PORT":          strconv.Itoa(s.address.Port),
		"PUSHER_SCHEME":        "http",
	}
}

// EnvFile is the path of a file with the Environment. It exists as long as the
// services run.
func (s *Services) EnvFile() string { return s.envFile }

// Key is the app key of the hub, which a browser needs to subscribe.
func (s *Services) Key() string { return s.key }

// Address is the host:port of the hub.
func (s *Services) Address() string { return s.address.String() }

func (s *Services) writeEnvironment() error {
	environment := s.Environment()
	var text strings.Builder
	text.WriteString("# Leads to the services of a running `worker run --embedded`; it is gone when that ends.\n")
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		fmt.Fprintf(&text, "%s=%q\n", name, environment[name])
	}
	if err := os.WriteFile(s.envFile, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", s.envFile, err)
	}
	return nil
}

// Stop ends the services. Clients of the hub are told to come back, tasks in Redis
// are gone; the rows that they were about are not.
func (s *Services) Stop(ctx context.Context) error {
	var problems []error
	if s.stopClock != nil {
		s.stopClock()
		<-s.clock
	}
	if s.hub != nil {
		s.hub.Close()
	}
	if s.web != nil {
		problems = append(problems, s.web.Shutdown(ctx))
	}
	if s.redis != nil {
		s.redis.Close()
	}
	if s.lock != nil {
		// The lock's file stays: removing it would let two others lock two files.
		problems = append(problems, removeIfThere(s.envFile), s.lock.Unlock())
	}
	return errors.Join(problems...)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
