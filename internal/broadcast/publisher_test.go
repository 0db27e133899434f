package broadcast

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// quiet takes what test servers say about broken connections.
var quiet = log.New(io.Discard, "", 0)

// request is what a server received.
type request struct {
	Path     string
	Channels []string
	Data     []string
}

func readRequest(t *testing.T, r *http.Request) request {
	t.Helper()
	type event struct {
		Channel, Data string
		Channels      []string
	}
	var body struct {
		event
		Batch []event
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Errorf("read the body: %v", err)
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Errorf("decode the body: %v", err)
		}
	}
	got := request{Path: r.URL.Path}
	for _, e := range append(body.Batch, body.event) {
		if e.Data != "" {
			got.Channels = append(got.Channels, append(e.Channels, e.Channel)[0])
			got.Data = append(got.Data, e.Data)
		}
	}
	return got
}

// scripted answers requests through script and records them.
func scripted(t *testing.T, script func(request) string) (http.RoundTripper, func() []request) {
	t.Helper()
	var mu sync.Mutex
	var seen []request
	return roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			got := readRequest(t, r)
			seen = append(seen, got)
			return answer(200, script(got)), nil
		}), func() []request {
			mu.Lock()
			defer mu.Unlock()
			return append([]request(nil), seen...)
		}
}

const (
	soketiTooLarge = `{"error":"The event data should be less than 100 KB.","code":413}`
	soketiBusy     = `{"error":"Too many requests.","code":429}`
	soketiOK       = `{"ok":true}`
	soketiChannels = `{"channels":{}}`
)

// statuses makes results comparable: 0 for a success, -1 for one not tried.
func statuses(errs []error) []int {
	list := make([]int, len(errs))
	for i, err := range errs {
		var refusal *PublishError
		switch {
		case errors.Is(err, ErrNotTried):
			list[i] = -1
		case errors.As(err, &refusal):
			list[i] = refusal.Status
		case err != nil:
			list[i] = -2
		}
	}
	return list
}

func TestPublishInBatches(t *testing.T) {
	t.Parallel()
	base, seen := scripted(t, func(request) string { return soketiOK })
	var streams []int64
	for i := range 23 {
		streams = append(streams, int64(i))
	}
	errs := newTestServer(t, testConfig(), base).Publish(t.Context(), messages(streams...))
	if err := firstError(errs); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	var data []string
	for _, r := range seen() {
		sizes = append(sizes, len(r.Data))
		data = append(data, r.Data...)
	}
	if diff := cmp.Diff([]int{10, 10, 3}, sizes); diff != "" {
		t.Errorf("messages a request (-want +got):\n%s", diff)
	}
	var want []string
	for _, m := range messages(streams...) {
		want = append(want, m.Data)
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// One bad message costs only itself and what follows it in its stream.
func TestPublishSinglyAfterARefusal(t *testing.T) {
	t.Parallel()
	poison := message(2).Data
	tests := map[string]struct {
		streams []int64
		script  func(request) string
		want    []int
		paths   []string // of the requests behind the first batch
	}{
		"one is bad": {
			[]int64{1, 2, 3, 2, 1}, func(r request) string {
				if strings.Contains(strings.Join(r.Data, ""), poison) {
					return soketiTooLarge
				}
				return soketiOK
			}, []int{0, 413, 0, -1, 0}, []string{"events", "events", "events", "events"},
		},
		"busy in between": {
			[]int64{1, 2, 3, 2, 4}, func(r request) string {
				switch all := strings.Join(r.Data, ""); {
				case strings.Contains(all, poison):
					return soketiTooLarge
				case len(r.Data) == 1 && all == message(3).Data:
					return soketiBusy
				}
				return soketiOK
			}, []int{0, 413, 429, -1, 429}, []string{"events", "events", "events"},
		},
		"all are bad": {
			[]int64{1, 2}, func(request) string { return soketiTooLarge }, []int{413, 413}, []string{"events", "events"},
		},
		"the batch is too long for the server": {
			[]int64{1, 2}, func(r request) string {
				if len(r.Data) > 1 {
					return soketiTooLarge
				}
				return soketiOK
			}, []int{0, 0}, []string{"events", "events"},
		},
		"a failure of the server ends it": {
			[]int64{1, 2, 1}, func(request) string { return soketiBusy }, []int{429, 429, 429}, nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, seen := scripted(t, tt.script)
			errs := newTestServer(t, testConfig(), base).Publish(t.Context(), messages(tt.streams...))
			if diff := cmp.Diff(tt.want, statuses(errs)); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			var paths []string
			for _, r := range seen()[1:] {
				paths = append(paths, strings.TrimPrefix(r.Path, "/apps/ai-data-lake/"))
			}
			if diff := cmp.Diff(tt.paths, paths); diff != "" {
				t.Errorf("requests behind the batch (-want +got):\n%s", diff)
			}
		})
	}
}

// A stream that was refused in one request is held back in the next ones too.
func TestPublishHoldsAStreamAcrossRequests(t *testing.T) {
	t.Parallel()
	bad := message(1).Data
	base, _ := scripted(t, func(r request) string {
		if strings.Contains(strings.Join(r.Data, ""), bad) {
			return soketiTooLarge
		}
		return soketiOK
	})
	list := append(messages(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), Message{Stream: 1, Name: EventName, Channel: "tenant.1.schemas", Data: "later"})
	list = append(list, messages(11)...)
	want := []int{413, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0}
	if diff := cmp.Diff(want, statuses(newTestServer(t, testConfig(), base).Publish(t.Context(), list))); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

// Reverb counts the whole request, so batches are as long as fits.
func TestPublishFitsRequestsIntoReverb(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Driver = DriverReverb
	var sizes []int
	s := newTestServer(t, cfg, roundTripper(func(r *http.Request) (*http.Response, error) {
		if request, _ := measure(t, r); request > reverbMaxRequest {
			t.Errorf("a request has %d bytes", request)
		}
		sizes = append(sizes, len(readRequest(t, r).Data))
		return answer(200, `{"batch":{}}`), nil
	}))
	list := messages(1, 2, 3, 4, 5, 6, 7, 8)
	for i := range list {
		list[i].Data = `{"a":"` + strings.Repeat("x", 2500) + `"}`
	}
	if err := firstError(s.Publish(t.Context(), list)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{3, 3, 2}, sizes); diff != "" {
		t.Errorf("messages a request (-want +got):\n%s", diff)
	}
}

// Run with -race: the library is only safe when it was prepared.
func TestPublishConcurrently(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	encrypted(&cfg)
	base, _ := scripted(t, func(request) string { return soketiOK })
	s := newTestServer(t, cfg, base)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			m := message(1)
			for range 20 {
				for _, channel := range []string{"tenant.1.schemas", "private-encrypted-tenant.1.schemas"} {
					m.Channel = channel
					if err := firstError(s.Publish(t.Context(), []Message{m})); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestCheckAsksLittle(t *testing.T) {
	t.Parallel()
	var asked url.Values
	s := newTestServer(t, testConfig(), roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet || r.URL.Path != "/apps/ai-data-lake/channels" {
			t.Errorf("asked %s %s", r.Method, r.URL.Path)
		}
		asked = r.URL.Query()
		return answer(200, `{"channels":{}}`), nil
	}))
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if asked.Get("filter_by_prefix") == "" || asked.Get("auth_signature") == "" {
		t.Errorf("query = %v, want a prefix and a signature", asked)
	}
}

// What the library refuses by itself is a refusal of the event.
func TestPublishReportsTheLibrarysRefusal(t *testing.T) {
	t.Parallel()
	m := message(1)
	m.Channel = "no channel"
	base, seen := scripted(t, func(request) string { return soketiOK })
	errs := newTestServer(t, testConfig(), base).Publish(t.Context(), []Message{m})
	if classify(errs[0]) != refused || len(seen()) > 0 {
		t.Errorf("error = %v after %d requests, want a refusal and none", errs[0], len(seen()))
	}
}

func TestSilentDrivers(t *testing.T) {
	t.Parallel()
	for driver, want := range map[Driver][]string{DriverLog: {"event not published"}, DriverNull: nil} {
		var out bytes.Buffer
		p, err := NewPublisher(Config{Driver: driver, Mode: ModePublic}, slog.New(slog.NewTextHandler(&out, nil)))
		if err != nil {
			t.Fatal(err)
		}
		m := message(1)
		m.Data = "a customer's value"
		errs := p.Publish(t.Context(), []Message{m})
		if diff := cmp.Diff([]error{nil}, errs, cmpopts.EquateErrors()); diff != "" {
			t.Errorf("%s: results (-want +got):\n%s", driver, diff)
		}
		if (want == nil) != (out.Len() == 0) || want != nil && !strings.Contains(out.String(), want[0]) || strings.Contains(out.String(), m.Data) {
			t.Errorf("%s: logged %q, want %v and no data", driver, out.String(), want)
		}
		if err := p.Check(t.Context()); err != nil {
			t.Errorf("%s: check = %v", driver, err)
		}
	}
}
