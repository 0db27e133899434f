package testenv

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PostgresConfig says how a PostgreSQL of a test's own differs from the shared one.
type PostgresConfig struct {
	// TLS lets it speak nothing but TLS.
	TLS *KeyPair
	// ClientCA is the file of the authority whose certificates clients must show.
	ClientCA string
	// Password is the superuser's, which everybody has to send then. Defaults to trusting
	// every user.
	Password string
	// Settings are further ones, such as "max_connections=20".
	Settings []string
}

// PostgresServer is a PostgreSQL that a test can stop, crash and start again; its data
// stays.
type PostgresServer struct {
	// URL leads to the database postgres as the superuser, without TLS.
	URL  string
	Addr string // host:port

	server
	dir string // of everything that belongs to it, owned by its user
}

// StartPostgres makes a PostgreSQL of the test's own, which takes a few seconds.
func StartPostgres(t testing.TB, cfg PostgresConfig) *PostgresServer {
	t.Helper()
	s := newPostgres(t)
	s.tool("initdb", append(s.authentication(cfg.Password), "-D", s.data(), "-U", "postgres", "-E", "UTF8", "--locale=C", "-N")...)
	if cfg.Password != "" {
		s.URL = "postgres://" + url.UserPassword("postgres", cfg.Password).String() + "@" + s.Addr + "/postgres?sslmode=disable"
	}
	settings := cfg.Settings
	if cfg.TLS != nil {
		settings = append(s.secure(cfg), settings...)
	}
	s.launch("ready to accept connections", settings)
	return s
}

// StartStandby starts a hot standby of a PostgreSQL: it has the same data, and answers
// every write with "read-only".
func StartStandby(t testing.TB, primary *PostgresServer) *PostgresServer {
	t.Helper()
	s := newPostgres(t)
	s.tool("pg_basebackup", "-d", primary.URL, "-D", s.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync")
	s.launch("ready to accept read-only connections", nil)
	return s
}

// Start starts the server again after Stop or Crash, with its data, and returns when it
// takes connections.
func (s *PostgresServer) Start() {
	s.t.Helper()
	s.server.Start()
	s.t.Cleanup(s.Stop) // before its files go
}

// Stop ends the server as an operator does: transactions are broken off, and every
// client is told so.
func (s *PostgresServer) Stop() { s.end(syscall.SIGINT) }

// Crash ends the server without a word to anybody. It recovers at the next Start.
func (s *PostgresServer) Crash() { s.end(syscall.SIGQUIT) }

func (s *PostgresServer) end(signal os.Signal) {
	if s.now == nil {
		return
	}
	_ = s.now.cmd.Process.Signal(signal) // an error means that it is gone already
	select {
	case <-s.now.done:
	case <-time.After(startTimeout):
		s.now.kill()
	}
	s.now = nil
}

func (s *PostgresServer) data() string { return filepath.Join(s.dir, "data") }

func newPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "schemacast-postgres-") //nolint:usetesting // the server's user could not enter the test's own folder
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := reservePorts(t)
	s := &PostgresServer{
		Addr: loopback(port), URL: "postgres://postgres@" + loopback(port) + "/postgres?sslmode=disable", dir: dir, server: server{t: t},
	}
	s.give(dir)
	return s
}

// launch starts the server and defines how it starts again.
func (s *PostgresServer) launch(ready string, settings []string) {
	s.t.Helper()
	host, port, _ := strings.Cut(s.Addr, ":")
	args := []string{"-D", s.data(), "-h", host, "-p", port}
	// Nothing has to survive a power cut.
	for _, setting := range slices.Concat([]string{"unix_socket_directories=", "fsync=off"}, settings) {
		args = append(args, "-c", setting)
	}
	s.boot = func() (*process, error) {
		return launchReady("PostgreSQL on port "+port, s.command("postgres", args...), ready)
	}
	s.Start()
}

// authentication are the options of initdb that say who is let in.
func (s *PostgresServer) authentication(password string) []string {
	s.t.Helper()
	if password == "" {
		return []string{"-A", "trust"}
	}
	file := filepath.Join(s.dir, "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.give(file)
	return []string{"-A", "scram-sha-256", "--pwfile=" + file}
}

// secure writes what TLS needs and returns the settings for it.
func (s *PostgresServer) secure(cfg PostgresConfig) []string {
	s.t.Helper()
	rule := "hostssl all all 127.0.0.1/32 trust"
	settings := []string{"ssl=on", "ssl_cert_file=" + s.copy(cfg.TLS.CertFile), "ssl_key_file=" + s.copy(cfg.TLS.KeyFile)}
	if cfg.ClientCA != "" {
		rule += " clientcert=verify-ca"
		settings = append(settings, "ssl_ca_file="+s.copy(cfg.ClientCA))
	}
	if err := os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(rule+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return settings
}

// copy makes a file the server's own: it refuses a key that others may read.
func (s *PostgresServer) copy(path string) string {
	s.t.Helper()
	content, err := os.ReadFile(path) //nolint:gosec // a file that the test made
	if err != nil {
		s.t.Fatal(err)
	}
	own := filepath.Join(s.dir, filepath.Base(path))
	if err := os.WriteFile(own, content, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.give(own)
	return own
}

// tool runs one of PostgreSQL's programs to its end.
func (s *PostgresServer) tool(program string, args ...string) {
	s.t.Helper()
	cmd := s.command(program, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v; it said:\n%s", program, err, out)
	}
}

func (s *PostgresServer) command(program string, args ...string) *exec.Cmd {
	s.t.Helper()
	//nolint:noctx // Stop ends it; a context would end it before the test's clean-up
	cmd := exec.Command(filepath.Join(postgresBin(s.t), program), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + s.dir}
	if owner := postgresUser(s.t); owner != nil {
		if err := runAs(cmd, owner); err != nil {
			s.t.Fatal(err)
		}
	}
	return cmd
}

// give hands a file to the user that the server runs as.
func (s *PostgresServer) give(path string) {
	s.t.Helper()
	owner := postgresUser(s.t)
	if owner == nil {
		return
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	if err := os.Chown(path, uid, gid); err != nil {
		s.t.Fatal(err)
	}
}

// postgresUser is the user that stands in for root, as whom PostgreSQL refuses to run;
// nil for others.
func postgresUser(t testing.TB) *user.User {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	owner, err := user.Lookup("postgres")
	if err != nil {
		Need(t, "PostgreSQL refuses to run as root, and there is no user postgres")
	}
	return owner
}

// postgresBin finds the programs of the newest PostgreSQL, 13 or later, where Debian
// puts them, or in PATH.
func postgresBin(t testing.TB) string {
	t.Helper()
	for version := 30; version >= 13; version-- {
		dir := fmt.Sprintf("/usr/lib/postgresql/%d/bin", version)
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir
		}
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		Need(t, "initdb is neither in /usr/lib/postgresql nor in PATH")
	}
	return filepath.Dir(initdb)
}
