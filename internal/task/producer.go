package task

import (
	"context"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"
)

// The keys of asynq that a producer touches.
const (
	keyQueues = "asynq:queues"
	// The order is that of KEYS in enqueue.lua, after the task itself.
	keyParts = 7
)

//go:embed enqueue.lua
var enqueueScript string

var traceparentPattern = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// Request asks for one task.
type Request struct {
	Payload

	// Queue is QueueInteractive or QueueBackfill. Defaults to QueueInteractive.
	Queue string
	// TaskID is ID(SchemaID) or a SweepID of the same schema. Defaults to the former.
	TaskID string
	// Traceparent continues the caller's trace. One that is not of the W3C's form is
	// left out: no analysis fails because of its trace.
	Traceparent string
}

// Outcome is what became of a request. Every one but the empty is a success: the
// task waits or runs.
type Outcome string

// The outcomes of a request.
const (
	// Unknown: there was an error; the task may or may not be there.
	Unknown Outcome = ""
	// AlreadyQueued: the task waits or runs already; nothing was changed.
	AlreadyQueued Outcome = "already_queued"
	// Enqueued: there was no task of this id.
	Enqueued Outcome = "enqueued"
	// Replaced: an archived or completed task was replaced.
	Replaced Outcome = "replaced"
	// Promoted: a task that waited for its retry or its time is due now.
	Promoted Outcome = "promoted"
	// Repaired: remains of a task, which could never have run, were replaced.
	Repaired Outcome = "repaired"
)

// outcomes are the results of enqueue.lua.
var outcomes = [...]Outcome{AlreadyQueued, Enqueued, Replaced, Promoted, Repaired}

// ProducerConfig has the settings of a Producer.
type ProducerConfig struct {
	// Name says who enqueues, as program/version; at most 100 bytes. Workers log
	// it. Defaults to "go".
	Name string
	// Batch is the number of tasks in one round trip. Defaults to 500, which gave
	// ten times the rate of single calls and keeps Redis busy for some 10 ms.
	Batch int
	// Now is the clock of pending_since. Defaults to time.Now.
	Now func() time.Time
}

// Producer puts tasks into Redis. It is safe for concurrent use.
type Producer struct {
	rdb redis.UniversalClient
	sha string
	cfg ProducerConfig
}

// NewProducer returns a producer on a client, whose connection must have neither a
// key prefix nor a serializer. It does not connect.
func NewProducer(rdb redis.UniversalClient, cfg ProducerConfig) (*Producer, error) {
	if cfg.Name == "" {
		cfg.Name = "go"
	}
	if cfg.Batch == 0 {
		cfg.Batch = 500
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if !utf8.ValidString(cfg.Name) || len(cfg.Name) > 100 {
		return nil, fmt.Errorf("producer name %q: want valid UTF-8 of at most 100 bytes", excerpt(cfg.Name))
	}
	if cfg.Batch < 0 {
		return nil, fmt.Errorf("producer batch %d: want 1 or more", cfg.Batch)
	}
	return &Producer{rdb: rdb, sha: redis.NewScript(enqueueScript).Hash(), cfg: cfg}, nil
}

// Enqueue puts the tasks of all requests into their queues and returns an outcome
// for each. A request that is wrong in itself fails the whole call before anything
// is sent (*PayloadError or a plain error). When Redis fails, the error is a
// *RedisError and outcomes tell which tasks are known to be there; the same call may
// simply be made again.
func (p *Producer) Enqueue(ctx context.Context, reqs ...Request) ([]Outcome, error) {
	calls := make([]call, len(reqs))
	for i, req := range reqs {
		var err error
		if calls[i], err = p.prepare(req); err != nil {
			return make([]Outcome, len(reqs)), fmt.Errorf("enqueue schema %d: %w", req.SchemaID, err)
		}
	}
	done := make([]Outcome, 0, len(reqs))
	var failure error
	for batch := range slices.Chunk(calls, p.cfg.Batch) {
		got, err := p.send(ctx, batch)
		done = append(done, got...)
		if err != nil {
			failure = &RedisError{Address: address(p.rdb), Err: err}
			break // what is down stays down for the next batch
		}
	}
	return append(done, make([]Outcome, len(reqs)-len(done))...), failure
}

// call is a request, ready to be sent.
type call struct {
	queue string
	keys  []string
	args  []any
}

func (p *Producer) prepare(req Request) (call, error) {
	if req.Queue == "" {
		req.Queue = QueueInteractive
	}
	if req.TaskID == "" {
		req.TaskID = ID(req.SchemaID)
	}
	if !knownQueue(req.Queue) {
		return call{}, fmt.Errorf("no worker reads the queue %q; use %q or %q", excerpt(req.Queue), QueueInteractive, QueueBackfill)
	}
	payload, err := req.Encode()
	if err != nil {
		return call{}, err
	}
	if !belongs(req.TaskID, req.SchemaID) {
		return call{}, fmt.Errorf("task id %q is not of this schema; use ID or SweepID", excerpt(req.TaskID))
	}
	headers := map[string]string{HeaderProducer: p.cfg.Name}
	if traceparentPattern.MatchString(req.Traceparent) {
		headers[HeaderTraceparent] = req.Traceparent
	}
	msg := message{
		Type: Type, Payload: payload, ID: req.TaskID, Queue: req.Queue,
		Retry: MaxRetry, Timeout: int64(Timeout / time.Second), Headers: headers,
	}
	return call{
		queue: req.Queue,
		keys:  keys(req.Queue, req.TaskID),
		args:  []any{msg.encode(), req.TaskID, p.cfg.Now().UnixNano()},
	}, nil
}

// keys returns the KEYS of enqueue.lua.
func keys(queue, id string) []string {
	out := make([]string, 0, keyParts+1)
	out = append(out, taskKeys(queue)+id)
	for _, name := range [keyParts]string{"pending", "active", "lease", "scheduled", "retry", "archived", "completed"} {
		out = append(out, prefix(queue)+name)
	}
	return out
}

// prefix returns what the names of a queue's keys begin with.
func prefix(queue string) string { return "asynq:{" + queue + "}:" }

// taskKeys returns what the names of the keys of its tasks begin with.
func taskKeys(queue string) string { return prefix(queue) + "t:" }

// send makes one round trip, and a second one for the scripts that Redis had
// forgotten: after its restart, a failover or SCRIPT FLUSH.
func (p *Producer) send(ctx context.Context, calls []call) ([]Outcome, error) {
	got := make([]Outcome, len(calls))
	todo := make([]int, len(calls))
	for i := range todo {
		todo[i] = i
	}
	forgotten, err := p.roundTrip(ctx, calls, todo, got, func(pipe redis.Pipeliner, c call) *redis.Cmd {
		return pipe.EvalSha(ctx, p.sha, c.keys, c.args...)
	})
	if len(forgotten) == 0 {
		return got, err
	}
	_, again := p.roundTrip(ctx, calls, forgotten, got, func(pipe redis.Pipeliner, c call) *redis.Cmd {
		return pipe.Eval(ctx, enqueueScript, c.keys, c.args...)
	})
	return got, firstError(err, again)
}

// roundTrip pipelines the calls of todo, fills in their outcomes, and returns those
// that Redis did not know the script for together with the first other error.
func (p *Producer) roundTrip(ctx context.Context, calls []call, todo []int, got []Outcome,
	run func(redis.Pipeliner, call) *redis.Cmd,
) (forgotten []int, err error) {
	pipe := p.rdb.Pipeline()
	// The set goes first, and with every batch: without it a queue works but is
	// invisible to Inspector and Asynqmon, and FLUSHALL may have taken it.
	var sets []*redis.IntCmd
	for _, queue := range queuesOf(calls, todo) {
		sets = append(sets, pipe.SAdd(ctx, keyQueues, queue))
	}
	cmds := make([]*redis.Cmd, len(todo))
	for i, n := range todo {
		cmds[i] = run(pipe, calls[n])
	}
	// Commands carry their own errors, but none of them when no connection could be
	// made, for example for a wrong password.
	if _, err = pipe.Exec(ctx); redis.HasErrorPrefix(err, "NOSCRIPT") {
		err = nil
	}
	for _, set := range sets {
		err = firstError(err, set.Err())
	}
	for i, cmd := range cmds {
		result, cmdErr := cmd.Int()
		switch {
		case redis.HasErrorPrefix(cmdErr, "NOSCRIPT"):
			forgotten = append(forgotten, todo[i])
		case cmdErr != nil: // also "unexpected type" where no answer came
			err = firstError(err, cmdErr)
		case result < 0 || result >= len(outcomes):
			err = firstError(err, fmt.Errorf("the script answered %d", result))
		default:
			got[todo[i]] = outcomes[result]
		}
	}
	return forgotten, err
}

// firstError returns the first error that is one.
func firstError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func queuesOf(calls []call, todo []int) []string {
	var names []string
	for _, n := range todo {
		if !slices.Contains(names, calls[n].queue) {
			names = append(names, calls[n].queue)
		}
	}
	return names
}
