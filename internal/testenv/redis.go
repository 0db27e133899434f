package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// Redis starts an own, empty Redis for the test and returns its host:port. It keeps
// nothing on disk.
func Redis(t testing.TB) string {
	t.Helper()
	return StartRedis(t).Addr
}

// RedisServer is a Redis that a test can kill and start again.
type RedisServer struct {
	Addr string // host:port, the same after a restart
	server
}

// StartRedis starts a Redis that the test can stop and start. It comes back empty,
// as after FLUSHALL. settings are further arguments of redis-server, such as
// "--maxmemory", "2mb".
func StartRedis(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	port := reservePorts(t)
	return startRedis(t, port, append([]string{"--port", strconv.Itoa(port)}, settings...))
}

// RedisTLS says how a Redis speaks TLS.
type RedisTLS struct {
	Server KeyPair
	// Clients is the file of the authority whose certificates clients must show.
	// Defaults to asking for none.
	Clients string
}

// StartRedisTLS starts a Redis that speaks nothing but TLS.
func StartRedisTLS(t testing.TB, tls RedisTLS, settings ...string) *RedisServer {
	t.Helper()
	port := reservePorts(t)
	args := []string{
		"--port", "0", "--tls-port", strconv.Itoa(port), "--tls-cert-file", tls.Server.CertFile, "--tls-key-file", tls.Server.KeyFile,
	}
	if tls.Clients == "" {
		// It wants the file in any case.
		args = append(args, "--tls-ca-cert-file", tls.Server.CertFile, "--tls-auth-clients", "no")
	} else {
		args = append(args, "--tls-ca-cert-file", tls.Clients)
	}
	return startRedis(t, port, append(args, settings...))
}

func startRedis(t testing.TB, port int, args []string) *RedisServer {
	t.Helper()
	binary := redisBinary(t)
	dir := t.TempDir()
	args = append([]string{"--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no", "--daemonize", "no"}, args...)
	s := &RedisServer{Addr: loopback(port), server: server{t: t}}
	s.boot = func() (*process, error) {
		cmd := exec.Command(binary, args...) //nolint:noctx // kill ends it; a context would end it before the test's clean-up
		return launchReady(fmt.Sprintf("redis-server on port %d", port), cmd, "Ready to accept connections")
	}
	s.Start()
	return s
}

func redisBinary(t testing.TB) string {
	t.Helper()
	if binary := os.Getenv(envRedisServer); binary != "" {
		return binary
	}
	found, err := exec.LookPath("redis-server")
	if err != nil {
		Need(t, "redis-server is not in PATH and "+envRedisServer+" is not set")
	}
	return found
}
