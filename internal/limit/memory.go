package limit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/llm"
)

var _ llm.Memory = (*Limiter)(nil)

// errResting says that Redis did not answer a moment ago.
var errResting = errors.New("redis does not answer")

// Recall returns what any worker remembered of the server and the model, nil when that is
// nothing.
func (l *Limiter) Recall(ctx context.Context) ([]byte, error) {
	var text []byte
	if !l.ask(ctx, func(ctx context.Context) (err error) {
		text, err = l.shared.recall(ctx)
		return err
	}) {
		return nil, errResting
	}
	return text, nil
}

// Remember keeps text for all workers, for about this long.
func (l *Limiter) Remember(ctx context.Context, text []byte, keep time.Duration) error {
	if !l.ask(ctx, func(ctx context.Context) error { return l.shared.remember(ctx, text, keep) }) {
		return errResting
	}
	return nil
}

func (s *shared) recall(ctx context.Context) ([]byte, error) {
	text, err := s.client.Get(ctx, s.memoryKey()).Bytes()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read what is known of the language model: %w", err)
	}
	return text, nil
}

func (s *shared) remember(ctx context.Context, text []byte, keep time.Duration) error {
	if err := s.client.Set(ctx, s.memoryKey(), text, keep).Err(); err != nil {
		return fmt.Errorf("write what is known of the language model: %w", err)
	}
	return nil
}

func (s *shared) memoryKey() string { return keyPrefix + s.prefix + "dialect" }
