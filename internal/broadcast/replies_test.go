package broadcast

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// meaning is what the publisher makes of an answer. Of a success it is empty.
type meaning struct {
	Status     int
	Class      class
	RetryAfter time.Duration
}

// answers are the files of testdata/replies and their meanings.
var answers = map[string]map[string]meaning{
	"soketi": {
		"event": {}, "batch": {},
		"too-large":      {Status: 413, Class: refused},
		"batch-too-long": {Status: 400, Class: refused},
		"empty-data":     {Status: 400, Class: refused},
		"long-name":      {Status: 400, Class: refused},
		"bad-secret":     {Status: 401, Class: misconfigured},
		"unknown-app":    {Status: 404, Class: misconfigured},
		"wrong-path":     {Status: 404, Class: misconfigured},
		"busy":           {Status: 429, Class: transient},
	},
	"reverb": {
		"event": {}, "batch": {},
		"too-large":    {Status: 413, Class: refused},
		"bad-request":  {Status: 400, Class: refused},
		"not-a-string": {Status: 422, Class: refused},
		"bad-secret":   {Status: 401, Class: misconfigured},
		"unknown-app":  {Status: 404, Class: misconfigured},
		"wrong-path":   {Status: 404, Class: misconfigured},
		"defect":       {Status: 500, Class: transient},
	},
	"pusher": {
		"event": {}, "batch": {}, "batch-bare": {},
		"too-large":      {Status: 413, Class: refused},
		"batch-too-long": {Status: 400, Class: refused},
		"unknown-key":    {Status: 401, Class: misconfigured},
		"bad-secret":     {Status: 401, Class: misconfigured},
		"clock":          {Status: 401, Class: misconfigured},
		"over-quota":     {Status: 403, Class: misconfigured},
		"unavailable":    {Status: 503, Class: transient},
	},
	"sockudo": {
		"event": {}, "batch": {},
		"too-large": {Status: 413, Class: refused},
		"busy":      {Status: 429, Class: transient, RetryAfter: 7 * time.Second},
	},
}

const listOfChannels = "channels"

// One suite for every server: whatever its manner, the same is meant.
func TestServersConformance(t *testing.T) {
	t.Parallel()
	for server, replies := range answers {
		files, err := filepath.Glob(filepath.Join("testdata", "replies", server, "*.http"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != len(replies)+1 {
			t.Errorf("%s has %d files, want one for each of %d meanings and the list of channels", server, len(files), len(replies))
		}
		for name, want := range replies {
			t.Run(server+" "+name, func(t *testing.T) {
				t.Parallel()
				question := listOfChannels
				if want.Status != 0 {
					question = name
				}
				p := publisherFor(t, "http://"+replay(t, readReply(t, server, name), readReply(t, server, question)), func(c *Config) {
					if server == "reverb" {
						c.Driver = DriverReverb
					}
				})
				for kind, err := range map[string]error{
					"event": p.Publish(t.Context(), messages(1))[0],
					"batch": p.Publish(t.Context(), messages(1, 2))[0],
					"check": p.Check(t.Context()),
				} {
					mustMean(t, kind, err, want)
				}
			})
		}
	}
}

func mustMean(t *testing.T, kind string, err error, want meaning) {
	t.Helper()
	var got meaning
	var answer *PublishError
	switch {
	case errors.As(err, &answer):
		got = meaning{answer.Status, classify(err), answer.RetryAfter}
	case err != nil:
		t.Errorf("%s: error = %v of type %T, want a *PublishError or none", kind, err, err)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", kind, diff)
	}
	if err != nil {
		mustNotLeak(t, err)
		if strings.Contains(err.Error(), "5688f4c2") {
			t.Errorf("%s: the error repeats a signature: %v", kind, err)
		}
	}
}

// The cure names the variables of the server in use.
func TestServersCures(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{"soketi": "PUSHER_APP_KEY and PUSHER_APP_SECRET", "reverb": "REVERB_APP_KEY and REVERB_APP_SECRET"} {
		reply := readReply(t, server, "bad-secret")
		p := publisherFor(t, "http://"+replay(t, reply, reply), func(c *Config) {
			if server == "reverb" {
				c.Driver = DriverReverb
			}
		})
		if err := p.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error = %v, want it to name %s", server, err, want)
		}
	}
}

func readReply(t *testing.T, server, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "replies", server, name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	head, body, found := bytes.Cut(raw, []byte("\n\n"))
	if !found {
		t.Fatalf("reply %s of %s has no empty line behind its head", name, server)
	}
	head = bytes.ReplaceAll(head, []byte("\n"), []byte("\r\n"))
	return slices.Concat(head, []byte("\r\n\r\n"), body)
}

// replay is a server that answers each request with literal bytes, a GET with those of
// question. It returns its address.
func replay(t *testing.T, reply, question []byte) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { converse(conn, reply, question) })
		}
	})
	return listener.Addr().String()
}

// converse keeps the connection where the reply lets the client do so.
func converse(conn net.Conn, reply, question []byte) {
	defer func() { _ = conn.Close() }()
	requests := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		out := reply
		if r.Method == http.MethodGet {
			out = question
		}
		_, _ = conn.Write(out)
		head, _, _ := bytes.Cut(bytes.ToLower(out), []byte("\r\n\r\n"))
		if bytes.Contains(head, []byte("connection: close")) || !bytes.Contains(head, []byte("content-length:")) {
			return
		}
	}
}

// Soketi still answers as it was recorded.
func TestSoketiAnswersAsRecorded(t *testing.T) {
	t.Parallel()
	event := messages(1)
	large := messages(1)
	large[0].Data = strings.Repeat("x", soketiMaxBytes+1)
	for name, tt := range map[string]struct {
		change   func(*Config)
		messages []Message
	}{
		"event":        {nil, event},
		"batch":        {nil, messages(1, 2)},
		listOfChannels: {nil, nil},
		"too-large":    {func(c *Config) { c.MaxBytes = 2 * soketiMaxBytes }, large},
		"bad-secret":   {func(c *Config) { c.Secret = "wrong" }, event},
		"unknown-app":  {func(c *Config) { c.AppID = "other" }, event},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := soketi(t, tt.change)
			var got bytes.Buffer
			base := newTransport(cfg)
			t.Cleanup(base.CloseIdleConnections)
			s := newTestServer(t, cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
				resp, err := base.RoundTrip(r)
				if err == nil {
					resp.Body = struct {
						io.Reader
						io.Closer
					}{io.TeeReader(resp.Body, &got), resp.Body}
				}
				return resp, err
			}))
			if tt.messages != nil {
				s.Publish(t.Context(), tt.messages)
			} else {
				_ = s.Check(t.Context())
			}
			_, want, _ := bytes.Cut(readReply(t, "soketi", name), []byte("\r\n\r\n"))
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}
