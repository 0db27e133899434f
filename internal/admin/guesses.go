package admin

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// A peer may be wrong guessBurst times, and then once each guessEvery. Tokens have 16
	// characters at least, so it is noise in the log that this limits, more than luck.
	guessBurst = 10
	guessEvery = 6 * time.Second
	// guessPeers bounds the memory of peers. Who has more addresses than that gains little.
	guessPeers = 4096
)

// guesses counts wrong tokens by peer.
type guesses struct {
	mu    sync.Mutex
	peers map[netip.Prefix]*rate.Limiter
}

func newGuesses() *guesses { return &guesses{peers: map[netip.Prefix]*rate.Limiter{}} }

// blocked is how long a peer has to wait, 0 when it may try.
func (g *guesses) blocked(peer netip.Addr) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	limiter := g.peers[network(peer)]
	if limiter == nil {
		return 0
	}
	if missing := 1 - limiter.Tokens(); missing > 0 {
		return time.Duration(missing * float64(guessEvery))
	}
	return 0
}

func (g *guesses) wrong(peer netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := network(peer)
	if g.peers[key] == nil {
		if len(g.peers) >= guessPeers {
			clear(g.peers)
		}
		g.peers[key] = rate.NewLimiter(rate.Every(guessEvery), guessBurst)
	}
	g.peers[key].Allow()
}

// network is what one peer can have of addresses without effort.
func network(peer netip.Addr) netip.Prefix {
	bits := 32
	if peer.Is6() {
		bits = 64
	}
	prefix, err := peer.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // all that has no address shares one limit
	}
	return prefix
}
