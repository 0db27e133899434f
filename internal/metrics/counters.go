package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// counters are the series that grow with each thing that is told.
type counters struct {
	runsEnded     *prometheus.CounterVec
	attemptsEnded *prometheus.CounterVec
	refused       *prometheus.CounterVec
	recovered     prometheus.Counter
	stages        *prometheus.HistogramVec
	analyses      *prometheus.CounterVec
	verification  *prometheus.CounterVec
	unmapped      *prometheus.CounterVec
	fallbacks     *prometheus.CounterVec
	limitsHit     *prometheus.CounterVec
	calls         *prometheus.CounterVec
	callSeconds   *prometheus.HistogramVec
	tokens        *prometheus.CounterVec
	cost          *prometheus.CounterVec
	unpriced      *prometheus.CounterVec
	cached        prometheus.Counter
	repeats       *prometheus.CounterVec
	delivered     *prometheus.HistogramVec
}

// The stages of a run, of which durations are kept.
const (
	stageWait    = "wait"    // from the request to the first claim
	stageClaim   = "claim"   // taking the run, the wait for the database included
	stageAnalyse = "analyse" // one pass of the analyzer, questions included
	stageCommit  = "commit"  // writing the result
	stageRun     = "run"     // from the first claim to the end, waiting for retries included
)

var (
	stageBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 3600}
	callBuckets  = []float64{.1, .25, .5, 1, 2, 4, 8, 15, 30, 60, 120, 240}
	sentBuckets  = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
)

func newCounters() counters {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "schemacast_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, label string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "schemacast_" + name, Help: help, Buckets: buckets}, []string{label})
	}
	single := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "schemacast_" + name, Help: help})
	}
	return counters{
		runsEnded:     counter("runs_ended_total", "Runs that ended in this worker, by outcome and error code.", "outcome", "code"),
		attemptsEnded: counter("attempts_ended_total", "Attempts that ended, by what was done about them and error code.", "class", "code"),
		refused:       counter("claims_refused_total", "Tasks that got no claim, by reason.", "reason"),
		recovered:     single("claims_recovered_total", "Runs that were taken from a worker that went away without a word."),
		stages:        histogram("stage_duration_seconds", "How long the stages of a run take.", stageBuckets, "stage"),
		analyses:      counter("analyses_total", "Passes of the analyzer, by who decided.", "engine"),
		verification:  counter("verification_failures_total", "Mappings proposed by the model that did not pass verification, by code.", "code"),
		unmapped:      counter("unmapped_fields_total", "Fields that a result leaves without a mapping, by code.", "code"),
		fallbacks:     counter("fallbacks_total", "Results in which the matcher did a part that the model should have done, by reason.", "reason"),
		limitsHit:     counter("limits_hit_total", "Times that a limit kept work back, by limit.", "limit"),
		calls:         counter("llm_calls_total", "Requests sent to the language model, by result.", "model", "result"),
		callSeconds:   histogram("llm_call_duration_seconds", "How long a request to the language model takes.", callBuckets, "model"),
		tokens:        counter("llm_tokens_total", "Tokens of the language model; cached is a part of prompt, reasoning of completion.", "model", "kind"),
		cost:          counter("llm_cost_dollars_total", "What answers cost, as far as the price is known.", "model"),
		unpriced:      counter("llm_unpriced_calls_total", "Answers whose cost is not known.", "model"),
		cached:        single("llm_cached_answers_total", "Questions that the cache answered."),
		repeats:       counter("llm_repeats_total", "Requests sent once more within one question, by the failure before.", "reason"),
		delivered:     histogram("event_delivery_seconds", "From a change to its event being taken by the event server.", sentBuckets, "kind"),
	}
}

func (c *counters) all() []prometheus.Collector {
	return []prometheus.Collector{
		c.runsEnded, c.attemptsEnded, c.refused, c.recovered, c.stages, c.analyses, c.verification, c.unmapped, c.fallbacks, c.limitsHit,
		c.calls, c.callSeconds, c.tokens, c.cost, c.unpriced, c.cached, c.repeats, c.delivered,
	}
}

// begin makes the series exist that alerts look at: a counter that appears with its first
// event has no increase.
func (m *Metrics) begin() {
	m.runsEnded.WithLabelValues(string(run.OutcomeCompleted), none)
	for _, code := range codes {
		m.runsEnded.WithLabelValues(string(run.OutcomeFailed), code)
	}
	for vec, values := range map[*prometheus.CounterVec][]string{
		m.refused: refusals, m.verification: verifications, m.unmapped: verifications, m.fallbacks: fallbacks, m.limitsHit: limits,
		m.repeats: modelErrors[:len(modelErrors)-1],
	} {
		for _, value := range values {
			vec.WithLabelValues(value)
		}
	}
	for model := range m.models {
		for _, result := range append([]string{"ok"}, modelErrors...) {
			m.calls.WithLabelValues(model, result)
		}
		m.cost.WithLabelValues(model)
		m.unpriced.WithLabelValues(model)
	}
}

// Claimed implements run.Observer.
func (m *Metrics) Claimed(c *run.Claim, took time.Duration) {
	m.stages.WithLabelValues(stageClaim).Observe(took.Seconds())
	if c.Waited > 0 {
		m.stages.WithLabelValues(stageWait).Observe(c.Waited.Seconds())
	}
	if c.Recovered {
		m.recovered.Inc()
	}
}

// Refused implements run.Observer.
func (m *Metrics) Refused(why run.Refusal) {
	m.refused.WithLabelValues(bounded(why, refusals)).Inc()
	if why == run.RefusedTenantFull {
		m.limitsHit.WithLabelValues(limitTenantSlots).Inc()
	}
}

// Analysed implements run.Observer.
func (m *Metrics) Analysed(result *analysis.Result, took time.Duration) {
	m.stages.WithLabelValues(stageAnalyse).Observe(took.Seconds())
	if result == nil {
		m.analyses.WithLabelValues("failed").Inc()
		return
	}
	m.analyses.WithLabelValues(bounded(result.Recommendation.Engine, engines)).Inc()
	for code, n := range result.Failed {
		m.verification.WithLabelValues(bounded(code, verifications)).Add(float64(n))
	}
	for _, u := range result.Recommendation.Unmapped {
		m.unmapped.WithLabelValues(bounded(u.Code, verifications)).Inc()
	}
	for _, review := range result.Recommendation.Review {
		if reason := bounded(review, fallbacks); reason != other {
			m.fallbacks.WithLabelValues(reason).Inc()
		}
		if review == analysis.ReviewBeyondLimit {
			m.limitsHit.WithLabelValues(limitQuestions).Inc()
		}
	}
}

// Committed implements run.Observer.
func (m *Metrics) Committed(_ run.OutcomeState, took time.Duration) {
	m.stages.WithLabelValues(stageCommit).Observe(took.Seconds())
}

// Ended implements run.Observer.
func (m *Metrics) Ended(e run.End) {
	code := bounded(e.Code, codes)
	m.attemptsEnded.WithLabelValues(bounded(e.Class, classes), code).Inc()
	if !e.Final {
		return
	}
	m.runsEnded.WithLabelValues(bounded(e.Outcome, outcomes), code).Inc()
	if e.Age > 0 {
		m.stages.WithLabelValues(stageRun).Observe(e.Age.Seconds())
	}
}

// Called implements llm.Observer.
func (m *Metrics) Called(c llm.Call) {
	model, result := m.model(c.Model), "ok"
	if c.Failure != "" {
		result = bounded(c.Failure, modelErrors)
	}
	m.calls.WithLabelValues(model, result).Inc()
	m.callSeconds.WithLabelValues(model).Observe(c.Took.Seconds())
	for kind, n := range map[string]int{
		"prompt": c.Usage.PromptTokens, "cached": c.Usage.CachedTokens, "completion": c.Usage.CompletionTokens,
		"reasoning": c.Usage.ReasoningTokens,
	} {
		m.tokens.WithLabelValues(model, kind).Add(float64(max(n, 0)))
	}
	m.cost.WithLabelValues(model).Add(float64(max(c.Usage.CostMicros, 0)) / 1e6)
	if _, known := c.Usage.Cost(); !known {
		m.unpriced.WithLabelValues(model).Inc()
	}
	switch c.Failure {
	case analysis.ModelRateLimited:
		m.limitsHit.WithLabelValues(limitServerRate).Inc()
	case analysis.ModelQuota:
		m.limitsHit.WithLabelValues(limitServerQuota).Inc()
	}
}

// Repeated implements llm.Observer.
func (m *Metrics) Repeated(after analysis.ModelErrorKind) {
	m.repeats.WithLabelValues(bounded(after, modelErrors)).Inc()
}

// Withheld implements llm.Observer.
func (m *Metrics) Withheld(by llm.Limit) { m.limitsHit.WithLabelValues(bounded(by, limits)).Inc() }

// Cached implements llm.Observer.
func (m *Metrics) Cached() { m.cached.Inc() }

// Delivered is broadcast.RelayConfig.Delivered.
func (m *Metrics) Delivered(kind schema.EventKind, took time.Duration) {
	m.delivered.WithLabelValues(bounded(kind, kinds)).Observe(took.Seconds())
}
