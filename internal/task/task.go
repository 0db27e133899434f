// Package task is the wire contract between those who ask for an analysis and the
// workers: the AnalyzeSchema task, its payload and its place in Redis.
//
// It encodes the message byte for byte as asynq v0.26 does and enqueues it with one
// Lua script (enqueue.lua), which is the same for Go and PHP; testdata/vectors.json
// holds the bytes that every producer must make.
//
// It guarantees that enqueueing is idempotent: asked any number of times, by any
// number of producers, a schema has one waiting task, and that task is due now. It
// does not promise that a task survives Redis; the database row does that, see
// package run.
package task

import (
	"strconv"
	"strings"
	"time"
)

// Type is asynq's type of the task.
const Type = "schema:analyze"

// The queues. Each is consumed by an asynq server of its own, so that a backfill
// never holds a slot that somebody waits for.
const (
	QueueInteractive = "schemas"
	QueueBackfill    = "schemas-backfill"
)

// The limits that every task carries.
const (
	// MaxRetry is asynq's budget. It is only a bound against endless loops: the
	// budget that counts is the run's, and snoozing uses this one up as well.
	MaxRetry = 1000
	// Timeout is how long asynq lets one attempt take.
	Timeout = 10 * time.Minute
)

// The headers of a task.
const (
	HeaderTraceparent = "traceparent" // W3C trace context
	HeaderProducer    = "producer"    // who enqueued: program/version
)

// Queues returns the names of all queues.
func Queues() []string { return []string{QueueInteractive, QueueBackfill} }

// ID returns the id of the task of a schema. One id a schema makes Redis refuse a
// second waiting task.
func ID(schemaID int64) string {
	return Type + ":" + strconv.FormatInt(schemaID, 10)
}

// SweepID returns the id that the sweeper uses for a run at a fence, or at 0 for a row
// without a run. A dead worker's task stays active for up to two minutes and blocks the
// plain id, so the sweeper needs another one, and only one for each ownership that was
// lost. Where the plain id is free the sweeper uses that.
func SweepID(schemaID, fence int64) string {
	return ID(schemaID) + ":" + strconv.FormatInt(fence, 10)
}

// sweptFences is for how many of its last fences the sweeper's tasks of a schema are
// looked for: while a task is snoozed again and again, its run's fence runs ahead of
// the one in its id. An older one does not matter any more, since asynq has brought the
// plain id back meanwhile, which it stood in for.
const sweptFences = 16

// IDs returns the ids that a task of a schema may have whose run is at a fence, the
// plain one first.
func IDs(schemaID, fence int64) []string {
	out := []string{ID(schemaID)}
	for f := max(0, fence-sweptFences+1); f <= fence; f++ {
		out = append(out, SweepID(schemaID, f))
	}
	return out
}

// belongs says whether id is a task id of the schema, plain or the sweeper's.
func belongs(id string, schemaID int64) bool {
	rest, ok := strings.CutPrefix(id, ID(schemaID))
	if !ok || rest == "" {
		return ok
	}
	fence, err := strconv.ParseInt(strings.TrimPrefix(rest, ":"), 10, 64)
	return err == nil && id == SweepID(schemaID, fence) && fence >= 0
}

func knownQueue(name string) bool {
	return name == QueueInteractive || name == QueueBackfill
}
