// Package testenv gives tests real servers: PostgreSQL, Redis, Soketi, and a
// subscriber that sees what the app's dashboard would see.
//
// It is imported by _test files only, installs nothing and mocks nothing. What it
// starts ends with the test, and with the test binary even when that is killed
// (on Linux). Every server is on 127.0.0.1. All functions may be called from parallel tests.
//
// `make test` installs and starts what is needed and sets these variables:
//
//	SCHEMACAST_TEST_POSTGRES      URL of a database on a PostgreSQL 13+ where databases may be
//	                              created, postgres://postgres@127.0.0.1:55432/postgres?sslmode=disable
//	SCHEMACAST_TEST_REDIS_SERVER  the redis-server binary; without it the one in PATH is taken
//	SCHEMACAST_TEST_SOKETI        host:port of a running Soketi with the app of [SoketiApp]
//	SCHEMACAST_TEST_SOKETI_CMD    a command without arguments that runs Soketi in the foreground,
//	                              configured by SOKETI_* variables
//
// [StartReceiver] needs node in PATH and the modules of e2e/receiver. Where something
// is missing a test is skipped, with the reason; with CI=true it fails. See [Need].
package testenv

import (
	"os"
	"strconv"
	"testing"
)

// The variables that say where the servers are.
const (
	envPostgres    = "SCHEMACAST_TEST_POSTGRES"
	envRedisServer = "SCHEMACAST_TEST_REDIS_SERVER"
	envSoketi      = "SCHEMACAST_TEST_SOKETI"
	envSoketiCmd   = "SCHEMACAST_TEST_SOKETI_CMD"
)

// Need ends a test that can not run because missing is not there: skipped on a
// laptop, failed with CI=true, so that a broken test ground never looks green. The
// text names the thing, such as "SCHEMACAST_TEST_POSTGRES is not set".
func Need(t testing.TB, missing string) {
	t.Helper()
	if ci, err := strconv.ParseBool(os.Getenv("CI")); err == nil && ci {
		t.Fatalf("%s. With CI=true nothing may be missing: run the tests with `make test`", missing)
	}
	t.Skipf("%s: `make test` installs and starts it", missing)
}
