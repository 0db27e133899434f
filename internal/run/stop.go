package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// stopLimits says how long the steps of Stop may take that do not wait for work.
// Together with the drain they have to fit into the time that an orchestrator grants.
type stopLimits struct {
	pull     time.Duration // to stop pulling; Redis may hang
	hurry    time.Duration // for handlers that were told to give up
	shutdown time.Duration // for asynq
}

// Stop drains the service. The end of ctx cuts the wait for running work short, it
// does not skip the rest: Stop returns at most 20 s after it.
//
// The order matters:
//
//  1. Readiness goes off.
//  2. Both servers stop to pull. From here on nothing new is taken up.
//  3. Running handlers may end by themselves, for DrainTimeout.
//  4. The others are told to give up: they release their claims, so that another
//     worker takes the runs at once and no attempt is used, and hand their tasks
//     back. This has to happen before asynq shuts down, since asynq pushes the task
//     back first and ends the handler's context later: the next worker would find
//     the claim taken. It must not happen through asynq's base context either, since
//     asynq takes that for a failure of every task.
//  5. We wait for the handlers ourselves, since asynq does not wait for those that it
//     gave up.
//  6. asynq shuts down: it writes the last acknowledgements and ends its goroutines.
//  7. The clients are closed, once asynq has really ended: its subscriber panics when
//     they are closed under it.
//
// An error says what did not end; its tasks come back by their leases, and its runs
// by their heartbeats.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.state
	s.state = serviceStopped
	switch before {
	case serviceNew:
		return errors.Join(s.client.Close(), s.probe.Close())
	case serviceStopped:
		return nil
	case serviceStarted:
	}
	s.draining.Store(true)
	started := time.Now()
	s.log.Info("worker stopping", "running", s.Running())

	problems := []error{within(s.limits.pull, "stop pulling tasks", func() error {
		s.each((*asynq.Server).Stop)
		return nil
	})}
	s.waitIdle(ctx, s.cfg.DrainTimeout)
	released := s.Running()
	s.handler.drain.hurry()
	s.waitIdle(context.WithoutCancel(ctx), s.limits.hurry)
	left := s.Running()
	if left > 0 {
		problems = append(problems, fmt.Errorf(
			"runs that did not end when they were told to: %d; their claims become stale and other workers take them", left))
	}
	problems = append(problems, within(s.limits.shutdown, "shut asynq down", func() error {
		s.each((*asynq.Server).Shutdown)
		return errors.Join(s.client.Close(), s.probe.Close())
	}))
	s.log.Info("worker stopped", "duration", time.Since(started), "released", released-left, "left", left)
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("stop service: %w", err)
	}
	return nil
}

// each calls f on all servers at the same time.
func (s *Service) each(f func(*asynq.Server)) {
	var group sync.WaitGroup
	for _, server := range s.servers {
		group.Go(func() { f(server) })
	}
	group.Wait()
}

// waitIdle returns when no handler runs, or the time is over.
func (s *Service) waitIdle(ctx context.Context, limit time.Duration) {
	_, idle := s.handler.drain.count()
	timer := time.NewTimer(max(limit, 0))
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// within bounds calls of asynq, none of which takes a context. What is not done in
// time goes on for as long as the process does.
func within(limit time.Duration, what string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("%s: asynq panicked", what)
			}
		}()
		done <- f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("%s: not done after %s, redis does not answer", what, limit)
	}
}
