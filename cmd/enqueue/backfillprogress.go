package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/schemacast/schemacast/internal/store"
)

// progress shows how far a backfill has come. Its methods may be called from several
// goroutines.
type progress interface {
	// show is called often; what it waits for is empty when it does not.
	show(b store.Backfill, waits string)
	// note tells something between.
	note(format string, args ...any)
	// end is called once, at the end.
	end(b store.Backfill)
}

// plainEvery is how often there is a line where there is no terminal.
const plainEvery = 5 * time.Second

// isTerminal says whether somebody sits at a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func newProgress(a *app, total int64, what string) progress {
	if !isTerminal(a.stderr) {
		return &lines{app: a, what: what, total: total, began: time.Now(), last: time.Now()}
	}
	return &bar{app: a, bar: newBar(a.stderr, total, what)}
}

func newBar(w io.Writer, total int64, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(w), progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(what), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowDescriptionAtLineEnd(), progressbar.OptionSetWidth(30))
}

// bar is for a terminal.
type bar struct {
	app *app
	mu  sync.Mutex
	bar *progressbar.ProgressBar
}

func (p *bar) show(b store.Backfill, waits string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bar.Describe(describe(b, waits))
	_ = p.bar.Set64(min(b.Opened, p.bar.GetMax64())) // nobody can be told that the terminal is gone
}

func (p *bar) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.bar.Clear()
	p.app.note(format, args...)
}

func (p *bar) end(b store.Backfill) {
	p.show(b, "")
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.bar.Exit()
	_, _ = fmt.Fprintln(p.app.stderr)
}

func describe(b store.Backfill, waits string) string {
	text := ""
	if skipped := b.Skipped.Sum(); skipped > 0 {
		text = grouped(skipped) + " skipped"
	}
	if waits != "" {
		text += " " + waits
	}
	return text
}

// lines are for logs.
type lines struct {
	app   *app
	what  string
	total int64

	mu           sync.Mutex
	first        int64
	known        bool
	began, last  time.Time
	waitedBefore string
}

func (p *lines) show(b store.Backfill, waits string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known {
		p.first, p.known = b.Opened, true
	}
	if time.Since(p.last) < plainEvery && (waits == "" || waits == p.waitedBefore) {
		return
	}
	p.last, p.waitedBefore = time.Now(), waits
	text := fmt.Sprintf("%s of %s %s", grouped(b.Opened), grouped(p.total), p.what)
	if rate := float64(b.Opened-p.first) / time.Since(p.began).Seconds(); rate >= 1 {
		left := time.Duration(float64(max(0, p.total-b.Opened)) / rate * float64(time.Second))
		text += fmt.Sprintf(", %s/s, %s left", grouped(int64(rate)), left.Round(time.Second))
	}
	if skipped := b.Skipped.Sum(); skipped > 0 {
		text += ", " + grouped(skipped) + " skipped"
	}
	if waits != "" {
		text += ", " + waits
	}
	p.app.note("%s", text)
}

func (p *lines) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.app.note(format, args...)
}

func (p *lines) end(store.Backfill) {}
