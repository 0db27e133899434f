package testenv

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Blocks of ports lie below the range from which the system takes the ports of
// outgoing connections: a server that is down for a while must find its port free
// when it comes back.
const (
	firstPort   = 20000
	portBlocks  = 3000
	blockSize   = 4
	guardOffset = blockSize - 1 // held open as long as the block is taken
)

// reservePorts takes three consecutive free ports on 127.0.0.1 until the test ends and
// returns the first. A listener on the fourth keeps other tests, of other processes
// too, away from them, even while nobody listens on the three.
func reservePorts(t testing.TB) int {
	t.Helper()
	for range 200 {
		base := firstPort + blockSize*rand.IntN(portBlocks)
		guard, err := listen(t, base+guardOffset)
		if err != nil {
			continue
		}
		if free(t, base, guardOffset) {
			t.Cleanup(func() { _ = guard.Close() })
			return base
		}
		_ = guard.Close()
	}
	t.Fatalf("no free block of ports in 127.0.0.1:%d-%d after 200 tries", firstPort, firstPort+blockSize*portBlocks-1)
	return 0
}

// Port returns a host:port on 127.0.0.1 on which nobody listens, and which nobody else
// gets until the test ends: for programs that are to come back at the same address.
func Port(t testing.TB) string {
	t.Helper()
	return loopback(reservePorts(t))
}

// free says whether nobody listens on n ports from base on.
func free(t testing.TB, base, n int) bool {
	t.Helper()
	for port := base; port < base+n; port++ {
		l, err := listen(t, port)
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

func listen(t testing.TB, port int) (net.Listener, error) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", loopback(port))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	return l, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
