package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// Access says who may see what. With neither Open, nor Tokens, nor Proxies nobody may.
type Access struct {
	// Open lets everybody who reaches the server see one tenant. Then it listens on
	// loopback only, and answers only requests that name it so.
	Open string
	// Tokens are the secrets that scripts send and people sign in with.
	Tokens []Token
	// Proxies are the peers whose Header says who a request comes from. Any other peer's is
	// ignored.
	Proxies []netip.Prefix
	// Header has tenants, as schema.ParseTenants reads them. Needed with Proxies.
	Header string
}

// Token is a secret and what it opens.
type Token struct {
	Secret  string
	Tenants schema.Tenants
}

// identity is who a request comes from.
type identity struct {
	name       string // demo, token or proxy
	tenants    schema.Tenants
	canSignOut bool
}

// errNobody says that nothing in a request tells who sent it.
var errNobody = errors.New("sign in, or send a token as Authorization: Bearer TOKEN")

// tooManyError says that a peer tried too many wrong tokens.
type tooManyError struct{ retry time.Duration }

func (*tooManyError) Error() string {
	return "too many wrong tokens came from this address; wait and try again"
}

// guard tells who a request comes from.
type guard struct {
	access  Access
	guesses *guesses
	now     func() time.Time
}

func newGuard(access Access) *guard {
	return &guard{access: access, guesses: newGuesses(), now: time.Now}
}

func (g *guard) identify(r *http.Request) (identity, error) {
	if g.access.Open != "" {
		return identity{name: "demo", tenants: schema.Tenants{IDs: []string{g.access.Open}}}, nil
	}
	if g.trusts(r) {
		return g.introduced(r)
	}
	if secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token, err := g.find(r, strings.TrimSpace(secret))
		if err != nil {
			return identity{}, err
		}
		return identity{name: "token", tenants: token.Tenants}, nil
	}
	if token := g.session(r); token != nil {
		return identity{name: "token", tenants: token.Tenants, canSignOut: true}, nil
	}
	return identity{}, errNobody
}

// trusts says whether a request was handed over by one of our proxies. What counts is who
// holds the connection, not what a header says about it.
func (g *guard) trusts(r *http.Request) bool {
	peer, ok := peerOf(r)
	return ok && slices.ContainsFunc(g.access.Proxies, func(p netip.Prefix) bool { return p.Contains(peer) })
}

func peerOf(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	peer, err := netip.ParseAddr(host)
	return peer.Unmap().WithZone(""), err == nil
}

// introduced reads the header of a proxy. Of two the first may be the client's own.
func (g *guard) introduced(r *http.Request) (identity, error) {
	values := r.Header.Values(g.access.Header)
	if len(values) != 1 {
		return identity{}, errNobody
	}
	tenants, err := schema.ParseTenants(values[0])
	if err != nil {
		return identity{}, errNobody
	}
	return identity{name: "proxy", tenants: tenants}, nil
}

// find returns the token with a secret. It takes as long for a wrong one as for a right one,
// and a peer that tried many wrong ones has to wait before the next, even if that is right:
// else it could go on guessing.
func (g *guard) find(r *http.Request, secret string) (*Token, error) {
	peer, _ := peerOf(r)
	if retry := g.guesses.blocked(peer); retry > 0 {
		return nil, &tooManyError{retry}
	}
	var found *Token
	wanted := sha256.Sum256([]byte(secret))
	for i := range g.access.Tokens {
		sum := sha256.Sum256([]byte(g.access.Tokens[i].Secret))
		if subtle.ConstantTimeCompare(sum[:], wanted[:]) == 1 {
			found = &g.access.Tokens[i]
		}
	}
	if found == nil {
		g.guesses.wrong(peer)
		return nil, errors.New("no token is this one; see ADMIN_TOKENS of the worker")
	}
	return found, nil
}
