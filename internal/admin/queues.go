package admin

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
)

// QueuesPath is where Asynqmon is.
const QueuesPath = "/asynqmon"

// maxQueuesBody bounds what is sent to it: lists of ids.
const maxQueuesBody = 1 << 20

// closedPolicy is for what is no page.
const closedPolicy = "default-src 'none'; frame-ancestors 'none'"

// queues lets those see Asynqmon who may see every tenant: its queues hold all of them.
func (u *UI) queues(w http.ResponseWriter, r *http.Request, who identity) {
	if !who.tenants.All {
		fail(w, http.StatusForbidden, "the queues show every tenant; this needs a token of all of them, TOKEN=*", "all_tenants")
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	rest := strings.TrimPrefix(r.URL.Path, QueuesPath)
	if strings.HasPrefix(rest, "/api/") {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json") // an error says that it is text
		w.Header().Set("Content-Security-Policy", closedPolicy)
		r.Body = http.MaxBytesReader(w, r.Body, maxQueuesBody)
		u.ports.Queues.ServeHTTP(w, r)
		return
	}
	if queuesFile.MatchString(rest) {
		w.Header().Set("Content-Security-Policy", closedPolicy)
		u.ports.Queues.ServeHTTP(w, r)
		return
	}
	u.queuesPage(w, r)
}

var (
	queuesFile = regexp.MustCompile(`^/(static/.+|[^/]+\.(png|ico|json|txt))$`)
	// foreignLink is a font of another site: the page has others to fall back on.
	foreignLink  = regexp.MustCompile(`<link [^>]*href="https://[^>]*>`)
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// queuesPage serves Asynqmon's page with a policy that lets it run what it was built with.
// Its styles are made by a library that asks the page for a nonce.
func (u *UI) queuesPage(w http.ResponseWriter, r *http.Request) {
	request := r.Clone(r.Context())
	request.URL.Path, request.URL.RawPath = QueuesPath+"/", ""
	got := &answer{header: http.Header{}, code: http.StatusOK}
	u.ports.Queues.ServeHTTP(got, request)
	if got.code != http.StatusOK {
		w.WriteHeader(got.code)
		_, _ = w.Write(got.body.Bytes())
		return
	}
	page := foreignLink.ReplaceAll(got.body.Bytes(), nil)
	scripts := "'self'"
	for _, script := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(script[1])
		scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	nonce := rand.Text()
	page = bytes.Replace(page, []byte("<head>"), []byte(`<head><meta property="csp-nonce" content="`+nonce+`"/>`), 1)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src "+scripts+"; style-src 'nonce-"+nonce+
		"'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	// An error here is a client that went away.
	_, _ = w.Write(page)
}

// answer keeps what a handler answers.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(code int)        { a.code = code }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
