package llm

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a server can ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads how long the server asks to wait, 0 when it does not say. The
// most exact word wins: retry-after-ms, then Retry-After as seconds or as a date,
// then the x-ratelimit-reset of a limit that is used up, then OpenRouter's moment of it.
func retryAfter(header http.Header, now time.Time) time.Duration {
	if ms, ok := number(header.Get("Retry-After-Ms")); ok {
		return bounded(ms / 1000)
	}
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, ok := number(value); ok {
		return bounded(seconds)
	}
	if date, err := http.ParseTime(value); err == nil {
		return bounded(date.Sub(now).Seconds())
	}
	var wait time.Duration
	for _, limit := range []string{"Requests", "Tokens"} {
		if left, ok := number(header.Get("X-Ratelimit-Remaining-" + limit)); !ok || left > 0 {
			continue
		}
		if reset, err := time.ParseDuration(header.Get("X-Ratelimit-Reset-" + limit)); err == nil {
			wait = max(wait, bounded(reset.Seconds()))
		}
	}
	if wait == 0 {
		wait = untilReset(header, now)
	}
	return wait
}

// untilReset reads OpenRouter's X-RateLimit-Reset: a moment in epoch milliseconds.
func untilReset(header http.Header, now time.Time) time.Duration {
	left, used := number(header.Get("X-Ratelimit-Remaining"))
	at, ok := number(header.Get("X-Ratelimit-Reset"))
	if !ok || !used || left > 0 || at < 1e12 || at > 1e14 {
		return 0
	}
	return bounded(time.UnixMilli(int64(at)).Sub(now).Seconds())
}

func number(s string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

func bounded(seconds float64) time.Duration {
	if seconds <= 0 {
		return 0
	}
	if seconds >= maxRetryAfter.Seconds() {
		return maxRetryAfter
	}
	return time.Duration(seconds * float64(time.Second))
}
