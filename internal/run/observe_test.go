package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/task"
)

// notebook is an Observer that writes down what it hears.
type notebook struct {
	mu    sync.Mutex
	lines []string
}

func (n *notebook) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (n *notebook) Claimed(c *Claim, _ time.Duration) { n.note("claimed %s", c.RunID) }
func (n *notebook) Refused(why Refusal)               { n.note("refused %s", why) }
func (n *notebook) Analysed(r *analysis.Result, _ time.Duration) {
	n.note("analysed %t", r != nil)
}
func (n *notebook) Committed(o OutcomeState, _ time.Duration) { n.note("committed %s", o) }
func (n *notebook) Ended(e End) {
	n.note("ended %s %s final=%t %s", e.Class, e.Code, e.Final, e.Outcome)
}

func TestObserverHearsWhatHappens(t *testing.T) {
	t.Parallel()
	failing := func(err error) analyzerFunc {
		return func(context.Context, analysis.Request) (*analysis.Result, error) { return nil, err }
	}
	for _, tc := range []struct {
		name    string
		analyse analyzerFunc
		change  func(*fakeStore)
		want    []string
	}{
		{"well", good, nil, []string{"claimed run-1", "analysed true", "committed completed", "ended completed  final=true completed"}},
		{"again", failing(errors.New("broken")), nil, []string{"claimed run-1", "analysed false", "ended retry internal final=false"}},
		{"waits", failing(&analysis.ModelError{Kind: analysis.ModelRateLimited}), nil,
			[]string{"claimed run-1", "analysed false", "ended snooze llm_rate_limited final=false"}},
		{"for ever", failing(&analysis.ModelError{Kind: analysis.ModelConfig}), nil,
			[]string{"claimed run-1", "analysed false", "ended permanent llm_config final=true failed"}},
		{"too often", failing(errors.New("broken")), func(s *fakeStore) { s.runs[1].attempts = 5 },
			[]string{"claimed run-1", "analysed false", "ended gave_up internal final=true failed"}},
		{"busy", good, func(s *fakeStore) { s.runs[1].owner = "other" }, []string{"refused busy"}},
		{"poison", good, func(s *fakeStore) { s.runs[1].missing = &EndedError{Failure: Failure{Code: CodePoison}} },
			[]string{"refused nothing_to_do", "ended permanent poison final=true failed"}},
		{"unknown", good, func(s *fakeStore) { delete(s.runs, 1) }, []string{"refused unknown"}},
		{"superseded at the commit", good, func(s *fakeStore) {
			s.commits = []Outcome{{State: OutcomeFailed, Code: CodeSuperseded}}
		}, []string{"claimed run-1", "analysed true", "committed failed", "ended completed superseded final=true failed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store, heard := newFakeStore(1), &notebook{}
			if tc.change != nil {
				tc.change(store)
			}
			h := newTestHandler(t, store, tc.analyse, HandlerConfig{Observer: heard})
			_ = h.ProcessTask(t.Context(), taskOf1)
			if diff := cmp.Diff(tc.want, heard.lines); diff != "" {
				t.Errorf("heard (-want +got):\n%s", diff)
			}
		})
	}
}

const (
	producersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	producersSpan  = "00f067aa0ba902b7"
)

func tracedTask() *asynq.Task {
	return asynq.NewTaskWithHeaders(task.Type, taskOf1.Payload(), map[string]string{
		task.HeaderTraceparent: "00-" + producersTrace + "-" + producersSpan + "-01", task.HeaderProducer: "laravel/1",
	})
}

func TestSpansContinueTheProducersTrace(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(spans))
	h := newTestHandler(t, newFakeStore(1), analyzerFunc(good), HandlerConfig{Tracer: provider.Tracer("test")})
	if err := h.ProcessTask(t.Context(), tracedTask()); err != nil {
		t.Fatal(err)
	}
	parents := map[string]string{}
	names := map[string]string{producersSpan: "the producer"}
	for _, s := range spans.GetSpans() {
		names[s.SpanContext.SpanID().String()] = s.Name
		if s.SpanContext.TraceID().String() != producersTrace {
			t.Errorf("span %s is of trace %s", s.Name, s.SpanContext.TraceID())
		}
	}
	for _, s := range spans.GetSpans() {
		parents[s.Name] = names[s.Parent.SpanID().String()]
	}
	root := "process schema:analyze"
	if diff := cmp.Diff(map[string]string{root: "the producer", "claim": root, "analyse": root, "commit": root}, parents); diff != "" {
		t.Errorf("parents (-want +got):\n%s", diff)
	}
}

// Lines of the run itself, and those that others log with its context, have the same ids.
func TestLogLinesAreJoined(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := slog.New(LogIDs(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	analyse := func(ctx context.Context, _ analysis.Request) (*analysis.Result, error) {
		logger.InfoContext(ctx, "from the model", "tenant_id", "said already")
		return nil, errors.New("broken")
	}
	h := newTestHandler(t, newFakeStore(1), analyzerFunc(analyse), HandlerConfig{Logger: logger})
	_ = h.ProcessTask(t.Context(), tracedTask())
	want := map[string]int{"from the model": 0, "attempt ended": 0}
	for line := range strings.Lines(out.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		msg, _ := fields["msg"].(string)
		if _, wanted := want[msg]; !wanted {
			continue
		}
		want[msg]++
		for _, key := range []string{"schema_id", "tenant_id", "run_id", "trace_id"} {
			if n := strings.Count(line, `"`+key+`":`); n != 1 {
				t.Errorf("%s has %s %d times: %s", msg, key, n, line)
			}
		}
		if fields["trace_id"] != producersTrace || fields["run_id"] != "run-1" {
			t.Errorf("wrong ids: %s", line)
		}
	}
	for msg, n := range want {
		if n != 1 {
			t.Errorf("%d lines %q, want 1", n, msg)
		}
	}
}
