package tracing

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A collector gets the spans when the worker stops, with its headers and its name.
func TestSpansReachTheCollector(t *testing.T) {
	t.Parallel()
	got := make(chan *collector.ExportTraceServiceRequest, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("X-Key") != "secret" {
			t.Errorf("request to %s with key %q: %v", r.URL.Path, r.Header.Get("X-Key"), err)
		}
		got <- &request
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()
	tr, err := New(t.Context(), Config{
		URL: server.URL + "/v1/traces", Headers: map[string]string{"X-Key": "secret"}, Service: "worker", Version: "v1", Instance: "one",
	})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tr.Tracer().Start(t.Context(), "work")
	span.End()
	tr.Stop(t.Context())
	request := <-got
	if name := request.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()[0].GetName(); name != "work" {
		t.Errorf("span %q, want work", name)
	}
	if !strings.Contains(request.GetResourceSpans()[0].GetResource().String(), `"worker"`) {
		t.Errorf("resource has no name of the service: %v", request.GetResourceSpans()[0].GetResource())
	}
}

// One that is away holds nothing up, and is told of once.
func TestACollectorThatIsAway(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	tr, err := New(t.Context(), Config{URL: "http://127.0.0.1:1/v1/traces", Service: "worker", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tr.Tracer().Start(t.Context(), "work")
	span.End()
	began := time.Now()
	tr.Stop(t.Context())
	if took := time.Since(began); took > stopTimeout+2*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if n := strings.Count(log.String(), "spans were not taken"); n != 1 {
		t.Errorf("%d complaints, want 1:\n%s", n, log.String())
	}
}

func TestNoTraces(t *testing.T) {
	t.Parallel()
	tr, err := New(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, span := tr.Tracer().Start(context.Background(), "work"); span.IsRecording() {
		t.Error("a span is recorded")
	}
	tr.Stop(t.Context())
}
