package config

import (
	"encoding/base64"
	"net"
	"strconv"
	"strings"
)

// Broadcast is where events go, and what is in them.
type Broadcast struct {
	// Connection is pusher, reverb, log or null.
	Connection string
	// Channel is public, private or encrypted. Where nothing is published it may be
	// left out, and is public then.
	Channel       string
	Templates     []string
	Samples       bool
	MaxBytes      int
	EncryptionKey Secret // base64 of 32 bytes

	AppID  string
	Key    string
	Secret Secret
	// Host is empty for Pusher's cloud.
	Host    string
	Port    int
	Secure  bool
	Cluster string // of Pusher's cloud

	// Browser is the server as browsers reach it.
	Browser EventServer
}

// Publishes says whether there is a server at all.
func (b Broadcast) Publishes() bool { return b.Connection == "pusher" || b.Connection == "reverb" }

// String names the server without the secret.
func (b Broadcast) String() string {
	switch {
	case !b.Publishes():
		return b.Connection
	case b.Host == "":
		return "pusher cluster " + b.Cluster
	default:
		return b.Connection + " " + net.JoinHostPort(b.Host, strconv.Itoa(b.Port))
	}
}

// The largest events that servers take, in bytes.
const (
	soketiMaxBytes = 100 << 10
	pusherMaxBytes = 10 << 10
	reverbMaxBytes = 9000     // its limit is 10,000 for the whole request
	leastMaxBytes  = 4 << 10  // the smallest form of an event with the longest names
	mostMaxBytes   = 10 << 20 // beyond any server's limit
)

func (l *loader) broadcast() {
	v := l.vars
	b := &l.cfg.Broadcast
	*b = Broadcast{
		Connection: v.BroadcastConnection, Channel: v.BroadcastChannel, Samples: bool(v.BroadcastSamples),
		MaxBytes: v.BroadcastMaxBytes, EncryptionKey: v.BroadcastEncryptionKey,
	}
	l.required("choose pusher (Soketi, Pusher), reverb, or log or null, which publish nothing", "BROADCAST_CONNECTION")
	switch b.Connection {
	case "":
	case "log", "null":
		l.warn("BROADCAST_CONNECTION=%s publishes nothing: no dashboard will see an event", b.Connection)
	case "pusher":
		b.AppID, b.Key, b.Secret = v.PusherAppID, v.PusherAppKey, v.PusherAppSecret
		b.Host, b.Port, b.Cluster = v.PusherHost, v.PusherPort, v.PusherCluster
		l.server("PUSHER", v.PusherScheme, 6001)
	case "reverb":
		b.AppID, b.Key, b.Secret = v.ReverbAppID, v.ReverbAppKey, v.ReverbAppSecret
		b.Host, b.Port = v.ReverbHost, v.ReverbPort
		l.required("set it to the host of Reverb", "REVERB_HOST")
		l.server("REVERB", v.ReverbScheme, 8080)
	default:
		l.choice("BROADCAST_CONNECTION", b.Connection, "pusher", "reverb", "log", "null")
	}
	l.maxBytes()
	if nothing := b.Connection == "log" || b.Connection == "null"; nothing && b.Channel == "" {
		b.Channel = "public"
	} else {
		l.channel()
	}
	l.templates()
	l.browser()
}

// server checks the variables of one kind of server.
func (l *loader) server(prefix, scheme string, plainPort int) {
	b := &l.cfg.Broadcast
	l.required("set it to the app's, as the server knows it", prefix+"_APP_ID", prefix+"_APP_KEY", prefix+"_APP_SECRET")
	l.plain(prefix+"_APP_ID", b.AppID)
	l.plain(prefix+"_APP_KEY", b.Key)
	if strings.ContainsAny(b.Host, "/@?# ") || (strings.Contains(b.Host, ":") && net.ParseIP(b.Host) == nil) {
		l.problem(prefix+"_HOST", "is %s; write the host alone, port and scheme into %s_PORT and %s_SCHEME", quote(b.Host), prefix, prefix)
	}
	l.choice(prefix+"_SCHEME", scheme, "http", "https")
	b.Secure = scheme != "http"
	l.port(prefix+"_PORT", b.Port)
	if !l.isSet(prefix + "_PORT") {
		b.Port = plainPort
		if b.Secure {
			b.Port = 443
		}
		l.derive(prefix+"_PORT", strconv.Itoa(b.Port), "default")
	}
	if b.Connection == "pusher" && b.Host == "" && !b.Secure {
		l.problem("PUSHER_SCHEME", "is \"http\", but without PUSHER_HOST events go to Pusher's cloud; set PUSHER_HOST, or https")
	}
}

// plain reports what the client would put into a URL as it is.
func (l *loader) plain(name, value string) {
	if strings.ContainsAny(value, "/?#&=% ") {
		l.problem(name, "is %q, which can not stand in a URL; use letters, digits, \"-\" and \"_\"", value)
	}
}

func (l *loader) maxBytes() {
	b := &l.cfg.Broadcast
	limit := soketiMaxBytes
	cloud := b.Connection == "pusher" && (b.Host == "" || strings.HasSuffix(b.Host, ".pusher.com"))
	switch {
	case cloud:
		limit = pusherMaxBytes
	case b.Connection == "reverb":
		limit = reverbMaxBytes
	}
	if !l.isSet("BROADCAST_MAX_BYTES") {
		b.MaxBytes = limit
		l.derive("BROADCAST_MAX_BYTES", strconv.Itoa(limit), "default")
		return
	}
	between(l, "BROADCAST_MAX_BYTES", b.MaxBytes, leastMaxBytes, mostMaxBytes)
	if cloud && b.MaxBytes > pusherMaxBytes {
		l.problem("BROADCAST_MAX_BYTES", "is %d, but Pusher's cloud takes %d; remove it, or set PUSHER_HOST to your own server",
			b.MaxBytes, pusherMaxBytes)
	}
}

func (l *loader) channel() {
	b := l.cfg.Broadcast
	l.required("choose public (what the existing dashboard listens to; whoever knows the app key can listen too), "+
		"private (whom the app admits) or encrypted", "BROADCAST_CHANNEL")
	if b.Channel == "" {
		return
	}
	l.choice("BROADCAST_CHANNEL", b.Channel, "public", "private", "encrypted")
	if b.Channel == "public" && b.Samples {
		l.warn("BROADCAST_SAMPLES is on and BROADCAST_CHANNEL public: whoever knows the app key can read sample values")
	}
	if b.Channel != "encrypted" {
		return
	}
	l.required("generate one with: openssl rand -base64 32, and give it to the app too", "BROADCAST_ENCRYPTION_KEY")
	if b.EncryptionKey.IsEmpty() {
		return
	}
	key, err := base64.StdEncoding.DecodeString(b.EncryptionKey.Reveal())
	switch {
	case err != nil:
		l.problem("BROADCAST_ENCRYPTION_KEY", "is not base64; generate one with: openssl rand -base64 32")
	case len(key) != 32:
		l.problem("BROADCAST_ENCRYPTION_KEY", "has %d bytes, not 32; generate one with: openssl rand -base64 32", len(key))
	}
}

// templates checks what can be said without package broadcast, which knows the rules
// of channel names: the list itself, and its placeholders.
func (l *loader) templates() {
	for _, item := range l.vars.BroadcastTemplates {
		for _, template := range strings.Fields(item) {
			rest := strings.NewReplacer("{tenant_id}", "", "{requested_by}", "").Replace(template)
			switch {
			case strings.ContainsAny(rest, "{}"):
				l.problem("BROADCAST_CHANNEL_TEMPLATES", "has %q; the placeholders are {tenant_id} and {requested_by}", template)
			case rest == template:
				l.problem("BROADCAST_CHANNEL_TEMPLATES", "has %q, on which all tenants would meet; put {tenant_id} into it", template)
			default:
				l.cfg.Broadcast.Templates = append(l.cfg.Broadcast.Templates, template)
			}
		}
	}
}
