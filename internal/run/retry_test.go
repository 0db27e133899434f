package run

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hibiken/asynq"
)

func TestRetryDelay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		n    int
		err  error
		most time.Duration
	}{
		{"lease expired", 40, asynq.ErrLeaseExpired, time.Second},
		{"own delay", 40, fmt.Errorf("wrapped: %w", again(20*time.Second, "")), 20 * time.Second},
		{"no delay", 40, snooze(0, ""), 0},
		{"first", 0, errors.New("x"), 2 * time.Second},
		{"fourth", 3, errors.New("x"), 16 * time.Second},
		{"cap", 9, errors.New("x"), 10 * time.Minute},
		{"far", 999, errors.New("x"), 10 * time.Minute},
		{"overflow", 1 << 40, errors.New("x"), 10 * time.Minute},
		{"nonsense", -1, errors.New("x"), 2 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var longest time.Duration
			for range 2000 {
				d := RetryDelay(tc.n, tc.err, nil)
				if d < 0 || d > tc.most {
					t.Fatalf("delay %s, want 0 to %s", d, tc.most)
				}
				longest = max(longest, d)
			}
			if longest < tc.most*9/10 {
				t.Errorf("longest of 2000 delays is %s, want close to %s", longest, tc.most)
			}
		})
	}
}

func TestIsFailure(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{"snooze", fmt.Errorf("wrapped: %w", snooze(0, "")), false},
		{"retry", again(0, ""), true},
		{"lease expired must count, or a killer payload loops for ever", asynq.ErrLeaseExpired, true},
		{"other", errors.New("x"), true},
		{"none", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := IsFailure(tc.err); got != tc.want {
				t.Errorf("IsFailure = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestOwnersDiffer(t *testing.T) {
	t.Parallel()
	a, b := NewOwner(), NewOwner()
	if a == b || strings.Count(a, ":") < 2 || len(a) > 255 {
		t.Errorf("owners %q and %q", a, b)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "fine", "cut \xc3", strings.Repeat("\xe2\x82\xac", 1000), "a\x00b\nc", strings.Repeat("\xff", 2000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if len(got) > maxReason || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("clean(%q) = %q", s, got)
		}
	})
}
