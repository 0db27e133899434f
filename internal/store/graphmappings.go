package store

import (
	"fmt"
	"sync"
	"time"
)

const (
	// mappingsRest is how many times as long as a look at a tenant's mappings took they are
	// not looked at again.
	mappingsRest = 20
	// mappingsLate is the most of that. It must be well below overlap: what a human edits
	// just after a look is found by the next one, and told by a delta from before.
	mappingsLate = overlap / 2
	// mappingsKept bounds the tenants whose last look is remembered.
	mappingsKept = 1000
)

// mappingState changes when a human changes, adds or deletes a mapping. What our runs do is
// told by their events as well.
type mappingState struct {
	prints [mappingBuckets]uint32
	times  int64 // the sum of the times of change, in seconds
	newest int64 // the largest of them
	// restless says that the next change may leave all of these as they are.
	restless bool
}

// mappingLooks are the last looks at the mappings of tenants. The zero value is empty.
type mappingLooks struct {
	// never looks each time; for tests, whose changes follow one another closely.
	never bool

	mu      sync.Mutex
	tenants map[string]mappingLook
}

type mappingLook struct {
	state mappingState
	until time.Time // by our own clock
}

func (l *mappingLooks) get(tenantID string) (mappingState, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	look, ok := l.tenants[tenantID]
	return look.state, ok && !l.never && time.Now().Before(look.until)
}

func (l *mappingLooks) keep(tenantID string, state mappingState, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tenants == nil || len(l.tenants) >= mappingsKept {
		l.tenants = map[string]mappingLook{}
	}
	l.tenants[tenantID] = mappingLook{state: state, until: time.Now().Add(min(mappingsRest*took-took, mappingsLate))}
}

// mappingState looks at the mappings of a tenant, or remembers the last look.
func (t *tx) mappingState(tenantID string, now time.Time) (mappingState, error) {
	if state, ok := t.store.looks.get(tenantID); ok {
		return state, nil
	}
	began := time.Now()
	var state mappingState
	var buckets []struct{ Bucket, Mappings, IDSum, Times, Newest int64 }
	_, err := t.query(&buckets, fmt.Sprintf("SELECT m.schema_id %% %d AS bucket, count(*) AS mappings, CAST(sum(m.id) AS bigint) AS id_sum, "+
		"CAST(COALESCE(sum(%[2]s), 0) AS bigint) AS times, COALESCE(max(%[2]s), 0) AS newest "+
		"FROM schema_mappings m JOIN schemas s ON s.id = m.schema_id WHERE s.tenant_id = ? AND s.type <> 'struct' GROUP BY 1",
		mappingBuckets, t.store.dialect.epoch("m.updated_at")), tenantID)
	if err != nil {
		return state, fmt.Errorf("count the mappings: %w", err)
	}
	for _, b := range buckets {
		state.prints[b.Bucket] = printOf(b.Mappings, b.IDSum)
		state.times += b.Times
		state.newest = max(state.newest, b.Newest)
	}
	if state.restless = isRestless(state.newest, now); !state.restless {
		t.store.looks.keep(tenantID, state, time.Since(began))
	}
	return state, nil
}
