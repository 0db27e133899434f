package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	sessionCookie = "schemacast_session"
	sessionLasts  = 12 * time.Hour
	maxSignIn     = 4 << 10
)

// signIn exchanges a token for a cookie, which a page can not read. The cookie is no
// secret of the server's own: it is made from the token, so every worker with the same
// tokens takes it, and it ends with the token.
func (u *UI) signIn(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSignIn)).Decode(&body); err != nil {
		fail(w, http.StatusBadRequest, `send the token as {"token":"..."}`, "")
		return
	}
	token, err := u.guard.find(r, strings.TrimSpace(body.Token))
	if err != nil {
		refuse(w, err)
		return
	}
	u.setSession(w, r, token.cookie(u.guard.now().Add(sessionLasts)), int(sessionLasts/time.Second))
}

func (u *UI) signOut(w http.ResponseWriter, r *http.Request) { u.setSession(w, r, "", -1) }

func (u *UI) setSession(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // G124: Secure where the browser came over TLS, else it would not keep it
		Name: sessionCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || u.guard.trusts(r) && r.Header.Get("X-Forwarded-Proto") == "https",
	})
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

// session returns the token of a request's cookie, nil when there is none that counts.
func (g *guard) session(r *http.Request) *Token {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	id, rest, _ := strings.Cut(cookie.Value, ".")
	until, _, _ := strings.Cut(rest, ".")
	seconds, err := strconv.ParseInt(until, 10, 64)
	if err != nil || !g.now().Before(time.Unix(seconds, 0)) {
		return nil
	}
	for i := range g.access.Tokens {
		token := &g.access.Tokens[i]
		if token.id() == id && hmac.Equal([]byte(token.cookie(time.Unix(seconds, 0))), []byte(cookie.Value)) {
			return token
		}
	}
	return nil
}

// id names the token without telling it.
func (t *Token) id() string {
	sum := sha256.Sum256([]byte("schemacast token id\x00" + t.Secret))
	return hex.EncodeToString(sum[:8])
}

func (t *Token) cookie(until time.Time) string {
	text := t.id() + "." + strconv.FormatInt(until.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(t.Secret))
	mac.Write([]byte("schemacast session\x00" + text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
