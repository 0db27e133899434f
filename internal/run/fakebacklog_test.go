package run

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
)

// fakeBacklog is a SweepStore in memory. Its orphans are those runs of a fakeStore that
// nobody owns, and what a test adds.
type fakeBacklog struct {
	mu        sync.Mutex
	orphans   []Orphan
	forgotten []Orphan
	abandoned map[int64]time.Time
	leases    map[string]string
	prunable  int64
	err       error
	pages     int
	swept     chan struct{}
}

func newFakeBacklog(orphans ...Orphan) *fakeBacklog {
	return &fakeBacklog{orphans: orphans, abandoned: map[int64]time.Time{}, leases: map[string]string{}, swept: make(chan struct{}, 1000)}
}

func (b *fakeBacklog) Lead(_ context.Context, job, owner string, _ time.Duration) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return false, b.err
	}
	if b.leases[job] == "" {
		b.leases[job] = owner
	}
	return b.leases[job] == owner, nil
}

func (b *fakeBacklog) Resign(_ context.Context, job, owner string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.leases[job] == owner {
		delete(b.leases, job)
	}
	return nil
}

func (b *fakeBacklog) Orphans(_ context.Context, after *Orphan, _ time.Duration, limit int) ([]Orphan, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages++
	from := 0
	if after != nil {
		// After the last one of a page, or before all of the backfill.
		from = slices.IndexFunc(b.orphans, func(o Orphan) bool { return o.SchemaID == after.SchemaID || after.SchemaID == 0 && o.Backfill })
		if after.SchemaID != 0 {
			from++
		}
	}
	return slices.Clone(b.orphans[from:min(from+limit, len(b.orphans))]), b.err
}

func (b *fakeBacklog) Forgotten(_ context.Context, after int64, _ time.Duration, limit int) ([]Orphan, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var page []Orphan
	for _, o := range b.forgotten {
		if o.SchemaID > after && len(page) < limit {
			page = append(page, o)
		}
	}
	if len(page) < limit {
		b.swept <- struct{}{}
	}
	return page, b.err
}

func (b *fakeBacklog) Requested(_ context.Context, schemaIDs []int64) ([]Orphan, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var open []Orphan
	for _, o := range b.orphans {
		if slices.Contains(schemaIDs, o.SchemaID) {
			open = append(open, o)
		}
	}
	return open, b.err
}

func (b *fakeBacklog) Abandon(_ context.Context, o Orphan, putAway time.Time, f Failure) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.Code != CodeTaskArchived || f.Text == "" {
		return false, fmt.Errorf("abandoned with %+v", f)
	}
	b.abandoned[o.SchemaID] = putAway
	return true, nil
}

func (b *fakeBacklog) Prune(context.Context, Retention) (Pruned, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(b.prunable, 100)
	b.prunable -= n
	return Pruned{Events: n}, b.err
}

// orphans makes n of them, from an id on.
func orphans(from, n int64, backfill bool) []Orphan {
	var out []Orphan
	for id := from; id < from+n; id++ {
		out = append(out, Orphan{SchemaID: id, TenantID: "t1", RunID: fmt.Sprint(id), Backfill: backfill, Requested: time.Now().Add(-time.Minute)})
	}
	return out
}

func newSweeper(t *testing.T, store SweepStore, opts redis.UniversalOptions, cfg SweeperConfig) *Sweeper {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	client := NewRedis(opts)
	t.Cleanup(func() { _ = client.Close() })
	s, err := NewSweeper(store, client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sweepOnce(t *testing.T, s *Sweeper) Sweep {
	t.Helper()
	done, err := s.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// deadTask leaves the task of a schema as a worker does that is killed.
func deadTask(t *testing.T, opts redis.UniversalOptions, id int64) {
	t.Helper()
	enqueue(t, opts, task.QueueInteractive, id)
	client := redis.NewClient(&redis.Options{Addr: opts.Addrs[0]})
	defer client.Close() //nolint:errcheck // each command was checked
	pipe := client.Pipeline()
	name, key := task.ID(id), "asynq:{schemas}:"
	pipe.LRem(t.Context(), key+"pending", 0, name)
	pipe.LPush(t.Context(), key+"active", name)
	pipe.HSet(t.Context(), key+"t:"+name, "state", "active")
	pipe.ZAdd(t.Context(), key+"lease", redis.Z{Score: float64(time.Now().Add(-time.Second).Unix()), Member: name})
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func archiveTask(t *testing.T, opts redis.UniversalOptions, id int64) {
	t.Helper()
	enqueue(t, opts, task.QueueInteractive, id)
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: opts.Addrs[0]})
	defer inspector.Close() //nolint:errcheck // the command was checked
	if err := inspector.ArchiveTask(task.QueueInteractive, task.ID(id)); err != nil {
		t.Fatal(err)
	}
}

// pendingIDs returns what waits in a queue, the next one last.
func pendingIDs(t *testing.T, opts redis.UniversalOptions, queue string) []string {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: opts.Addrs[0]})
	defer client.Close() //nolint:errcheck // nothing was written
	ids, err := client.LRange(t.Context(), "asynq:{"+queue+"}:pending", 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	return ids
}
