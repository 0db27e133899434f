package broadcast

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/schemacast/schemacast/internal/schema"
)

// Admission signs subscriptions to the channels of tenants, as the app's auth endpoint
// does. It decides nothing about people: who asks is the caller's business.
type Admission struct {
	server *server
	namer  namer
}

// NewAdmission returns nil where nobody is admitted: the channels are public, or nothing is
// published.
func NewAdmission(cfg Config) (*Admission, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, fmt.Errorf("configure broadcasting: %w", err)
	}
	if cfg.Mode == ModePublic || cfg.Driver == DriverLog || cfg.Driver == DriverNull {
		return nil, nil
	}
	names, err := newNamer(cfg.Mode, cfg.Templates)
	if err != nil {
		return nil, err
	}
	// It never sends, so it needs no transport.
	s, err := newServer(cfg, nil)
	if err != nil {
		return nil, err
	}
	return &Admission{server: s, namer: names}, nil
}

// TenantOf returns the tenant whose own channel has this name. What the name says is not
// believed: the channel of that tenant must spell it to the letter.
func (a *Admission) TenantOf(channel string) (string, bool) {
	before, after, _ := strings.Cut(a.namer.prefix()+TenantTemplate, tenantHolder)
	rest, ok := strings.CutPrefix(channel, before)
	if !ok {
		return "", false
	}
	tenantID, ok := strings.CutSuffix(rest, after)
	if !ok {
		return "", false
	}
	names, err := a.namer.channels(schema.Event{TenantID: tenantID})
	if err != nil || names[0] != channel {
		return "", false
	}
	return tenantID, true
}

// Sign returns the answer to a client that wants to listen: JSON with auth and, on encrypted
// channels, shared_secret.
func (a *Admission) Sign(socketID, channel string) ([]byte, error) {
	if a.server.cfg.Mode == ModeEncrypted && !strings.HasPrefix(channel, a.namer.prefix()) {
		return nil, errors.New("sign the subscription: the channel is not encrypted")
	}
	client := a.server.client // a copy, as for each call
	answer, err := client.AuthorizePrivateChannel([]byte(url.Values{"socket_id": {socketID}, "channel_name": {channel}}.Encode()))
	if err != nil {
		return nil, fmt.Errorf("sign the subscription: %w", err)
	}
	return answer, nil
}
