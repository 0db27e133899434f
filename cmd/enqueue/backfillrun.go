package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/schemacast/schemacast/internal/failpoint"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

const (
	// backfillPage is how many runs one transaction opens: some 50 ms, for which a claim
	// of one of the same rows would wait.
	backfillPage = 2000
	// backfillAhead is how many pages may be in the database before their tasks are in
	// Redis.
	backfillAhead = 2
	// pagesPerSecond is into how many pages a rate is divided.
	pagesPerSecond = 4
	// redisPause is how long the command leaves Redis alone that did not answer.
	redisPause = 5 * time.Second
	// databasePatience is how long it waits for a database that does not answer.
	databasePatience = time.Minute
	// lastWords is how long it takes to note how far it came, at the end.
	lastWords = 10 * time.Second
)

// filler carries a backfill out. One goroutine opens runs in the database, a second one
// puts their tasks into Redis.
type filler struct {
	*app
	owner     string
	b         store.Backfill // belongs to the goroutine that fills
	runQueue  string         // the queue's name in runs
	queue     string
	page      int
	limiter   *rate.Limiter // nil for no limit
	room      *room
	inspector *task.Inspector
	progress  progress
	watch     bool
	began     time.Time
	before    int64 // runs that were opened before this process began

	queued atomic.Int64 // the id up to which tasks are known to be in Redis
	sender sender
}

// batch is a page whose runs are in the database.
type batch struct {
	rows []store.BackfillRow
	upTo int64
	// suspect says that another page may have come before, of which nothing is known.
	suspect bool
}

func newFiller(a *app, c *backfillCmd, owner string, b store.Backfill) (*filler, error) {
	inspector, err := task.NewInspector(a.redis)
	if err != nil {
		return nil, err
	}
	f := &filler{
		app: a, owner: owner, b: b, runQueue: b.Queue, queue: b.Queue, page: backfillPage, inspector: inspector, watch: c.Watch,
		before: b.Opened,
		began:  time.Now(), progress: newProgress(a, b.Total, "analyses"),
	}
	if f.queue == "" {
		f.queue = task.QueueInteractive
	}
	if c.Rate > 0 {
		f.page = int(min(backfillPage, max(1, float64(c.Rate)/pagesPerSecond)))
		f.limiter = rate.NewLimiter(rate.Limit(c.Rate), f.page)
	}
	if c.MaxPending > 0 {
		f.room = &room{filler: f, most: c.MaxPending, waiting: c.MaxPending}
	}
	f.queued.Store(b.Queued)
	f.sender = sender{filler: f, behind: b.Queued < b.After}
	return f, nil
}

// run goes on until the end, or until ctx ends.
func (f *filler) run(ctx context.Context) error {
	batches, sent := make(chan batch, backfillAhead), make(chan struct{})
	go func() {
		defer close(sent)
		// What is in the database gets its tasks, interrupted or not.
		f.sender.run(context.WithoutCancel(ctx), batches)
	}()
	err := f.fill(ctx, batches)
	close(batches)
	<-sent
	if ctx.Err() == nil && err == nil {
		f.sender.catchUp(ctx, f.b.After)
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer stop()
	b, saveErr := f.store.SaveBackfill(last, f.owner, f.queued.Load())
	if saveErr == nil {
		f.b = b
	}
	f.progress.end(f.b)
	if cause := context.Cause(ctx); errors.Is(cause, store.ErrBackfillTaken) {
		err = cause
	}
	if err == nil {
		err = saveErr
	}
	return f.conclude(ctx, err)
}

// fill opens the runs.
func (f *filler) fill(ctx context.Context, batches chan<- batch) error {
	for !f.b.Exhausted() {
		limit, err := f.next(ctx)
		if err != nil {
			return err
		}
		stored, err := f.storePage(ctx, limit)
		if err != nil {
			return err
		}
		batches <- stored // the sender takes everything, also at the end
		f.progress.show(f.b, "")
		if f.room != nil {
			f.room.waiting += int64(len(stored.rows))
		}
		if f.limiter != nil && len(stored.rows) > 0 {
			if err := f.limiter.WaitN(ctx, len(stored.rows)); err != nil {
				return err
			}
		}
	}
	return nil
}

// storePage opens the runs of the next page. It tries again for a while when the database
// does not answer; whether it did what it was asked for before is not known then.
func (f *filler) storePage(ctx context.Context, limit int) (batch, error) {
	begun := time.Now()
	for suspect := false; ; suspect = true {
		b, rows, err := f.store.BackfillPage(ctx, f.owner, limit, f.queued.Load())
		if err == nil {
			f.b = b
			failpoint.Reach("enqueue.page-stored")
			return batch{rows: rows, upTo: b.After, suspect: suspect}, nil
		}
		if !errors.Is(err, run.ErrUnavailable) || ctx.Err() != nil || time.Since(begun) > databasePatience {
			return batch{}, err
		}
		if !suspect {
			f.progress.note("%s; trying again for %s", err, databasePatience)
		}
		if err := sleep(ctx, time.Second); err != nil {
			return batch{}, err
		}
	}
}

// next is how large the next page may be. It waits while there is no room.
func (f *filler) next(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if f.room == nil {
		return f.page, nil
	}
	return f.room.wait(ctx)
}

// room is what --max-pending leaves.
type room struct {
	*filler
	most int64
	// waiting is how many waited at the last count, and what was added since.
	waiting int64
}

// wait returns as soon as there is room for a page, or for a tenth of what may wait.
func (r *room) wait(ctx context.Context) (int, error) {
	want := min(int64(r.page), max(1, r.most/10))
	for {
		if r.most-r.waiting >= want {
			return int(min(int64(r.page), r.most-r.waiting)), nil
		}
		if err := r.count(ctx); err != nil {
			return 0, err
		}
		if r.most-r.waiting >= want {
			continue
		}
		r.progress.show(r.b, "waits for the workers")
		if err := sleep(ctx, time.Second); err != nil {
			return 0, err
		}
	}
}

// count takes the larger of two numbers: each task in Redis has its run in the database,
// but for what the app queued by itself.
func (r *room) count(ctx context.Context) error {
	inDatabase, err := r.store.Waiting(ctx, r.b.Queue, r.most+int64(r.page))
	if err != nil {
		return err
	}
	r.waiting = inDatabase
	if inRedis, err := r.inspector.Waiting(ctx, r.queue); err == nil { // the database knows enough
		r.waiting = max(r.waiting, inRedis)
	}
	return nil
}

// sender puts tasks into Redis. It is behind after Redis did not answer; then it takes
// what is missing from the database, once Redis is back.
type sender struct {
	*filler
	behind  bool
	tried   time.Time
	problem error // why it is behind
	tasks   int64 // that were put into Redis
	already int64 // that were there
}

func (s *sender) run(ctx context.Context, batches <-chan batch) {
	for b := range batches {
		s.behind = s.behind || b.suspect
		switch {
		case !s.behind:
			s.send(ctx, b.rows, b.upTo)
		case time.Since(s.tried) >= redisPause:
			s.catchUp(ctx, b.upTo)
		}
	}
}

// send returns false when Redis does not answer.
func (s *sender) send(ctx context.Context, rows []store.BackfillRow, upTo int64) bool {
	requests := make([]task.Request, len(rows))
	for i, row := range rows {
		requests[i] = task.Request{Payload: task.PayloadOf(row.SchemaID, row.TenantID), Queue: s.queue}
	}
	outcomes, err := s.producer.Enqueue(ctx, requests...)
	for _, outcome := range outcomes {
		switch outcome {
		case task.Unknown:
		case task.AlreadyQueued:
			s.already++
		default:
			s.tasks++
		}
	}
	if err != nil {
		if s.problem == nil {
			s.progress.note("%s; the analyses are stored all the same, and their tasks follow when Redis is back", err)
		}
		s.behind, s.problem, s.tried = true, err, time.Now()
		return false
	}
	failpoint.Reach("enqueue.page-queued")
	s.queued.Store(upTo)
	return true
}

// catchUp makes the tasks of all runs up to an id that are not known to have one.
func (s *sender) catchUp(ctx context.Context, upTo int64) {
	for s.behind && ctx.Err() == nil {
		rows, err := s.store.BackfillUnqueued(ctx, s.runQueue, s.queued.Load(), upTo, backfillPage)
		if err != nil {
			s.problem, s.tried = err, time.Now()
			return
		}
		last := upTo
		if len(rows) == backfillPage {
			last = rows[len(rows)-1].SchemaID
		}
		if !s.send(ctx, rows, last) {
			return
		}
		if last == upTo {
			if s.problem != nil {
				s.progress.note("Redis answers again, and has the tasks")
			}
			s.behind, s.problem = false, nil
		}
	}
}
