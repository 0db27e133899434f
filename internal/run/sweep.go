package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/task"
)

// errLedElsewhere ends a sweep whose lease went to another process.
var errLedElsewhere = errors.New("another process sweeps now")

// putAwayText is what people read about a run whose task was archived.
const putAwayText = "its task was put away, by an operator or after too many losses of its worker; ask again to retry"

// sweep is one of them.
type sweep struct {
	*Sweeper
	// renew keeps the lease, or says that it is lost.
	renew func(context.Context) error
	room  map[string]int64 // for how many tasks, by queue
	done  Sweep
}

// Sweep makes one sweep, whoever leads. With an error it tells what it did until then.
// A sweep that does not come to the end goes on in the next one.
func (s *Sweeper) Sweep(ctx context.Context) (Sweep, error) {
	return s.sweep(ctx, func(context.Context) error { return nil })
}

func (s *Sweeper) sweep(ctx context.Context, renew func(context.Context) error) (Sweep, error) {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	it := &sweep{Sweeper: s, renew: renew, room: map[string]int64{}}
	// Pruning needs no Redis, so that an outage there does not fill the disk.
	err := errors.Join(limited(ctx, s.cfg.Timeout, it.queue), limited(ctx, s.cfg.PruneTimeout+s.cfg.Timeout, it.prune))
	if d := it.done; d.Enqueued+d.Abandoned > 0 {
		s.log.InfoContext(ctx, "swept", "looked", d.Looked, "enqueued", d.Enqueued, "abandoned", d.Abandoned, "postponed", d.Postponed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Total.add(it.done)
	if err == nil {
		s.status.Last, s.status.At = it.done, time.Now()
	}
	return it.done, err
}

// queue brings back what nobody works on.
func (s *sweep) queue(ctx context.Context) error {
	if err := s.inspector.Register(ctx); err != nil {
		return fmt.Errorf("show the queues to asynqmon: %w", err)
	}
	if err := s.measure(ctx); err != nil {
		return err
	}
	if err := s.orphans(ctx); err != nil {
		return err
	}
	return s.forgotten(ctx)
}

// measure finds out how much room the queues have.
func (s *sweep) measure(ctx context.Context) error {
	for _, queue := range task.Queues() {
		waiting, err := s.inspector.Waiting(ctx, queue)
		if err != nil {
			return fmt.Errorf("count the tasks of %s: %w", queue, err)
		}
		s.room[queue] = int64(s.cfg.Depth) - waiting
	}
	return nil
}

func (s *sweep) orphans(ctx context.Context) error {
	for range s.cfg.Pages {
		page, err := s.store.Orphans(ctx, s.afterOrphan, s.cfg.Grace, s.cfg.Page)
		if err != nil {
			return fmt.Errorf("look for runs without a worker: %w", err)
		}
		if err := s.page(ctx, page); err != nil {
			return err
		}
		if len(page) < s.cfg.Page {
			s.afterOrphan = nil
			return nil
		}
		if s.afterOrphan = s.following(page[len(page)-1]); s.afterOrphan == nil {
			return nil
		}
	}
	return nil
}

// following says after which orphan the next page begins, nil when there is no room for
// what follows: a million requests that wait for their turn are not to be looked for in
// Redis at each sweep. Interactive ones come first.
func (s *sweep) following(last Orphan) *Orphan {
	switch {
	case last.Backfill && s.room[task.QueueBackfill] <= 0:
		return nil
	case last.Backfill || s.room[task.QueueInteractive] > 0:
		return &last
	case s.room[task.QueueBackfill] > 0:
		return &Orphan{Backfill: true, Requested: time.Unix(0, 0)} // before all of the backfill
	default:
		return nil
	}
}

func (s *sweep) forgotten(ctx context.Context) error {
	for range s.cfg.Pages {
		page, err := s.store.Forgotten(ctx, s.afterForgotten, s.cfg.Grace, s.cfg.Page)
		if err != nil {
			return fmt.Errorf("look for rows without a run: %w", err)
		}
		if err := s.page(ctx, page); err != nil {
			return err
		}
		if len(page) < s.cfg.Page {
			s.afterForgotten = 0
			return nil
		}
		s.afterForgotten = page[len(page)-1].SchemaID
		if s.room[task.QueueInteractive] <= 0 && s.room[task.QueueBackfill] <= 0 {
			s.afterForgotten = 0
			return nil
		}
	}
	return nil
}

// page decides about some requests.
func (s *sweep) page(ctx context.Context, orphans []Orphan) error {
	if len(orphans) == 0 {
		return nil
	}
	if err := s.renew(ctx); err != nil {
		return err
	}
	_, err := s.decide(ctx, orphans)
	return err
}

// decide brings back those of some requests that nobody works on, and says how their
// tasks stood before.
func (s *sweep) decide(ctx context.Context, orphans []Orphan) ([]task.Standing, error) {
	s.done.Looked += len(orphans)
	subjects := make([]task.Subject, len(orphans))
	for n, o := range orphans {
		subjects[n] = task.Subject{SchemaID: o.SchemaID, Fence: o.Fence}
	}
	standings, err := s.inspector.Lookup(ctx, subjects)
	if err != nil {
		return nil, fmt.Errorf("look for tasks: %w", err)
	}
	var requests []task.Request
	for n, o := range orphans {
		switch standing := standings[n]; {
		case standing.Alive:
		case putAway(o, standing):
			if err := s.abandon(ctx, o, standing.PutAway); err != nil {
				return nil, err
			}
		default:
			if request, ok := s.request(o, standing); ok {
				requests = append(requests, request)
			}
		}
	}
	return standings, s.enqueue(ctx, requests)
}

// putAway says whether somebody decided, after the request, that its task shall not run:
// an operator, or asynq when a task's worker was lost too often. A task that the handler
// rejected is the producer's fault, and says nothing about the schema. Redis knows whole
// seconds only; in doubt the task came first and is replaced.
func putAway(o Orphan, s task.Standing) bool {
	return !s.PutAway.IsZero() && s.PutAway.After(o.Requested) && !strings.HasPrefix(s.LastError, rejection)
}

func (s *sweep) abandon(ctx context.Context, o Orphan, at time.Time) error {
	ended, err := s.store.Abandon(ctx, o, at, failure(CodeTaskArchived, putAwayText))
	if err != nil {
		return fmt.Errorf("abandon schema %d: %w", o.SchemaID, err)
	}
	if ended {
		s.done.Abandoned++
		s.log.WarnContext(ctx, "run abandoned",
			"schema_id", o.SchemaID, "run_id", o.RunID, "put_away", at, "code", string(CodeTaskArchived))
	}
	return nil
}

// request makes the task of an orphan, if its queue has room for one.
func (s *sweep) request(o Orphan, standing task.Standing) (task.Request, bool) {
	queue := task.QueueInteractive
	if o.Backfill {
		queue = task.QueueBackfill
	}
	if s.room[queue] <= 0 {
		s.done.Postponed++
		return task.Request{}, false
	}
	s.room[queue]--
	request := task.Request{Payload: task.PayloadOf(o.SchemaID, o.TenantID), Queue: queue}
	if standing.Blocked(queue) {
		request.TaskID = task.SweepID(o.SchemaID, o.Fence)
	}
	return request, true
}

func (s *sweep) enqueue(ctx context.Context, requests []task.Request) error {
	if len(requests) == 0 {
		return nil
	}
	outcomes, err := s.producer.Enqueue(ctx, requests...)
	for _, outcome := range outcomes {
		if outcome != task.Unknown && outcome != task.AlreadyQueued {
			s.done.Enqueued++
		}
	}
	if err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	return nil
}

// prune deletes what is past its retention, batch by batch, for as long as it may.
func (s *sweep) prune(ctx context.Context) error {
	s.mu.Lock()
	due := time.Since(s.pruned) >= s.cfg.PruneInterval
	s.mu.Unlock()
	if !due || s.cfg.Retention == (Retention{}) {
		return nil
	}
	for begun := time.Now(); time.Since(begun) < s.cfg.PruneTimeout; {
		if err := s.renew(ctx); err != nil {
			return err
		}
		pruned, err := s.store.Prune(ctx, s.cfg.Retention)
		if err != nil {
			return fmt.Errorf("prune: %w", err)
		}
		s.done.Pruned.add(pruned)
		if !pruned.Any() {
			s.mu.Lock()
			s.pruned = time.Now()
			s.mu.Unlock()
			return nil
		}
	}
	return nil // the next sweep goes on
}

// limited calls f with a time limit.
func limited(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return f(ctx)
}
