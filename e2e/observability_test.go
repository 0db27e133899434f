package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

const (
	producersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	producersSpan  = "00f067aa0ba902b7"
)

// One run of a worker, looked at from all three sides: its series have the names that
// alerts, dashboard and documentation use, its spans are one trace, from the producer to
// the event, and each line of its log says whose it is.
func TestARunIsSeen(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	spans := startCollector(t)
	w := g.start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+spans.url, "OTEL_BSP_SCHEDULE_DELAY=100", "LOG_FORMAT=json")
	id := decode[int64](t, []byte(g.insert()))
	producer, err := task.NewProducer(g.redis, task.ProducerConfig{Name: "laravel/1"})
	if err != nil {
		t.Fatal(err)
	}
	request := task.Request{
		Payload: task.Payload{SchemaID: id, TenantID: g.tenant}, Traceparent: "00-" + producersTrace + "-" + producersSpan + "-01",
	}
	if _, err := producer.Enqueue(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	g.awaitValue("completed", "SELECT COALESCE(max(state), '') FROM schemacast_runs WHERE schema_id = $1", id)
	g.awaitValue("0", "SELECT count(*) FROM schemacast_streams WHERE sent_seq < last_seq")

	text := scrape(t, w)
	if strings.Contains(text, g.tenant) {
		t.Error("/metrics names the tenant")
	}
	checkNames(t, parse(t, text))

	// Spans of one trace, and how they stand below each other.
	below := map[string]string{"process schema:analyze": "", "claim": "process schema:analyze", "analyse": "process schema:analyze",
		"chat llmtest": "analyse", "commit": "process schema:analyze", "publish started": "claim", "publish completed": "commit"}
	await(t, "all spans have come", func() bool { return len(spans.named()) >= len(below) })
	named := spans.named()
	for name, parent := range below {
		s, found := named[name]
		if !found {
			t.Errorf("no span %q", name)
			continue
		}
		want := producersSpan
		if parent != "" {
			want = named[parent].id
		}
		if s.trace != producersTrace || s.parent != want {
			t.Errorf("span %q = %+v, want it in the producer's trace below %q (%s)", name, s, parent, want)
		}
	}

	lines := 0
	for line := range strings.Lines(w.log.String()) {
		if !strings.Contains(line, `"msg":"run ended"`) {
			continue
		}
		lines++
		run := g.value("SELECT id FROM schemacast_runs WHERE schema_id = $1", id)
		for _, part := range []string{`"schema_id":` + fmt.Sprint(id), `"tenant_id":"` + g.tenant, `"run_id":"` + run, `"task_id":"` + task.ID(id), `"trace_id":"` + producersTrace} {
			if strings.Count(line, part) != 1 {
				t.Errorf("want %s once in %s", part, line)
			}
		}
	}
	if lines != 1 {
		t.Errorf("%d lines tell of the end of the run, want 1:\n%s", lines, w.log)
	}
}

// A part that fails is named by /readyz and by its series.
func TestReadinessSaysWhichPartFails(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	w := g.start(t)
	g.server.Stop()
	await(t, "/readyz names Redis", func() bool {
		response, err := http.Get(w.health + "/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close() //nolint:errcheck // nothing was written
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(body), `"name":"redis","status":"down","error":"`)
	})
	families := parse(t, scrape(t, w))
	for name, want := range map[string]float64{`schemacast_worker_ready`: 0, `schemacast_part_up{part="redis"}`: 0, `schemacast_part_up{part="database"}`: 1} {
		if got, found := valueOf(families, name); !found || got != want {
			t.Errorf("%s = %g, %t; want %g", name, got, found, want)
		}
	}
}

func scrape(t *testing.T, w *worker) string {
	t.Helper()
	response, err := http.Get(w.health + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: status %d, %v: %s", response.StatusCode, err, body)
	}
	return string(body)
}

func parse(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// valueOf returns the value of a gauge with at most one label.
func valueOf(families map[string]*dto.MetricFamily, series string) (float64, bool) {
	name, label, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	for _, m := range families[name].GetMetric() {
		if label == "" || slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool {
			return fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()) == label
		}) {
			return m.GetGauge().GetValue(), true
		}
	}
	return 0, false
}

type span struct{ id, parent, trace string }

// spanCollector is a collector of OpenTelemetry.
type spanCollector struct {
	url string
	mu  sync.Mutex
	got map[string]span
}

func startCollector(t *testing.T) *spanCollector {
	t.Helper()
	c := &spanCollector{got: map[string]span{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			t.Errorf("spans that can not be read: %v", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					c.got[s.GetName()] = span{
						id: fmt.Sprintf("%x", s.GetSpanId()), parent: fmt.Sprintf("%x", s.GetParentSpanId()), trace: fmt.Sprintf("%x", s.GetTraceId()),
					}
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *spanCollector) named() map[string]span {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]span, len(c.got))
	for name, s := range c.got {
		out[name] = s
	}
	return out
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
