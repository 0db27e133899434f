package testenv

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// startTimeout is generous, since a machine with two cores runs the race detector
	// and other servers meanwhile.
	startTimeout = 60 * time.Second
	// exitTimeout bounds the wait for output of a process that was killed.
	exitTimeout = 5 * time.Second
)

// process is a running server. Nothing but kill ends it.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *outputLog
	done chan struct{} // closed when it has exited
}

// launch starts cmd and keeps what it says, unless cmd.Stdout is set, for error texts.
func launch(name string, cmd *exec.Cmd) (*process, error) {
	p := &process{name: name, cmd: cmd, log: newOutputLog(), done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.log
	}
	cmd.Stderr = p.log
	cmd.WaitDelay = exitTimeout
	dieWithParent(cmd)

	started := make(chan error)
	go func() {
		// The kernel ties "die with the parent" to the thread that started the child,
		// so this thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how a killed server exits is of no interest
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// waitFor waits until the process has printed text.
func (p *process) waitFor(text string) error {
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	for {
		seen, changed := p.log.contains(text)
		if seen {
			return nil
		}
		select {
		case <-changed:
		case <-p.done:
			return fmt.Errorf("%s exited before it was ready (%v); it said:\n%s", p.name, p.cmd.ProcessState, p.log)
		case <-timeout.C:
			return fmt.Errorf("%s was not ready after %v; it said:\n%s", p.name, startTimeout, p.log)
		}
	}
}

// kill ends the process as kill -9 does and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it is gone already
	<-p.done
}

// killAtEnd ends the process when the test ends, and shows what it said when the
// test has failed.
func (p *process) killAtEnd(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, p.log)
		}
	})
}

// outputLog keeps the last output of a process.
type outputLog struct {
	mu      sync.Mutex
	text    []byte
	changed chan struct{} // closed and replaced at every write
}

const outputLogSize = 32 << 10

func newOutputLog() *outputLog { return &outputLog{changed: make(chan struct{})} }

func (l *outputLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	if over := len(l.text) - outputLogSize; over > 0 {
		l.text = append(l.text[:0], l.text[over:]...)
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return len(b), nil
}

func (l *outputLog) contains(text string) (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text, []byte(text)), l.changed
}

func (l *outputLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text) == 0 {
		return "(nothing)"
	}
	return strings.TrimSpace(string(l.text))
}
