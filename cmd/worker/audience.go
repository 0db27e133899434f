package main

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
)

const (
	// curtain is how long the demo waits for somebody to open its page: once it begins,
	// everything has happened within a second.
	curtain = 20 * time.Second
	// seats is how long a page takes to draw the first picture after it was opened.
	seats = time.Second
	// pace is the time between two sources while somebody looks.
	pace = 1200 * time.Millisecond
)

// audience tells the demo whether somebody looks at its page.
type audience struct {
	came chan struct{} // closed once somebody has
	once sync.Once
}

func newAudience() *audience { return &audience{came: make(chan struct{})} }

// arrive is called whenever somebody opens the page.
func (a *audience) arrive() { a.once.Do(func() { close(a.came) }) }

func (a *audience) isThere() bool {
	select {
	case <-a.came:
		return true
	default:
		return false
	}
}

// wait returns when somebody has opened the page, or after a while.
func (a *audience) wait(ctx context.Context) {
	select {
	case <-a.came:
		pause(ctx, seats)
	case <-time.After(curtain):
	case <-ctx.Done():
	}
}

// follow gives those who look the time to do so.
func (a *audience) follow(ctx context.Context) {
	if a.isThere() {
		pause(ctx, pace)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// isTerminal says whether a person reads what is written.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
