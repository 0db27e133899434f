package run

import (
	"errors"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"

	"github.com/hibiken/asynq"
)

const (
	backoffBase = 2 * time.Second
	backoffCap  = 10 * time.Minute
	// maxReason bounds what asynq stores of an error: it keeps any length, and shows
	// it.
	maxReason = 1 << 10
)

// laterError gives a task back to asynq. Its text is stored in Redis.
type laterError struct {
	delay time.Duration
	// counted says that asynq counts it as a retry.
	counted bool
	text    string
}

func (e *laterError) Error() string { return e.text }

// again comes back after delay and is counted by asynq.
func again(delay time.Duration, reason string) error {
	return &laterError{delay: delay, counted: true, text: clean(reason)}
}

// snooze comes back after delay as if it had not been tried.
func snooze(delay time.Duration, reason string) error {
	return &laterError{delay: delay, text: clean(reason)}
}

// archiveError is a task that names nothing to work on.
type archiveError struct{ text string }

func (e *archiveError) Error() string { return e.text }
func (e *archiveError) Unwrap() error { return asynq.SkipRetry }

// RetryDelay is asynq's RetryDelayFunc. A handler's own errors carry their delay. A
// task whose lease expired comes back at once, since the database says anyway
// whether its owner is gone. All others wait with full jitter, 2 s doubling up to
// 10 min.
func RetryDelay(n int, err error, _ *asynq.Task) time.Duration {
	var later *laterError
	switch {
	case errors.As(err, &later):
		return later.delay
	case errors.Is(err, asynq.ErrLeaseExpired):
		return rand.N(time.Second)
	default:
		return backoff(n)
	}
}

// IsFailure is asynq's IsFailure: false leaves the task's retry count alone. asynq
// asks it only while that count is below the task's maximum, and archives
// otherwise; producers send 1000, so that a task can be snoozed for ever. An
// expired lease is a failure: a payload that kills its worker must not loop.
func IsFailure(err error) bool {
	var later *laterError
	if errors.As(err, &later) {
		return later.counted
	}
	return err != nil
}

// backoff draws a delay for the retry after n earlier ones, with full jitter: a
// thousand tasks that failed together must not come back together.
func backoff(n int) time.Duration {
	limit := backoffCap
	if n < 16 {
		limit = min(backoffCap, backoffBase<<max(n, 0))
	}
	return rand.N(limit)
}

// jitter adds up to a fifth to d, and never comes early.
func jitter(d time.Duration) time.Duration {
	return d + rand.N(d/5+1)
}

// clean makes a text fit for asynq, which can not store invalid UTF-8 (the task
// would stay active until its lease expires), and for a line of a log.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) <= maxReason {
		return text
	}
	const ellipsis = "..."
	cut := text[:maxReason-len(ellipsis)]
	return strings.ToValidUTF8(cut, "") + ellipsis
}
