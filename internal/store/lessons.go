package store

import (
	"context"
	"sync"
	"time"
)

const (
	// learnShare of its time a process may spend on learning: a look that takes a second is
	// repeated after fifty, and later where there are more tenants.
	learnShare = 50
	// taughtTenants is how many tenants' lessons are kept.
	taughtTenants = 64
)

// lessons keeps what the mappings of tenants teach. People change mappings through
// the app, which leaves no trace that could be asked for cheaply, so each tenant's are
// read again and again, as often as that costs next to nothing.
type lessons struct {
	mu      sync.Mutex
	tenants map[string]*studied
	count   int64 // of lessons that were different from the ones before
}

// studied is the lesson of one tenant.
type studied struct {
	mu     sync.Mutex // held while it is read; others wait for the first time only
	lesson *lesson
	due    time.Time // when it is read again
	used   time.Time
}

// of returns the lesson of a tenant. Whoever finds it due reads it again; meanwhile
// others take the old one.
func (l *lessons) of(
	ctx context.Context, tenantID string, every time.Duration, learn func(context.Context, string) (*lesson, error),
) (*lesson, error) {
	entry, current := l.entry(tenantID)
	now := time.Now()
	if current != nil && every >= 0 && now.Before(entry.dueAt(l)) {
		return current, nil
	}
	if current == nil {
		entry.mu.Lock()
	} else if !entry.mu.TryLock() {
		return current, nil
	}
	defer entry.mu.Unlock()
	if latest := entry.latest(l); latest != current {
		return latest, nil // read by whoever held the lock
	}
	learned, err := learn(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	if current != nil && current.equal(learned) {
		learned = current
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if learned != current {
		l.count++
		learned.number = l.count
	}
	entry.lesson = learned
	entry.due = time.Now().Add(max(every, learnShare*time.Duration(len(l.tenants))*time.Since(now)))
	return learned, nil
}

// entry finds or makes the entry of a tenant, and forgets the one that was not used
// for longest when there are too many.
func (l *lessons) entry(tenantID string) (*studied, *lesson) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tenants == nil {
		l.tenants = make(map[string]*studied)
	}
	entry := l.tenants[tenantID]
	if entry == nil {
		entry = &studied{}
		l.tenants[tenantID] = entry
	}
	entry.used = time.Now()
	if len(l.tenants) > taughtTenants {
		oldest := tenantID
		for id, other := range l.tenants {
			if other.used.Before(l.tenants[oldest].used) {
				oldest = id
			}
		}
		delete(l.tenants, oldest)
	}
	return entry, entry.lesson
}

func (e *studied) dueAt(l *lessons) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.due
}

func (e *studied) latest(l *lessons) *lesson {
	l.mu.Lock()
	defer l.mu.Unlock()
	return e.lesson
}
