package llm

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		headers []string
		want    time.Duration
	}{
		{nil, 0},
		{[]string{"Retry-After", "7"}, 7 * time.Second},
		{[]string{"Retry-After", " 1.5 "}, 1500 * time.Millisecond},
		{[]string{"Retry-After", "Fri, 01 May 2026 12:01:00 GMT"}, time.Minute},
		{[]string{"Retry-After", "Fri, 01 May 2026 11:00:00 GMT"}, 0},
		{[]string{"Retry-After", "-3"}, 0},
		{[]string{"Retry-After", "NaN"}, 0},
		{[]string{"Retry-After", "Inf"}, 0},
		{[]string{"Retry-After", "soon"}, 0},
		{[]string{"Retry-After", "1e300"}, 24 * time.Hour},
		{[]string{"Retry-After", "2", "Retry-After-Ms", "250"}, 250 * time.Millisecond},
		{[]string{
			"X-Ratelimit-Remaining-Requests", "0", "X-Ratelimit-Reset-Requests", "1m30s",
			"X-Ratelimit-Remaining-Tokens", "5", "X-Ratelimit-Reset-Tokens", "1h",
		}, 90 * time.Second},
	} {
		header := map[string][]string{}
		for i := 0; i < len(c.headers); i += 2 {
			header[c.headers[i]] = []string{c.headers[i+1]}
		}
		if got := retryAfter(header, now); got != c.want {
			t.Errorf("%v: %s, want %s", c.headers, got, c.want)
		}
	}
}
