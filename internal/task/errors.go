package task

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// PayloadError says that the payload can not be used, now or later. Its producer has
// to be mended.
type PayloadError struct {
	// SchemaID is the schema that the payload is about, so that its run can be
	// failed; 0 when even that could not be read.
	SchemaID int64
	// Reason completes the sentence "task payload ...".
	Reason string
}

func (e *PayloadError) Error() string { return "task payload " + e.Reason }

// VersionError says that the payload is of a version that this build does not know.
type VersionError struct {
	Version  int64
	SchemaID int64
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("task payload of schema %d has version %d, this worker knows %d; deploy a worker that knows it",
		e.SchemaID, e.Version, Version)
}

func withSchema(err error, schemaID int64) error {
	var e *PayloadError
	if errors.As(err, &e) {
		e.SchemaID = schemaID
	}
	return err
}

// RedisError says that Redis did not take the tasks. Asking again is always safe.
type RedisError struct {
	// Address is where Redis was asked, without user and password.
	Address string
	Err     error
}

func (e *RedisError) Error() string {
	if errors.Is(e.Err, context.Canceled) {
		return "enqueue at Redis " + e.Address + ": " + e.Err.Error()
	}
	for _, known := range redisAnswers {
		if redis.HasErrorPrefix(e.Err, known.prefix) || known.prefix == "NOPERM" && forbiddenInScript(e.Err) {
			return fmt.Sprintf("Redis at %s %s: %v; %s", e.Address, known.what, e.Err, known.cure)
		}
	}
	var answer redis.Error
	if errors.As(e.Err, &answer) {
		return fmt.Sprintf("Redis at %s refused the task: %v", e.Address, e.Err)
	}
	if cure := handshakeCure(e.Err); cure != "" {
		return fmt.Sprintf("Redis at %s does not answer: %v; %s", e.Address, e.Err, cure)
	}
	return fmt.Sprintf("Redis at %s does not answer: %v; start it, or correct REDIS_URL or REDIS_HOST and REDIS_PORT", e.Address, e.Err)
}

func (e *RedisError) Unwrap() error { return e.Err }

// forbiddenInScript recognises how Redis 7.0 says NOPERM about a command inside of a
// script.
func forbiddenInScript(err error) bool {
	return redis.HasErrorPrefix(err, "The user executing the script can't")
}

// redisAnswers are the refusals that an operator can do something about.
var redisAnswers = []struct{ prefix, what, cure string }{
	{"NOAUTH", "wants a password", "set REDIS_PASSWORD"},
	{"WRONGPASS", "refused the password", "correct REDIS_USERNAME and REDIS_PASSWORD"},
	{"NOPERM", "forbids the user to enqueue", "grant it @read, @write and @scripting on the keys asynq:*"},
	{"OOM", "is out of memory", "raise maxmemory or let the workers catch up"},
	{"MISCONF", "can not save to its disk", "free the disk of the Redis server"},
	{"READONLY", "is a replica", "point REDIS_HOST at the master, or use REDIS_SENTINEL_ADDRS"},
	{"LOADING", "is still loading its data", "wait a moment"},
	{"WRONGTYPE", "holds something else under asynq's keys", "set REDIS_DB to the number of a database without keys asynq:* of others"},
}

// sentinelAddress is what go-redis has for an address behind sentinels.
const sentinelAddress = "FailoverClient"

// address names the server of a client. Client.String is not used: its form is not
// promised to stay free of credentials.
func address(rdb redis.UniversalClient) string {
	switch c := rdb.(type) {
	case *redis.Client:
		if addr := c.Options().Addr; addr != sentinelAddress {
			return addr
		}
		return "the sentinels' master"
	case *redis.ClusterClient:
		return strings.Join(c.Options().Addrs, ",")
	default:
		return "(address unknown)"
	}
}
