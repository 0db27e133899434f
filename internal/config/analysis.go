package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Analysis says how schemas are analysed.
type Analysis struct {
	// Offline analyses without a language model.
	Offline bool
	// ConfirmVerified leaves a schema pending when its result needs a review.
	ConfirmVerified bool
	// FallbackOffline takes the matcher's result when the model fails.
	FallbackOffline bool
	// SkipCertain asks no model about schemas whose place is certain.
	SkipCertain bool
	// MaxQuestions bounds the questions to the model about one schema.
	MaxQuestions int
	// RawSamples are the tenants whose sample values the model may see.
	RawSamples Tenants
	Timeout    time.Duration
	// GiveUpAfter is the age at which a run that only waits fails.
	GiveUpAfter time.Duration

	// The language model; zero with Offline and no FallbackOffline.
	APIKey  Secret
	BaseURL string
	Model   string
	// What all workers together may ask of it in a minute; 0 for no limit.
	RequestsPerMinute, TokensPerMinute int
	// What may be spent on it in a day; 0 for no limit.
	Budget, TenantBudget Budget
	// Price is that of the model, nil when it is not known.
	Price *Price
}

// Budget is what may be spent in a day.
type Budget struct {
	Tokens     int64
	CostMicros int64 // millionths of a US dollar
}

// Price is what a model costs, in US dollars for a million tokens.
type Price struct{ Input, CachedInput, Output float64 }

// Tenants is a set of tenants.
type Tenants struct {
	All bool
	IDs []string
}

// Has says whether a tenant is in the set.
func (t Tenants) Has(tenantID string) bool { return t.All || slices.Contains(t.IDs, tenantID) }

// The limits of an analysis. The upper one leaves a minute of the task's ten for
// claim and commit.
const (
	leastTimeout = 10 * time.Second
	mostTimeout  = 9 * time.Minute
)

// The limits of the questions about one schema: the entity, its fields and a repair, and
// what 5,000 fields that share nothing need twice over.
const (
	leastQuestions = 3
	mostQuestions  = 200
)

// The limits of what a minute may hold. A question about a wide schema has tens of
// thousands of tokens, and with fewer than the lower one none would ever be asked.
const (
	mostRequests = 1_000_000
	leastTokens  = 1_000
	mostTokens   = 1_000_000_000
	mostDaily    = 1_000_000_000_000
	mostCost     = 1_000_000
)

func (l *loader) analysis() {
	v := l.vars
	l.choice("ANALYSIS_ENGINE", v.AnalysisEngine, "llm", "offline")
	l.choice("ANALYSIS_CONFIRM", v.AnalysisConfirm, "always", "verified")
	l.choice("ANALYSIS_FALLBACK", v.AnalysisFallback, "none", "offline")
	l.choice("ANALYSIS_SKIP_MODEL", v.AnalysisSkipModel, "certain", "never")
	between(l, "ANALYSIS_MAX_QUESTIONS", v.AnalysisQuestions, leastQuestions, mostQuestions)
	between(l, "ANALYSIS_TIMEOUT", v.AnalysisTimeout, leastTimeout, mostTimeout)
	between(l, "ANALYSIS_GIVE_UP_AFTER", v.AnalysisGiveUpAfter, time.Minute, 30*24*time.Hour)
	between(l, "ANALYSIS_REQUESTS_PER_MINUTE", v.AnalysisRequests, 0, mostRequests)
	if v.AnalysisTokens != 0 {
		between(l, "ANALYSIS_TOKENS_PER_MINUTE", v.AnalysisTokens, leastTokens, mostTokens)
	}
	a := &l.cfg.Analysis
	*a = Analysis{
		Offline: v.AnalysisEngine == "offline", ConfirmVerified: v.AnalysisConfirm == "verified",
		FallbackOffline: v.AnalysisFallback == "offline", RawSamples: l.rawSamples(), Timeout: v.AnalysisTimeout,
		GiveUpAfter: v.AnalysisGiveUpAfter, SkipCertain: v.AnalysisSkipModel == "certain", MaxQuestions: v.AnalysisQuestions,
	}
	if a.Offline {
		if a.FallbackOffline {
			l.problem("ANALYSIS_FALLBACK", "is \"offline\" and so is ANALYSIS_ENGINE, which leaves nothing to fall back from; "+
				"remove ANALYSIS_FALLBACK, or set ANALYSIS_ENGINE=llm")
		}
		return
	}
	a.APIKey, a.BaseURL, a.Model = v.OpenAIKey, strings.TrimRight(v.OpenAIBaseURL, "/"), v.OpenAIModel
	a.RequestsPerMinute, a.TokensPerMinute = v.AnalysisRequests, v.AnalysisTokens
	a.Price = l.price(a.Model)
	a.Budget = l.budget("ANALYSIS_TOKENS_PER_DAY", v.AnalysisDayTokens, "ANALYSIS_COST_PER_DAY", v.AnalysisDayCost)
	a.TenantBudget = l.budget("ANALYSIS_TENANT_TOKENS_PER_DAY", v.AnalysisTenantToken, "ANALYSIS_TENANT_COST_PER_DAY", v.AnalysisTenantCost)
	if !l.isSet("OPENAI_BASE_URL") {
		l.required("set it, or OPENAI_BASE_URL to a server without keys, or ANALYSIS_ENGINE=offline to do without a model", "OPENAI_API_KEY")
	}
	l.baseURL()
}

func (l *loader) baseURL() {
	raw := l.vars.OpenAIBaseURL
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		l.problem("OPENAI_BASE_URL", "is no address; write one such as https://api.openai.com/v1")
	case u.User != nil: // not quoted, since it holds a password
		l.problem("OPENAI_BASE_URL", "has a user in it; put the key into OPENAI_API_KEY")
	case (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		l.problem("OPENAI_BASE_URL", "is %q; write http:// or https://, the host and the path up to /v1", raw)
	case u.Scheme == "http" && !l.vars.OpenAIKey.IsEmpty() && !loopback(u.Hostname()):
		l.warn("OPENAI_BASE_URL is http: the key and all prompts travel to %s in the clear", u.Host)
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func (l *loader) rawSamples() Tenants {
	var ids []string
	for _, id := range l.vars.AnalysisRawSamples {
		if id = strings.TrimSpace(id); id != "" {
			ids = append(ids, id)
		}
	}
	switch {
	case len(ids) == 1 && ids[0] == "none":
		return Tenants{}
	case len(ids) == 1 && ids[0] == "all":
		return Tenants{All: true}
	}
	for _, word := range []string{"none", "all", "on", "off", "true", "false"} {
		if slices.Contains(ids, word) {
			l.problem("ANALYSIS_RAW_SAMPLES", "has %q; write none, all, or ids of tenants", word)
		}
	}
	return Tenants{IDs: ids}
}
