package hub

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the protocol signs the MD5 of a body
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxClockSkew is Pusher's. Soketi has none, so a wrong clock would show up in
// production only.
const maxClockSkew = 600 * time.Second

// sign is HMAC-SHA256 with the app's secret, in hex.
func (h *Hub) sign(text string) string {
	mac := hmac.New(sha256.New, []byte(h.opts.Secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// subscriptionAuth is what entitles a socket to a private channel.
func (h *Hub) subscriptionAuth(socketID, channel string) string {
	return h.opts.Key + ":" + h.sign(socketID+":"+channel)
}

func (h *Hub) authorized(socketID string, sub subscription) bool {
	return hmac.Equal([]byte(sub.Auth), []byte(h.subscriptionAuth(socketID, sub.Channel)))
}

// checkSignature checks a request of the HTTP API without its body, which the signature
// covers by body_md5.
func (h *Hub) checkSignature(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errors.New("the query can not be read")
	}
	want := h.sign(r.Method + "\n" + r.URL.Path + "\n" + signedParameters(query))
	if !hmac.Equal([]byte(query.Get("auth_signature")), []byte(want)) {
		return errors.New("the secret authentication failed")
	}
	if query.Get("auth_key") != h.opts.Key {
		return errors.New("auth_key is not the app's key")
	}
	seconds, err := strconv.ParseInt(query.Get("auth_timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > maxClockSkew {
		return errors.New("auth_timestamp is more than 600 s away from this server's clock; set the clock")
	}
	return nil
}

// signedParameters joins all parameters but the signature, sorted by their lower-case
// names, with values as they are.
func signedParameters(query url.Values) string {
	var pairs []string
	for name, values := range query {
		if name != "auth_signature" {
			pairs = append(pairs, strings.ToLower(name)+"="+strings.Join(values, ","))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// checkBody checks a body against the sum that was signed.
func checkBody(r *http.Request, body []byte) error {
	sum := md5.Sum(body) //nolint:gosec // the protocol signs the MD5 of a body
	if hex.EncodeToString(sum[:]) != r.URL.Query().Get("body_md5") {
		return errors.New("body_md5 is not the sum of the body")
	}
	return nil
}
