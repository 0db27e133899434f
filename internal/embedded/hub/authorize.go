package hub

import (
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxFormBytes holds a socket id and a channel name.
const maxFormBytes = 4 << 10

var socketID = regexp.MustCompile(`^\d+\.\d+$`)

// authorize serves POST /broadcasting/auth, as the Laravel app does where there is one.
func (h *Hub) authorize(w http.ResponseWriter, r *http.Request) {
	if !localPage(r) {
		refuse(w, http.StatusForbidden, "pages of this origin get no authorization, only those of localhost")
		return
	}
	allowPage(w, r)
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "the form can not be read")
		return
	}
	socket, channel := r.PostForm.Get("socket_id"), r.PostForm.Get("channel_name")
	encrypted := strings.HasPrefix(channel, encryptedPrefix)
	switch {
	case !socketID.MatchString(socket):
		refuse(w, http.StatusBadRequest, "socket_id is none")
	case !validChannel(channel) || !strings.HasPrefix(channel, privatePrefix) || unsupported(channel):
		refuse(w, http.StatusBadRequest, "channel_name is not that of a private channel")
	case !h.opts.Authorize(channel):
		refuse(w, http.StatusForbidden, "the channel is not for this client")
	case encrypted && len(h.masterKey) == 0:
		refuse(w, http.StatusForbidden, "this server has no key for encrypted channels")
	default:
		reply := struct {
			Auth         string `json:"auth"`
			SharedSecret string `json:"shared_secret,omitempty"`
		}{Auth: h.subscriptionAuth(socket, channel)}
		if encrypted {
			secret := sha256.Sum256(append([]byte(channel), h.masterKey...))
			reply.SharedSecret = base64.StdEncoding.EncodeToString(secret[:])
		}
		answer(w, reply)
	}
}

// preflight lets a browser send the header with the CSRF token that Laravel Echo adds.
func (h *Hub) preflight(w http.ResponseWriter, r *http.Request) {
	if !localPage(r) {
		refuse(w, http.StatusForbidden, "pages of this origin get no authorization, only those of localhost")
		return
	}
	allowPage(w, r)
	w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
	w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	w.WriteHeader(http.StatusNoContent)
}

// allowPage lets the page read the answer: it comes from another port.
func allowPage(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Add("Vary", "Origin")
	}
}

// localPage says whether a request comes from a page of this machine, on any port, or
// from no page at all.
func localPage(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
}
