package testenv

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// SentinelMaster is the name under which the sentinels of tests watch their master.
const SentinelMaster = "lake"

// Sentinels are three sentinels over two Redis servers, the first of which begins as
// the master.
type Sentinels struct {
	// Addrs are the sentinels, host:port.
	Addrs []string
	// Servers are the master and its replica, as they began.
	Servers [2]*RedisServer

	t       testing.TB
	clients []*redis.SentinelClient
}

// StartSentinels starts five processes and returns when each sentinel knows the
// others and the replica, so that a failover is possible. settings are further
// arguments of both Redis servers.
func StartSentinels(t testing.TB, settings ...string) *Sentinels {
	t.Helper()
	settings = append([]string{"--repl-diskless-sync-delay", "0"}, settings...)
	s := &Sentinels{t: t}
	s.Servers[0] = StartRedis(t, settings...)
	host, port, err := net.SplitHostPort(s.Servers[0].Addr)
	if err != nil {
		t.Fatal(err)
	}
	s.Servers[1] = StartRedis(t, append(settings, "--replicaof", host+" "+port)...)
	for range 3 {
		addr := startSentinel(t, host, port)
		client := redis.NewSentinelClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { _ = client.Close() })
		s.Addrs = append(s.Addrs, addr)
		s.clients = append(s.clients, client)
	}
	for _, client := range s.clients {
		s.await("every sentinel knows the others and the replica", func(ctx context.Context) bool {
			master, err := client.Master(ctx, SentinelMaster).Result()
			return err == nil && master["num-other-sentinels"] == "2" && master["num-slaves"] == "1"
		})
	}
	s.awaitReplica(s.Servers[1].Addr)
	return s
}

// Master returns the address of the master, as the sentinels tell it.
func (s *Sentinels) Master() string {
	s.t.Helper()
	addr, err := s.clients[0].GetMasterAddrByName(s.t.Context(), SentinelMaster).Result()
	if err != nil {
		s.t.Fatalf("ask a sentinel for the master: %v", err)
	}
	return net.JoinHostPort(addr[0], addr[1])
}

// Failover lets the sentinels change master and replica, and returns when all of them
// tell the new one. It does not wait for the old master to follow.
func (s *Sentinels) Failover() {
	s.t.Helper()
	before := s.Master()
	s.await("a sentinel takes the order for a failover", func(ctx context.Context) bool {
		return s.clients[0].Failover(ctx, SentinelMaster).Err() == nil
	})
	s.AwaitMasterOtherThan(before)
}

// AwaitMasterOtherThan waits until all sentinels tell another master.
func (s *Sentinels) AwaitMasterOtherThan(before string) {
	s.t.Helper()
	for _, client := range s.clients {
		s.await("the sentinels tell another master than "+before, func(ctx context.Context) bool {
			addr, err := client.GetMasterAddrByName(ctx, SentinelMaster).Result()
			return err == nil && net.JoinHostPort(addr[0], addr[1]) != before
		})
	}
}

// awaitReplica waits until a replica has the master's data.
func (s *Sentinels) awaitReplica(addr string) {
	s.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = client.Close() }()
	s.await("the replica "+addr+" follows", func(ctx context.Context) bool {
		info, err := client.InfoMap(ctx, "replication").Result()
		return err == nil && info["Replication"]["master_link_status"] == "up"
	})
}

func (s *Sentinels) await(what string, done func(context.Context) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), startTimeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			s.t.Fatalf("waited %v until %s", startTimeout, what)
		case <-ticker.C:
		}
	}
}

// startSentinel starts one sentinel. It writes what it learns into its file.
func startSentinel(t testing.TB, masterHost, masterPort string) string {
	t.Helper()
	port, dir := reservePorts(t), t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 2\nsentinel down-after-milliseconds %[1]s 2000\nsentinel failover-timeout %[1]s 10000\n",
		SentinelMaster, masterHost, masterPort)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	//nolint:noctx // kill ends it; a context would end it before the test's clean-up
	cmd := exec.Command(redisBinary(t), file, "--sentinel", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir)
	p, err := launchReady(fmt.Sprintf("sentinel on port %d", port), cmd, "+monitor master "+SentinelMaster)
	if err != nil {
		t.Fatal(err)
	}
	p.killAtEnd(t)
	return loopback(port)
}
