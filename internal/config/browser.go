package config

import (
	"cmp"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// EventServer is the server of the Pusher protocol as browsers reach it. The zero value is
// none.
type EventServer struct {
	Key     string
	Host    string
	Port    int
	Secure  bool
	Cluster string
}

// browser finds the address for browsers. The app's VITE_PUSHER_* are looked at only where
// our own dashboard needs them: for the app they may say what they like.
func (l *loader) browser() {
	b := &l.cfg.Broadcast
	if !b.Publishes() {
		return
	}
	s := EventServer{Key: b.Key, Host: b.Host, Port: b.Port, Secure: b.Secure, Cluster: b.Cluster}
	if b.Connection == "pusher" && l.servesDashboard() && l.vars.BroadcastPublicURL == "" {
		s = l.vite(s)
	}
	if s.Host == "" {
		s.Host, s.Port, s.Secure = "ws-"+s.Cluster+".pusher.com", 443, true
	}
	if l.vars.BroadcastPublicURL != "" {
		l.publicURL(&s)
	}
	b.Browser = s
}

// servesDashboard says whether ADMIN_ADDR leads to one.
func (l *loader) servesDashboard() bool {
	return l.needs(NeedWorker) && l.vars.AdminAddr != "off" && l.vars.AdminAddr != "false"
}

func (l *loader) vite(s EventServer) EventServer {
	v := l.vars
	s.Key, s.Host, s.Cluster = cmp.Or(v.VitePusherAppKey, s.Key), cmp.Or(v.VitePusherHost, s.Host), cmp.Or(v.VitePusherCluster, s.Cluster)
	if v.VitePusherScheme != "" {
		l.choice("VITE_PUSHER_SCHEME", v.VitePusherScheme, "http", "https")
		s.Secure = v.VitePusherScheme != "http"
	}
	if v.VitePusherPort != "" {
		port, err := strconv.Atoi(v.VitePusherPort)
		if err != nil || port < 1 || port > 65535 {
			l.problem("VITE_PUSHER_PORT", "is %s; write a port, or set BROADCAST_PUBLIC_URL", quote(v.VitePusherPort))
		}
		s.Port = port
	}
	if !plainHost(s.Host) {
		l.problem("VITE_PUSHER_HOST", "is %s; write the host alone, or set BROADCAST_PUBLIC_URL", quote(s.Host))
	}
	return s
}

// plainHost says whether a text is a host without scheme, port and path, or empty.
func plainHost(host string) bool {
	return !strings.ContainsAny(host, "/@?#; '\"\t\r\n") && (!strings.Contains(host, ":") || net.ParseIP(host) != nil)
}

// publicURL reads BROADCAST_PUBLIC_URL.
func (l *loader) publicURL(s *EventServer) {
	const name = "BROADCAST_PUBLIC_URL"
	value := l.vars.BroadcastPublicURL
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery+u.Fragment+strings.Trim(u.Path, "/") != "" || !plainHost(u.Hostname()) {
		l.problem(name, "is %s; write scheme, host and port, as ws://localhost:6001 or wss://events.example", quote(value))
		return
	}
	switch u.Scheme {
	case "ws", "http":
		s.Secure, s.Port = false, 80
	case "wss", "https":
		s.Secure, s.Port = true, 443
	default:
		l.problem(name, "has the scheme %q; choose ws or wss", u.Scheme)
	}
	s.Host = u.Hostname()
	if u.Port() == "" {
		return
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil || port < 1 || port > 65535 {
		l.problem(name, "has the port %q; choose 1 to 65535", u.Port())
	}
	s.Port = port
}
