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
// as after FLUSHALL.
func StartRedis(t testing.TB) *RedisServer {
	t.Helper()
	binary := os.Getenv(envRedisServer)
	if binary == "" {
		found, err := exec.LookPath("redis-server")
		if err != nil {
			Need(t, "redis-server is not in PATH and "+envRedisServer+" is not set")
		}
		binary = found
	}
	port := reservePorts(t)
	dir := t.TempDir()
	s := &RedisServer{Addr: loopback(port), server: server{t: t}}
	s.boot = func() (*process, error) {
		cmd := exec.Command(binary, //nolint:noctx // kill ends it; a context would end it before the test's clean-up
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir,
			"--save", "", "--appendonly", "no", "--daemonize", "no")
		return launchReady(fmt.Sprintf("redis-server on port %d", port), cmd, "Ready to accept connections")
	}
	s.Start()
	return s
}
