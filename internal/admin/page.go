package admin

import (
	"bytes"
	"embed"
	"net"
	"net/http"
	"path"
	"strconv"
	"time"
)

// dist is the page as `npm run build` in web/ leaves it. It holds no data.
//
//go:embed dist
var dist embed.FS

// assetTypes are those that the build makes. The tables of the machine are not asked: some
// call a script plain text, which browsers then do not run.
var assetTypes = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png",
	".ico": "image/x-icon", ".woff2": "font/woff2", ".json": "application/json", ".txt": "text/plain; charset=utf-8",
}

func (u *UI) page(w http.ResponseWriter, _ *http.Request) {
	index, err := dist.ReadFile("dist/index.html")
	if err != nil {
		http.Error(w, "the page is not built into this program", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", u.policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	// An error here is a client that went away.
	_, _ = w.Write(index)
}

// asset serves a file whose name has a hash of its content, so that it never changes.
func (u *UI) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	kind := assetTypes[path.Ext(name)]
	content, err := dist.ReadFile("dist/assets/" + name)
	if err != nil || kind == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}

// contentPolicy lets the page run what it was built with, and talk to this server and to
// the one of its events.
func contentPolicy(events *EventServer) string {
	connect := "'self'"
	if events != nil {
		connect += " " + events.source()
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src " + connect +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// source is the server as a policy names it.
func (e *EventServer) source() string {
	scheme := "ws:"
	if e.Scheme == "https" {
		scheme = "wss:"
	}
	if ip := net.ParseIP(e.Host); ip != nil && ip.To4() == nil {
		return scheme // a policy can not name IPv6 addresses
	}
	return scheme + "//" + net.JoinHostPort(e.Host, strconv.Itoa(e.Port))
}
