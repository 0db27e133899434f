package run

import (
	"context"
	"errors"
	"sync"
)

// ErrDraining ends attempts that outlive the drain of their worker. Their claims
// are released and their tasks go back.
var ErrDraining = errors.New("the worker is shutting down")

// drain counts running handlers and tells them to hurry. asynq does not wait for
// handlers that it gave up, and its contexts can not say why they ended.
type drain struct {
	mu      sync.Mutex
	running int
	idle    chan struct{} // closed while nothing runs
	// hurried ends when attempts shall be given up.
	hurried context.Context
	hurry   context.CancelFunc
}

func newDrain() *drain {
	d := &drain{idle: make(chan struct{})}
	close(d.idle)
	d.hurried, d.hurry = context.WithCancel(context.Background())
	return d
}

// enter counts a handler, unless it came too late.
func (d *drain) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hurried.Err() != nil {
		return false
	}
	if d.running == 0 {
		d.idle = make(chan struct{})
	}
	d.running++
	return true
}

func (d *drain) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running--
	if d.running == 0 {
		close(d.idle)
	}
}

// count returns how many handlers run, and a channel that is closed when none of
// them does any more.
func (d *drain) count() (int, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running, d.idle
}
