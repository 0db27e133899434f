package llm

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"
)

// Memory keeps what was learned about a server and a model, for all workers and through
// restarts. Losing it costs a few refused requests.
type Memory interface {
	// Recall returns what was remembered last, nil when there is nothing.
	Recall(ctx context.Context) ([]byte, error)
	// Remember keeps text for about this long.
	Remember(ctx context.Context, text []byte, keep time.Duration) error
}

const (
	// learnedFor is how long a refusal is believed; then one rung up is tried again.
	learnedFor = 24 * time.Hour
	// rememberedFor is how long a dialect is kept that nobody uses.
	rememberedFor = 30 * learnedFor
	// recallEvery is how often a worker looks what the others learned.
	recallEvery = time.Minute
	// memoryTimeout bounds what one look into the memory may take.
	memoryTimeout = 2 * time.Second
	// strikesOut is how many answers in a row, in another form than the server was to
	// enforce, show that it does not.
	strikesOut = 3
)

// lesson is a dialect with the time at which it was learned.
type lesson struct {
	dialect
	LearnedMs int64 `json:"learned_ms"` // 0 for a guess
}

// spoken is the dialect that the server understands, as far as anybody knows.
type spoken struct {
	first  dialect
	memory Memory
	logger *slog.Logger
	now    func() time.Time

	mu       sync.Mutex
	known    lesson
	recalled time.Time
	strikes  int
}

func newSpoken(cfg Config, logger *slog.Logger) *spoken {
	first := firstDialect(cfg.Model)
	return &spoken{first: first, memory: cfg.Memory, logger: logger, now: time.Now, known: lesson{dialect: first}}
}

// current returns the dialect to speak.
func (s *spoken) current(ctx context.Context) dialect {
	s.recall(ctx)
	s.mu.Lock()
	old := s.known.LearnedMs > 0 && s.now().Sub(time.UnixMilli(s.known.LearnedMs)) > learnedFor
	if better := s.known.better(s.first); old {
		if better == s.known.dialect {
			s.known.LearnedMs = 0 // nothing is left to win back
			old = false
		} else {
			s.known = lesson{better, s.now().UnixMilli()}
		}
	}
	known := s.known
	s.mu.Unlock()
	if old {
		s.logger.InfoContext(ctx, "features that the model server refused a day ago are tried again", slog.String("answers", known.Rung.String()))
		s.remember(ctx, known)
	}
	return known.dialect
}

// recall takes over what another worker learned later.
func (s *spoken) recall(ctx context.Context) {
	s.mu.Lock()
	due := s.memory != nil && (s.recalled.IsZero() || s.now().Sub(s.recalled) >= recallEvery)
	if due {
		s.recalled = s.now()
	}
	s.mu.Unlock()
	if !due {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, memoryTimeout)
	defer cancel()
	text, err := s.memory.Recall(bounded)
	var theirs lesson
	if err != nil || len(text) == 0 || json.Unmarshal(text, &theirs) != nil || theirs.Rung < rungStrict || theirs.Rung > rungPlain {
		return // it is learned again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if theirs.LearnedMs > s.known.LearnedMs {
		s.known, s.strikes = theirs, 0
	}
}

func (s *spoken) remember(ctx context.Context, known lesson) {
	if s.memory == nil {
		return
	}
	text, err := json.Marshal(known)
	if err != nil {
		return // numbers and bools always encode
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), memoryTimeout)
	defer cancel()
	if err := s.memory.Remember(bounded, text, rememberedFor); err != nil {
		s.logger.DebugContext(ctx, "what was learned about the model server stays in this process", slog.Any("error", err))
	}
}

// learn changes what is known and says whether that is news: calls that run at the
// same time learn the same.
func (s *spoken) learn(ctx context.Context, change func(d dialect) (dialect, bool)) bool {
	s.mu.Lock()
	d, changed := change(s.known.dialect)
	if changed {
		s.known, s.strikes = lesson{d, s.now().UnixMilli()}, 0
	}
	known := s.known
	s.mu.Unlock()
	if changed {
		s.remember(ctx, known)
	}
	return changed
}

// refused remembers that the server does not know a feature.
func (s *spoken) refused(ctx context.Context, lacks feature) bool {
	return s.learn(ctx, func(d dialect) (dialect, bool) { return d.without(lacks) })
}

// think remembers that the model thinks.
func (s *spoken) think(ctx context.Context) bool {
	return s.learn(ctx, func(d dialect) (dialect, bool) {
		news := !d.Thinks
		d.Thinks = true
		return d, news
	})
}

// formed hears whether an answer had the form that was asked for on a rung, and says
// whether that has just shown that the server does not enforce it.
func (s *spoken) formed(ctx context.Context, asked rung, well bool) bool {
	s.mu.Lock()
	if asked != s.known.Rung || asked == rungPlain {
		s.mu.Unlock()
		return false
	}
	s.strikes++
	if well {
		s.strikes = 0
	}
	out := s.strikes >= strikesOut
	s.mu.Unlock()
	return out && s.learn(ctx, func(d dialect) (dialect, bool) {
		if d.Rung != asked {
			return d, false
		}
		d.Rung = d.Rung.below()
		return d, true
	})
}
