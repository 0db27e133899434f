package llm

import (
	"context"
	"errors"
	"sync"

	"github.com/schemacast/schemacast/internal/analysis"
)

// flights lets equal questions that are asked at the same time cost one call: the first
// is put to the server, and the others wait for its answer. Other than singleflight of
// x/sync it lets nobody wait for a call whose own caller gave up.
type flights struct {
	mu    sync.Mutex
	byKey map[string]*flight
}

type flight struct {
	landed chan struct{}
	answer analysis.Answer
	err    error
}

// errCrashed is the outcome of a call that panicked.
var errCrashed = errors.New("the call crashed")

func (f *flights) do(ctx context.Context, key string, call func() (analysis.Answer, error)) (analysis.Answer, error) {
	for {
		f.mu.Lock()
		other, flying := f.byKey[key]
		if !flying {
			break // with the lock
		}
		f.mu.Unlock()
		select {
		case <-other.landed:
		case <-ctx.Done():
			return analysis.Answer{}, context.Cause(ctx)
		}
		if other.err == nil {
			return analysis.Answer{Raw: other.answer.Raw, Usage: analysis.Usage{CachedCalls: 1}}, nil
		}
		if analysis.ModelErrorOf(other.err) != nil {
			return analysis.Answer{}, other.err
		}
	}
	own := &flight{landed: make(chan struct{}), err: errCrashed}
	if f.byKey == nil {
		f.byKey = map[string]*flight{}
	}
	f.byKey[key] = own
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.byKey, key)
		f.mu.Unlock()
		close(own.landed)
	}()
	own.answer, own.err = call()
	return own.answer, own.err
}
