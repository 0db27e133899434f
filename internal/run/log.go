package run

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

const (
	// repeatEvery is how often the same complaint of asynq is logged. It complains
	// every second while Redis is down.
	repeatEvery = 30 * time.Second
	// kindLength is how much of a complaint tells its kind; ids and causes follow.
	kindLength = 24
	maxDetail  = 4 << 10
)

// asynqLog lets asynq speak through slog. Its texts become an attribute, and its
// levels are corrected: what it calls a warning is often our own doing.
type asynqLog struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	last map[string]time.Time
}

var _ asynq.Logger = (*asynqLog)(nil)

func newAsynqLog(log *slog.Logger, queue string) *asynqLog {
	return &asynqLog{log: log.With("queue", queue), now: time.Now, last: map[string]time.Time{}}
}

// expected are complaints about what we did on purpose, and about two workers that
// recover the same task, which is harmless.
var expected = []string{
	"Retry exhausted for task",
	"revoke task",
	"recoverer: could not retry lease expired task",
	"recoverer: could not move task to archive",
}

func (l *asynqLog) Debug(args ...any) { l.log.Debug("asynq", "detail", detail(args)) }
func (l *asynqLog) Info(args ...any)  { l.log.Debug("asynq", "detail", detail(args)) }

func (l *asynqLog) Warn(args ...any) {
	text := detail(args)
	for _, prefix := range expected {
		if strings.HasPrefix(text, prefix) {
			l.log.Debug("asynq", "detail", text)
			return
		}
	}
	if l.first(text) {
		l.log.Warn("asynq warns", "detail", text)
	}
}

func (l *asynqLog) Error(args ...any) {
	if text := detail(args); l.first(text) {
		l.log.Error("asynq failed", "detail", text)
	}
}

// Fatal does not end the process: that is for main to decide.
func (l *asynqLog) Fatal(args ...any) { l.log.Error("asynq failed", "detail", detail(args)) }

// first says whether this kind of complaint was not logged lately.
func (l *asynqLog) first(text string) bool {
	kind := text[:min(len(text), kindLength)]
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.last[kind]; ok && now.Sub(last) < repeatEvery {
		return false
	}
	if len(l.last) > 100 {
		clear(l.last)
	}
	l.last[kind] = now
	return true
}

// RedisLog takes what go-redis says, which is about single connections: what matters
// of it reaches us as errors. go-redis keeps one logger a process, so a program
// passes it to redis.SetLogger itself.
type RedisLog struct{ Logger *slog.Logger }

// Printf is the interface that go-redis asks for.
func (l RedisLog) Printf(ctx context.Context, format string, args ...any) {
	l.Logger.DebugContext(ctx, "redis client", "detail", detail([]any{fmt.Sprintf(format, args...)}))
}

func detail(args []any) string {
	text := strings.ToValidUTF8(fmt.Sprint(args...), "?")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "")
	}
	return text
}
