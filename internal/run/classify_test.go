package run

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/task"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	model := func(kind analysis.ModelErrorKind, after time.Duration) error {
		return fmt.Errorf("ask: %w", &analysis.ModelError{Kind: kind, RetryAfter: after})
	}
	down := fmt.Errorf("%w: refused", ErrUnavailable)
	const second, minute = time.Second, time.Minute
	for _, tc := range []struct {
		name  string
		err   error
		class class
		code  Code
		limit int
		least time.Duration // of the delay
		most  time.Duration
	}{
		{"claim lost", fmt.Errorf("commit: %w", ErrClaimLost), classLost, "", 0, 0, 0},
		{"claim lost at a checkpoint", &storeError{op: "checkpoint", err: ErrClaimLost}, classLost, "", 0, 0, 0},
		{"cancelled", &CancelledError{By: "ann"}, classCancelled, CodeCancelled, 0, 0, 0},
		{"drain", ErrDraining, classDrain, CodeWorkerLost, 0, 0, 0},
		{"time limit", errTimeout, classRetry, CodeTimeout, 0, 0, 0},
		{"inner timeout", fmt.Errorf("catalog: %w", context.DeadlineExceeded), classRetry, CodeTimeout, 0, 0, 0},
		{"database down", &storeError{op: "commit", err: down}, classSnooze, CodeDatabase, 0, 5 * second, 6 * second},
		{"database refuses", &storeError{op: "commit", err: errors.New("value too long")}, classRetry, CodeDatabase, 0, 0, 0},
		{"model down", model(analysis.ModelUnavailable, 0), classRetry, CodeLLMUnavailable, 0, 0, 0},
		{"breaker open", model(analysis.ModelUnavailable, 30*second), classSnooze, CodeLLMUnavailable, 0, 30 * second, 36 * second},
		{"rate limit", model(analysis.ModelRateLimited, 20*second), classSnooze, CodeLLMRateLimited, 0, 20 * second, 24 * second},
		{"rate limit, silent", model(analysis.ModelRateLimited, 0), classSnooze, CodeLLMRateLimited, 0, 20 * second, 24 * second},
		{"rate limit, absurd", model(analysis.ModelRateLimited, 1<<62), classSnooze, CodeLLMRateLimited, 0, 10 * minute, 12 * minute},
		{"quota", model(analysis.ModelQuota, time.Second), classSnooze, CodeLLMQuota, 0, 30 * minute, 36 * minute},
		{"budget", model(analysis.ModelBudget, 20*time.Hour), classSnooze, CodeLLMBudget, 0, 15 * minute, 18 * minute},
		{"budget until midnight", model(analysis.ModelBudget, minute), classSnooze, CodeLLMBudget, 0, minute, 72 * second},
		{"bad answer", model(analysis.ModelBadAnswer, 0), classRetry, CodeLLMBadOutput, 2, 0, 0},
		{"refused", model(analysis.ModelRefused, 0), classRetry, CodeLLMRefused, 2, 0, 0},
		{"too large", model(analysis.ModelTooLarge, 0), classPermanent, CodeLLMTooLarge, 0, 0, 0},
		{"wrong key", model(analysis.ModelConfig, 0), classPermanent, CodeLLMConfig, 0, 0, 0},
		{"bad fields", &schema.FieldsError{}, classPermanent, CodeBadFields, 0, 0, 0},
		{"unknown version", &task.VersionError{Version: 9}, classPermanent, CodeUnknownVersion, 0, 0, 0},
		{"panic", &panicError{}, classRetry, CodePanic, 0, 0, 0},
		{"entity gone", errEntityGone, classRetry, CodeEntityGone, 0, 0, 0},
		{"fields changing", errFieldsChanging, classRetry, CodeFieldsChanging, 0, 0, 0},
		{"workers lost", errWorkersLost, classPermanent, CodeWorkerLost, 0, 0, 0},
		{"anything else", errors.New("boom"), classRetry, CodeInternal, 0, 0, 0},
		{"nil", nil, classRetry, CodeInternal, 0, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := classify(tc.err)
			if got.class != tc.class || got.failure.Code != tc.code || got.limit != tc.limit {
				t.Errorf("got %+v, want %s %s with limit %d", got, tc.class, tc.code, tc.limit)
			}
			if got.delay < tc.least || got.delay > tc.most {
				t.Errorf("delay %s, want %s to %s", got.delay, tc.least, tc.most)
			}
			if got.class != classLost && got.failure.Text == "" {
				t.Error("no text for humans")
			}
		})
	}
}

func TestFailureTextFitsARow(t *testing.T) {
	t.Parallel()
	long := make([]byte, 100_000)
	for i := range long {
		long[i] = "\xc3\xa9"[i%2]
	}
	got := classify(&analysis.ModelError{Kind: analysis.ModelTooLarge, Detail: "line\nbreak \xff" + string(long)}).failure.Text
	if !utf8.ValidString(got) || len(got) > maxReason {
		t.Errorf("%d bytes, valid %t", len(got), utf8.ValidString(got))
	}
}
