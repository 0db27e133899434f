package testenv

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"testing"
	"time"
)

// browseTimeout is how long a page may take, on a machine that does other things too.
const browseTimeout = 90 * time.Second

// Browse opens a page in Chromium and returns what it has drawn once its scripts are
// quiet, and what the browser says on its console.
func Browse(t testing.TB, address string) (dom, console string) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		Need(t, "chromium is not in PATH")
	}
	ctx, cancel := context.WithTimeout(t.Context(), browseTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--virtual-time-budget=15000", "--dump-dom", address)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // its children may keep the pipes open
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium at %s: %v; it said:\n%s", address, err, stderr.String())
	}
	return stdout.String(), stderr.String()
}

// SignedIn returns the address of a server that adds a token to each request for target:
// a browser on the command line can not send one.
func SignedIn(t testing.TB, target, token string) string {
	t.Helper()
	address, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	between := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(address)
			r.Out.Header.Set("Authorization", "Bearer "+token)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(between.Close)
	return between.URL
}
