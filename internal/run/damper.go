package run

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// The pauses after refusals.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 3 * time.Second
)

// refusals are the answers of a Redis that works and takes nothing, by the first word.
// go-redis repeats none of them, and asynq asks for the next task at once, thousands of
// times a second, until somebody has mended the server.
var refusals = []string{
	"OOM", "MISCONF", "NOREPLICAS", "READONLY", "NOPERM", "NOAUTH", "WRONGPASS", "WRONGTYPE", "MASTERDOWN", "CLUSTERDOWN", "BUSY",
}

// damper makes whoever was refused wait, longer each time in a row.
type damper struct {
	mu    sync.Mutex
	pause time.Duration
}

var _ redis.Hook = (*damper)(nil)

// DialHook does nothing: go-redis waits between dials by itself.
func (d *damper) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook waits after a refused command.
func (d *damper) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		d.after(ctx, err)
		return err
	}
}

// ProcessPipelineHook waits after a pipeline whose first failure is a refusal.
func (d *damper) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		d.after(ctx, err)
		return err
	}
}

func (d *damper) after(ctx context.Context, err error) {
	if pause := d.next(err); pause > 0 {
		wait(ctx, pause)
	}
}

func (d *damper) next(err error) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, refusal := range refusals {
		if redis.HasErrorPrefix(err, refusal) {
			d.pause = min(max(2*d.pause, firstPause), longestPause)
			return d.pause
		}
	}
	d.pause = 0
	return 0
}
