package metrics

import (
	"context"
	"errors"
	"maps"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/llm"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTestMetrics(t *testing.T, s Sources) *Metrics {
	t.Helper()
	m, err := New(Config{Version: "v1", Commit: "abc", Models: []string{"gpt-4.1-mini"}, Slots: map[string]int{task.QueueInteractive: 4}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Watch(s); err != nil {
		t.Fatal(err)
	}
	return m
}

// want compares series, written as in the exposition format.
func want(t *testing.T, g prometheus.Gatherer, names []string, series string) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		if !slices.Contains(names, f.GetName()) {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if value != 0 {
				got = append(got, strings.TrimPrefix(f.GetName(), "schemacast_")+"{"+strings.Join(labels, ",")+"} "+strconv.FormatFloat(value, 'g', -1, 64))
			}
		}
	}
	if diff := cmp.Diff(strings.Fields(strings.ReplaceAll(series, "} ", "}_")), strings.Fields(strings.ReplaceAll(strings.Join(got, "\n"), "} ", "}_"))); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

func TestCountsRuns(t *testing.T) {
	t.Parallel()
	m := newTestMetrics(t, Sources{})
	m.Claimed(&run.Claim{Waited: time.Second, Recovered: true}, time.Millisecond)
	m.Refused(run.RefusedTenantFull)
	m.Refused("made up")
	m.Analysed(&analysis.Result{
		Recommendation: analysis.Recommendation{
			Engine: "llm", Review: []string{analysis.ReviewBeyondLimit, analysis.ReviewNothingMapped},
			Unmapped: []analysis.Unmapped{{Code: analysis.CodeNoTarget}},
		},
		Failed: map[string]int{analysis.CodeFormulaFailed: 2, "a model's own word": 1},
	}, time.Second)
	m.Ended(run.End{Class: "retry", Code: run.CodeTimeout})
	m.Ended(run.End{Class: "permanent", Code: run.CodePoison, Final: true, Outcome: run.OutcomeFailed})
	m.Ended(run.End{Class: "completed", Final: true, Outcome: run.OutcomeCompleted, Age: time.Minute})
	m.Ended(run.End{Class: "completed", Code: "of a newer worker", Final: true, Outcome: "new"})
	want(t, m.Gather(), []string{
		"schemacast_runs_ended_total", "schemacast_attempts_ended_total", "schemacast_claims_recovered_total", "schemacast_claims_refused_total",
		"schemacast_limits_hit_total", "schemacast_verification_failures_total", "schemacast_unmapped_fields_total",
		"schemacast_fallbacks_total", "schemacast_stage_duration_seconds",
	}, `
attempts_ended_total{class=completed,code=none} 1
attempts_ended_total{class=completed,code=other} 1
attempts_ended_total{class=permanent,code=poison} 1
attempts_ended_total{class=retry,code=timeout} 1
claims_recovered_total{} 1
claims_refused_total{reason=other} 1
claims_refused_total{reason=tenant_full} 1
fallbacks_total{reason=beyond_limit} 1
limits_hit_total{limit=questions} 1
limits_hit_total{limit=tenant_slots} 1
runs_ended_total{code=none,outcome=completed} 1
runs_ended_total{code=other,outcome=other} 1
runs_ended_total{code=poison,outcome=failed} 1
stage_duration_seconds{stage=analyse} 1
stage_duration_seconds{stage=claim} 1
stage_duration_seconds{stage=run} 1
stage_duration_seconds{stage=wait} 1
unmapped_fields_total{code=no_target} 1
verification_failures_total{code=formula_failed} 2
verification_failures_total{code=other} 1`)
}

func TestCountsModelCalls(t *testing.T) {
	t.Parallel()
	m := newTestMetrics(t, Sources{Question: func() error { return errors.New("away") }})
	m.Called(llm.Call{Model: "gpt-4.1-mini", Took: time.Second, Usage: analysis.Usage{
		Calls: 1, PricedCalls: 1, PromptTokens: 100, CachedTokens: 40, CompletionTokens: 10, CostMicros: 2_000_000,
	}})
	m.Called(llm.Call{Model: "gpt-4.1-mini", Failure: analysis.ModelRateLimited})
	m.Called(llm.Call{Model: "one that nobody configured", Failure: "odd"})
	m.Repeated(analysis.ModelUnavailable)
	m.Withheld(llm.LimitTenantBudget)
	m.Cached()
	want(t, m.Gather(), []string{
		"schemacast_llm_calls_total", "schemacast_llm_tokens_total", "schemacast_llm_cost_dollars_total", "schemacast_llm_repeats_total",
		"schemacast_limits_hit_total", "schemacast_llm_cached_answers_total", "schemacast_llm_available", "schemacast_llm_call_duration_seconds",
	}, `
limits_hit_total{limit=server_rate} 1
limits_hit_total{limit=tenant_budget} 1
llm_cached_answers_total{} 1
llm_call_duration_seconds{model=gpt-4.1-mini} 2
llm_call_duration_seconds{model=other} 1
llm_calls_total{model=gpt-4.1-mini,result=ok} 1
llm_calls_total{model=gpt-4.1-mini,result=rate_limited} 1
llm_calls_total{model=other,result=other} 1
llm_cost_dollars_total{model=gpt-4.1-mini} 2
llm_repeats_total{reason=unavailable} 1
llm_tokens_total{kind=cached,model=gpt-4.1-mini} 40
llm_tokens_total{kind=completion,model=gpt-4.1-mini} 10
llm_tokens_total{kind=prompt,model=gpt-4.1-mini} 100`)
}

func TestShowsParts(t *testing.T) {
	t.Parallel()
	m := newTestMetrics(t, Sources{
		Parts: func(context.Context) []Part {
			return []Part{{Name: "database", Down: true}, {Name: "redis", Up: true}, {Name: "broadcast"}}
		},
		Relay: func() broadcast.Status {
			return broadcast.Status{Health: broadcast.HealthRetrying, Sent: 5, Dropped: 1, Counted: time.Now(), Unsent: broadcast.Unsent{
				Events: 3, Streams: 2, Oldest: time.Unix(100, 0), AsOf: time.Unix(160, 0),
			}}
		},
		Sweeper: func() run.SweeperStatus {
			return run.SweeperStatus{Leading: true, Total: run.Sweep{Enqueued: 7}, Err: errors.New("x")}
		},
		Doctor: func() run.DoctorStatus { return run.DoctorStatus{Total: task.Findings{Quarantined: 1}} },
		Watch:  func() run.WatchStatus { return run.WatchStatus{RedisAhead: 3 * time.Second} },
	})
	want(t, m.Gather(), []string{
		"schemacast_worker_ready", "schemacast_part_up", "schemacast_events_total", "schemacast_broadcast_state", "schemacast_outbox_events",
		"schemacast_outbox_oldest_seconds", "schemacast_leads", "schemacast_keeper_up", "schemacast_sweeper_runs_total",
		"schemacast_queue_repairs_total", "schemacast_clock_ahead_seconds",
	}, `
broadcast_state{state=retrying} 1
clock_ahead_seconds{server=redis} 3
events_total{result=dropped} 1
events_total{result=sent} 5
keeper_up{keeper=queue_doctor} 1
leads{keeper=sweeper} 1
outbox_events{} 3
outbox_oldest_seconds{} 60
part_up{part=redis} 1
queue_repairs_total{kind=quarantined} 1
sweeper_runs_total{action=enqueued} 7`)
}

// However often somebody scrapes, the servers are asked once in 15 s; one that fails is
// told by its own series, and none of its old numbers stays.
func TestAsksTheServersRarely(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked, broken := 0, false
		m := newTestMetrics(t, Sources{Load: func(ctx context.Context) (run.Load, error) {
			asked++
			if broken {
				<-ctx.Done() // bounded by the collector
				return run.Load{}, ctx.Err()
			}
			return run.Load{Interactive: run.Waiting{Runs: 3, Oldest: time.Minute}, Running: 2}, nil
		}})
		names := []string{"schemacast_runs_open", "schemacast_gauges_up", "schemacast_runs_requested_oldest_seconds"}
		for range 5 {
			want(t, m.Gather(), names, "gauges_up{source=database} 1 runs_open{queue=any,state=running} 2 "+
				"runs_open{queue=schemas,state=requested} 3 runs_requested_oldest_seconds{queue=schemas} 60")
		}
		if asked != 1 {
			t.Errorf("asked %d times, want once", asked)
		}
		broken = true
		time.Sleep(16 * time.Second) //nolint:forbidigo // the clock of the bubble
		began := time.Now()
		want(t, m.Gather(), names, "")
		want(t, m.Gather(), names, "")
		if took := time.Since(began); took > 4*time.Second || asked != 2 {
			t.Errorf("took %s and asked %d times, want 3 s and once more", took, asked)
		}
	})
}

// What Prometheus's own linter finds, and labels that could name somebody.
func TestSeriesAreSound(t *testing.T) {
	t.Parallel()
	m := newTestMetrics(t, Sources{
		Load:   func(context.Context) (run.Load, error) { return run.Load{}, nil },
		Depths: func(context.Context) ([]task.Depth, error) { return []task.Depth{{Queue: task.QueueInteractive}}, nil },
		Relay:  func() broadcast.Status { return broadcast.Status{Counted: time.Now()} },
	})
	m.Claimed(&run.Claim{}, 0)
	families, err := m.Gather().Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "schemacast_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	labels, series := map[string]bool{}, 0
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "schemacast_") {
			continue
		}
		series += len(f.GetMetric())
		for _, metric := range f.GetMetric() {
			for _, l := range metric.GetLabel() {
				labels[l.GetName()] = true
			}
		}
	}
	known := []string{
		"action", "class", "code", "commit", "engine", "go_version", "keeper", "kind", "limit", "model", "outcome", "part", "queue", "reason",
		"result", "server", "source", "stage", "state", "table", "version",
	}
	for label := range maps.Keys(labels) {
		if !slices.Contains(known, label) {
			t.Errorf("the label %q is new: is it bounded, and names it nobody?", label)
		}
	}
	if series > 300 {
		t.Errorf("%d series before anything happened, want at most 300", series)
	}
}

func TestHandlerAnswers(t *testing.T) {
	t.Parallel()
	m := newTestMetrics(t, Sources{})
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, part := range []string{`schemacast_build_info{commit="abc",`, "go_goroutines", "process_start_time_seconds", `schemacast_worker_slots{queue="schemas"} 4`} {
		if answer.Code != 200 || !strings.Contains(answer.Body.String(), part) {
			t.Errorf("status %d, no %s", answer.Code, part)
		}
	}
}
