package task

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed repair.lua
var repairScript string

//go:embed trim.lua
var trimScript string

// The measures of one round.
const (
	// longestMessage is far above what a producer of ours may send. asynq rewrites the
	// payload of every active task each five seconds, so a long one hurts all others.
	longestMessage = 64 << 10
	// archivedMost is far below the 8,000 or so at which asynq's archiving breaks.
	archivedMost = 5000
	trimBatch    = 500
)

// RepairerConfig has the measures of a Repairer.
type RepairerConfig struct {
	// Window is how many ids of each list one round looks at; the next one goes on from
	// there. Active tasks and leases are looked at whole, up to ten windows, and so is
	// the end of the queue that comes next. Defaults to 2000.
	Window int
	// Scan is how many keys of the whole database one round walks over, in search of
	// tasks that are in no list. Defaults to 20000.
	Scan int
	// Repairs bounds the repairs of one round and queue. Defaults to 10000.
	Repairs int
	// Quarantine is how many tasks a queue's quarantine holds, the newest. Defaults to
	// 1000.
	Quarantine int
}

func (c RepairerConfig) withDefaults() RepairerConfig {
	for value, fallback := range map[*int]int{&c.Window: 2000, &c.Scan: 20_000, &c.Repairs: 10_000, &c.Quarantine: 1000} {
		if *value <= 0 {
			*value = fallback
		}
	}
	return c
}

// Repairer looks for what asynq v0.26 trips over or forgets, and puts it right: messages
// that nobody can decode, which end the recovery of all other tasks; ids without a task,
// which break Asynqmon; tasks in no list, which nobody would ever work on.
//
// What can not be read goes to a quarantine of its queue, the newest thousand of it, for
// an operator to look at:
//
//	ZRANGE schemacast:quarantine:{schemas} 0 -1 WITHSCORES   ids, and when (unix seconds)
//	HGETALL schemacast:quarantine:{schemas}:t:ID             the task as it was, and quarantine_reason
//
// There is nothing to put back: the analysis that the task asked for is in the database,
// and the sweeper queues it again. DEL both kinds of keys when the producer is mended.
//
// Every repair is a script that looks again before it writes, so that it can not race
// with a worker, and any number of repairers may work at the same time. On a Redis
// Cluster tasks that are in no list are not searched for.
type Repairer struct {
	rdb redis.UniversalClient
	cfg RepairerConfig
	now func() time.Time
	// The scripts find out by themselves what Redis has forgotten.
	repair, trim *redis.Script

	mu      sync.Mutex
	offsets map[string]int64 // of the windows, by key
	cursor  uint64           // of the scan
}

// NewRepairer returns a repairer on a client, which must be as a Producer's.
func NewRepairer(rdb redis.UniversalClient, cfg RepairerConfig) (*Repairer, error) {
	if rdb == nil {
		return nil, errors.New("a repairer needs a redis client")
	}
	return &Repairer{
		rdb: rdb, cfg: cfg.withDefaults(), now: time.Now,
		repair: redis.NewScript(repairScript), trim: redis.NewScript(trimScript),
		offsets: map[string]int64{},
	}, nil
}

// Findings counts what a round put right.
type Findings struct {
	Quarantined int // could not be read, and is kept for an operator
	Ghosts      int // ids without a task
	Remains     int // tasks that lost their message
	Requeued    int // whole tasks that no list knew; they wait again
	Leased      int // active tasks without a lease
	Leftovers   int // archived or completed tasks that no list knew
	Misplaced   int // ids in a second list
	Trimmed     int // archived tasks beyond what asynq bears
	// Bad names some of those that were quarantined.
	Bad []BadTask
	// Paused are the queues that somebody has paused. It is not touched.
	Paused []string
}

// BadTask is a task that was quarantined.
type BadTask struct {
	Queue, ID string
	Reason    string // completes the sentence "its message ..."
}

// maxBad is how many bad tasks a round names.
const maxBad = 10

// Any says whether anything was put right.
func (f Findings) Any() bool {
	return f.Quarantined+f.Ghosts+f.Remains+f.Requeued+f.Leased+f.Leftovers+f.Misplaced+f.Trimmed > 0
}

// Add adds the counts of another round.
func (f *Findings) Add(other Findings) {
	f.Quarantined += other.Quarantined
	f.Ghosts += other.Ghosts
	f.Remains += other.Remains
	f.Requeued += other.Requeued
	f.Leased += other.Leased
	f.Leftovers += other.Leftovers
	f.Misplaced += other.Misplaced
	f.Trimmed += other.Trimmed
}

// Examine makes one round through both queues. With an error, a *RedisError, it tells
// what it did until then; the rest is for the next round.
func (r *Repairer) Examine(ctx context.Context) (Findings, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found Findings
	rounds := map[string]*round{}
	for _, queue := range Queues() {
		it := &round{Repairer: r, queue: queue, left: r.cfg.Repairs, found: &found}
		rounds[taskKeys(queue)] = it
		if err := it.lists(ctx); err != nil {
			return found, &RedisError{Address: address(r.rdb), Err: err}
		}
	}
	if err := r.scan(ctx, rounds); err != nil {
		return found, &RedisError{Address: address(r.rdb), Err: err}
	}
	return found, nil
}

// scan walks a part of all keys, for tasks that are in no list.
func (r *Repairer) scan(ctx context.Context, rounds map[string]*round) error {
	if _, cluster := r.rdb.(*redis.ClusterClient); cluster {
		return nil // each call would be answered by another node, with a cursor of its own
	}
	const page = 1000
	for walked := 0; walked < r.cfg.Scan; walked += page {
		names, next, err := r.rdb.Scan(ctx, r.cursor, "asynq:{*}:t:*", page).Result()
		if err != nil {
			return err
		}
		r.cursor = next
		byQueue := map[string][]string{}
		for _, name := range names {
			for begin := range rounds {
				if id, ok := strings.CutPrefix(name, begin); ok {
					byQueue[begin] = append(byQueue[begin], id)
				}
			}
		}
		for begin, ids := range byQueue {
			if err := rounds[begin].strays(ctx, ids); err != nil {
				return err
			}
		}
		if next == 0 {
			return nil
		}
	}
	return nil
}
