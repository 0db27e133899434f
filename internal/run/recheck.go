package run

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// recheckEvery is how long after the end of a task its schema is looked at again, at
	// least: by then the task is acknowledged. At most it is twice that.
	recheckEvery = 500 * time.Millisecond
	// recheckTries is how often that is, while an acknowledgement does not come through.
	recheckTries = 20
	// maxRechecks bounds the memory of an outage. The sweeper finds what is forgotten.
	maxRechecks = 10_000
)

// rechecks are schemas whose tasks have just ended. Whoever asks for an analysis between
// the end of a run and the acknowledgement of its task finds that task in Redis and adds
// none, while the task goes away without a look at the new request. The gap can not be
// closed from within the handler, since asynq acknowledges after it has returned.
type rechecks struct {
	loop periodic

	mu sync.Mutex
	// due are looked at in the next round, by their tries so far; fresh have come since
	// the last one and wait for another.
	due, fresh map[int64]int
}

// Recheck has a schema looked at again soon, whoever leads: a request that came while
// its task was about to go is queued then. It does not block.
func (s *Sweeper) Recheck(schemaID int64) {
	s.rechecks.mu.Lock()
	defer s.rechecks.mu.Unlock()
	s.rechecks.add(schemaID, 0)
}

// add notes a schema. The caller holds the lock.
func (r *rechecks) add(schemaID int64, tries int) {
	if len(r.fresh) >= maxRechecks || tries >= recheckTries {
		return
	}
	if r.fresh == nil {
		r.fresh = map[int64]int{}
	}
	r.fresh[schemaID] = tries
}

// next returns what is to be looked at now.
func (r *rechecks) next() map[int64]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.due
	r.due, r.fresh = r.fresh, nil
	return now
}

// recheck looks at those whose time has come. What fails, or can not be decided yet, is
// looked at again.
func (s *Sweeper) recheck(ctx context.Context) {
	schemas := s.rechecks.next()
	if len(schemas) == 0 {
		return
	}
	again, err := s.recheckNow(ctx, slices.Collect(maps.Keys(schemas)))
	if err != nil {
		// The sweeper meets the same trouble, and tells of it.
		s.log.DebugContext(ctx, "recheck failed", "schemas", len(schemas), "error", err)
	}
	s.rechecks.mu.Lock()
	defer s.rechecks.mu.Unlock()
	for _, id := range again {
		s.rechecks.add(id, schemas[id]+1)
	}
}

// recheckNow returns the schemas that have to be looked at again.
func (s *Sweeper) recheckNow(ctx context.Context, ids []int64) (again []int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	open, err := s.store.Requested(ctx, ids)
	if err != nil {
		return ids, err
	}
	if len(open) == 0 {
		return nil, nil
	}
	it := &sweep{Sweeper: s, room: map[string]int64{}}
	if err := it.measure(ctx); err != nil {
		return ids, err
	}
	standings, err := it.decide(ctx, open)
	s.mu.Lock()
	s.status.Total.add(it.done)
	s.mu.Unlock()
	if err != nil {
		return ids, err
	}
	for n, o := range open {
		if standings[n].Alive && !standings[n].Waits {
			again = append(again, o.SchemaID) // it may not be acknowledged yet
		}
	}
	return again, nil
}
