package task

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// lookupBatch is how many ids are asked for in one round trip.
const lookupBatch = 1000

// Subject names a schema and the fence that its open run has, 0 without a run.
type Subject struct {
	SchemaID, Fence int64
}

// Standing is how the tasks of a schema stand in Redis.
type Standing struct {
	// Alive says that a task waits, for its turn or its time, or that a worker with a
	// valid lease works on it.
	Alive bool
	// Waits says that one of these waits. The others may be about to be acknowledged.
	Waits bool
	// PutAway is when the last of its archived tasks was archived, by the clock of
	// whoever did it and in whole seconds; zero when none is archived.
	PutAway time.Time
	// LastError is what that task had failed with before.
	LastError string
	blocked   []string
}

// Blocked says that a dead worker's task holds the plain id in a queue, until asynq
// recovers it.
func (s Standing) Blocked(queue string) bool { return slices.Contains(s.blocked, queue) }

// Inspector asks Redis about tasks. It changes nothing, but for Register. It is safe for
// concurrent use.
type Inspector struct {
	rdb redis.UniversalClient
	now func() time.Time
}

// NewInspector returns an inspector on a client, which must be as a Producer's.
func NewInspector(rdb redis.UniversalClient) (*Inspector, error) {
	if rdb == nil {
		return nil, errors.New("an inspector needs a redis client")
	}
	return &Inspector{rdb: rdb, now: time.Now}, nil
}

// Lookup returns the standing of each subject. The error is a *RedisError.
func (i *Inspector) Lookup(ctx context.Context, subjects []Subject) ([]Standing, error) {
	out := make([]Standing, len(subjects))
	var plain []probe
	for n, s := range subjects {
		plain = append(plain, probes(n, ID(s.SchemaID), true)...)
	}
	if err := i.ask(ctx, plain, out); err != nil {
		return nil, err
	}
	var swept []probe
	for n, s := range subjects {
		if out[n].Alive {
			continue
		}
		for _, id := range IDs(s.SchemaID, s.Fence)[1:] {
			swept = append(swept, probes(n, id, false)...)
		}
	}
	if err := i.ask(ctx, swept, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Waiting returns how many tasks of a queue are due and not taken up.
func (i *Inspector) Waiting(ctx context.Context, queue string) (int64, error) {
	n, err := i.rdb.LLen(ctx, prefix(queue)+"pending").Result()
	if err != nil {
		return 0, i.failed(err)
	}
	return n, nil
}

// Register makes the queues that exist visible to Asynqmon and asynq's Inspector. asynq
// itself does so once a process, so that they stay hidden after FLUSHALL.
func (i *Inspector) Register(ctx context.Context) error {
	for _, queue := range Queues() {
		names := append(keys(queue, "")[1:], prefix(queue)+"processed", prefix(queue)+"failed")
		n, err := i.rdb.Exists(ctx, names...).Result()
		if err == nil && n > 0 {
			err = i.rdb.SAdd(ctx, keyQueues, queue).Err()
		}
		if err != nil {
			return i.failed(err)
		}
	}
	return nil
}

func (i *Inspector) failed(err error) error { return &RedisError{Address: address(i.rdb), Err: err} }

// probe is one place where a task of a subject may be.
type probe struct {
	subject   int
	queue, id string
	plain     bool
}

func probes(subject int, id string, plain bool) []probe {
	out := make([]probe, 0, 2)
	for _, queue := range Queues() {
		out = append(out, probe{subject: subject, queue: queue, id: id, plain: plain})
	}
	return out
}

// ask looks at the places and adds what is found to the standings.
func (i *Inspector) ask(ctx context.Context, places []probe, out []Standing) error {
	for batch := range slices.Chunk(places, lookupBatch) {
		archived, err := i.askStates(ctx, batch, out)
		if err == nil {
			err = i.askArchived(ctx, archived, out)
		}
		if err != nil {
			return i.failed(err)
		}
	}
	return nil
}

// askStates returns the archived ones, for which there is more to ask.
func (i *Inspector) askStates(ctx context.Context, places []probe, out []Standing) (archived []probe, err error) {
	pipe := i.rdb.Pipeline()
	states := make([]*redis.StringCmd, len(places))
	lengths := make([]*redis.IntCmd, len(places))
	leases := make([]*redis.FloatCmd, len(places))
	for n, p := range places {
		k := keys(p.queue, p.id)
		states[n] = pipe.HGet(ctx, k[0], "state")
		lengths[n] = pipe.HStrLen(ctx, k[0], "msg")
		leases[n] = pipe.ZScore(ctx, k[3], p.id)
	}
	if err := execute(ctx, pipe); err != nil {
		return nil, err
	}
	now := float64(i.now().Unix())
	for n, p := range places {
		s := &out[p.subject]
		if lengths[n].Val() == 0 {
			continue // nothing, or remains that a producer would replace
		}
		switch states[n].Val() {
		case "pending", "scheduled", "retry":
			s.Alive, s.Waits = true, true
		case "active":
			switch {
			case leases[n].Val() >= now:
				s.Alive = true
			case p.plain:
				s.blocked = append(s.blocked, p.queue)
			}
		case "archived":
			archived = append(archived, p)
		}
	}
	return archived, nil
}

func (i *Inspector) askArchived(ctx context.Context, places []probe, out []Standing) error {
	pipe := i.rdb.Pipeline()
	times := make([]*redis.FloatCmd, len(places))
	messages := make([]*redis.StringCmd, len(places))
	for n, p := range places {
		k := keys(p.queue, p.id)
		times[n], messages[n] = pipe.ZScore(ctx, k[6], p.id), pipe.HGet(ctx, k[0], "msg")
	}
	if len(places) == 0 {
		return nil
	}
	if err := execute(ctx, pipe); err != nil {
		return err
	}
	for n, p := range places {
		at := time.Unix(int64(times[n].Val()), 0)
		// An archived task that is in no set, as asynq's Inspector leaves some, was put
		// away once; when is not known.
		if s := &out[p.subject]; times[n].Err() == nil && at.After(s.PutAway) {
			m, _ := decodeMessage([]byte(messages[n].Val())) // a damaged one says nothing
			s.PutAway, s.LastError = at, m.LastError
		}
	}
	return nil
}

// execute runs a pipeline. What single commands say about single tasks, that one is
// absent or holds something else, is theirs; the error is of the connection or of the
// whole server.
func execute(ctx context.Context, pipe redis.Pipeliner) error {
	cmds, err := pipe.Exec(ctx)
	if err == nil {
		return nil
	}
	for _, cmd := range cmds {
		err := cmd.Err()
		if err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "WRONGTYPE") {
			return err
		}
	}
	return nil
}
