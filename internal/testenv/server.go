package testenv

import (
	"os/exec"
	"testing"
)

// server is what Redis and Soketi share: a process that a test stops and starts. Its
// methods belong to the test's own goroutine.
type server struct {
	t    testing.TB
	boot func() (*process, error) // returns when the server is ready
	now  *process                 // nil while it is stopped
}

// Start starts the server after Stop, on the same port and without its former data,
// and returns when it serves. A server that runs is left alone.
func (s *server) Start() {
	s.t.Helper()
	if s.now != nil {
		return
	}
	p, err := s.boot()
	if err != nil {
		s.t.Fatal(err)
	}
	p.killAtEnd(s.t)
	s.now = p
}

// Stop kills the server as kill -9 does and returns when it is gone. A stopped server
// stays stopped.
func (s *server) Stop() {
	if s.now == nil {
		return
	}
	s.now.kill()
	s.now = nil
}

// launchReady starts cmd and waits until it prints ready.
func launchReady(name string, cmd *exec.Cmd, ready string) (*process, error) {
	p, err := launch(name, cmd)
	if err != nil {
		return nil, err
	}
	if err := p.waitFor(ready); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}
