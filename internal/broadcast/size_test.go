package broadcast

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

// roundTripper is a server in memory.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func testConfig() Config {
	return Config{Mode: ModePublic, Host: "soketi.test", AppID: "ai-data-lake", Key: "app-key", Secret: "app-secret"}
}

func newTestServer(t *testing.T, cfg Config, base http.RoundTripper) *server {
	t.Helper()
	cfg, err := cfg.resolve()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(cfg, base)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The sizes are what the client really sends, on plain and encrypted channels.
func TestSizesAreThoseOfTheClient(t *testing.T) {
	t.Parallel()
	texts := []string{"", "plain", `{"a":"b\\c"}`, "<&>\u2028\u2029\x01\n\t", "äöü😀", strings.Repeat(`"`, 1000)}
	for name, change := range map[string]func(*Config){"plain": func(*Config) {}, "encrypted": encrypted} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig()
			change(&cfg)
			for _, text := range texts {
				m := Message{Stream: 1, Name: EventName, Channel: "tenant.1.schemas", Data: text}
				if cfg.Mode == ModeEncrypted {
					m.Channel = "private-encrypted-" + m.Channel
				}
				var request, data int
				s := newTestServer(t, cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
					request, data = measure(t, r)
					return answer(200, `{}`), nil
				}))
				// The second message makes it a batch, which is the longer form.
				if errs := s.Publish(t.Context(), []Message{m, m}); firstError(errs) != nil {
					t.Fatal(errs)
				}
				sent, inRequest := s.limits.sizes(m)
				if sent != data {
					t.Errorf("%q: counted %d bytes of data, the client sent %d", text, sent, data)
				}
				counted := s.limits.overhead + 2*inRequest
				if request > counted || request < counted-300 {
					t.Errorf("%q: counted %d bytes of request, the client sent %d", text, counted, request)
				}
			}
		})
	}
}

// measure returns the length of a request on the wire and of its first data.
func measure(t *testing.T, r *http.Request) (request, data int) {
	t.Helper()
	raw, err := httputil.DumpRequestOut(r, true)
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	_, body, _ := strings.Cut(string(raw), "\r\n\r\n")
	var sent struct{ Batch []struct{ Data string } }
	if err := json.Unmarshal([]byte(body), &sent); err != nil || len(sent.Batch) == 0 {
		t.Errorf("the body is no batch: %v", err)
		return 0, 0
	}
	return len(raw), len(sent.Batch[0].Data)
}
