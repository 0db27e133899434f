package store

import (
	"fmt"
	"sync"

	"github.com/schemacast/schemacast/internal/run"
)

// maxUnanswered bounds the memory that a long outage takes. A claim that is forgotten
// becomes stale and costs an attempt, no more.
const maxUnanswered = 10_000

// unansweredClaims remembers the calls of Claim that ended with an error although all
// was written: the answer to the commit was lost, so that the run may be ours, and
// nobody works on it. The next claim of the same schema by the same owner frees it
// first; without that it would find the run busy until its own heartbeat is stale.
type unansweredClaims struct {
	mu    sync.Mutex
	calls map[unansweredKey]string
}

type unansweredKey struct {
	schemaID int64
	owner    string
}

// keep remembers a call, if there is one.
func (u *unansweredClaims) keep(r run.ClaimRequest, call string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if call == "" || len(u.calls) >= maxUnanswered {
		return
	}
	if u.calls == nil {
		u.calls = make(map[unansweredKey]string)
	}
	u.calls[unansweredKey{r.SchemaID, r.Owner}] = call
}

// take forgets a call and returns it, empty when there is none.
func (u *unansweredClaims) take(r run.ClaimRequest) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := unansweredKey{r.SchemaID, r.Owner}
	call := u.calls[key]
	delete(u.calls, key)
	return call
}

// freeUnanswered gives a run back that is still as the unanswered call left it, if it
// did. The attempt does not count.
func (t *tx) freeUnanswered(r run.ClaimRequest, call string) error {
	if call == "" {
		return nil
	}
	var row runRow
	n, err := t.query(&row, "UPDATE schemacast_runs SET state = 'requested', owner = '', heartbeat_ms = 0, attempts = attempts - 1 "+
		"WHERE active_schema_id = ? AND state = 'running' AND owner = ? AND claim_id = ? RETURNING "+runColumns, r.SchemaID, r.Owner, call)
	if err != nil {
		return fmt.Errorf("free the run of an unanswered claim: %w", err)
	}
	if n == 0 {
		return nil
	}
	return t.endKeptAttempt(&row, attemptReleased, run.Failure{})
}
