package run

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
)

func newDoctor(t *testing.T, leases Leases, opts redis.UniversalOptions, cfg DoctorConfig) *Doctor {
	t.Helper()
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	client := NewRedis(opts)
	t.Cleanup(func() { _ = client.Close() })
	d, err := NewDoctor(leases, client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Stop(context.Background()) })
	return d
}

// spoil makes the message of a task unreadable.
func spoil(t *testing.T, opts redis.UniversalOptions, id int64) {
	t.Helper()
	enqueue(t, opts, task.QueueInteractive, id)
	client := redis.NewClient(&redis.Options{Addr: opts.Addrs[0]})
	defer client.Close() //nolint:errcheck // the command was checked
	if err := client.HSet(t.Context(), "asynq:{schemas}:t:"+task.ID(id), "msg", "{").Err(); err != nil {
		t.Fatal(err)
	}
}

func TestDoctorLooksBeforeTheStartAndAgain(t *testing.T) {
	t.Parallel()
	for _, server := range redisServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			opts := server.start(t)
			spoil(t, opts, 1)
			d := newDoctor(t, newFakeBacklog(), opts, DoctorConfig{Interval: 10 * time.Millisecond})
			if err := d.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := d.Status(); got.Total.Quarantined != 1 || got.At.IsZero() {
				t.Errorf("after the start: %+v, want one quarantined task", got)
			}
			spoil(t, opts, 2)
			eventually(t, "the second one is found", func() bool { return d.Status().Total.Quarantined == 2 })
			eventually(t, "the next round finds nothing", func() bool { return d.Status().Last.Quarantined == 0 })
			if err := d.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// The lease saves work, and nothing else: without a database the doctor works.
func TestDoctorWorksWithoutADatabase(t *testing.T) {
	t.Parallel()
	opts := redisServers[0].start(t)
	store := newFakeBacklog()
	store.err = ErrUnavailable
	d := newDoctor(t, store, opts, DoctorConfig{Interval: 5 * time.Millisecond})
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	spoil(t, opts, 1)
	eventually(t, "it is found", func() bool { return d.Status().Total.Quarantined == 1 })
	if d.Status().Leading {
		t.Error("it says that it leads")
	}
}

func TestDoctorLeavesItToTheLeader(t *testing.T) {
	t.Parallel()
	opts := redisServers[0].start(t)
	store := newFakeBacklog()
	store.leases[doctorJob] = "another"
	d := newDoctor(t, store, opts, DoctorConfig{Interval: 5 * time.Millisecond})
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := d.Status().At
	spoil(t, opts, 1)
	if err := store.Resign(t.Context(), doctorJob, "another"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it leads", func() bool { return d.Status().Leading })
	eventually(t, "it looks", func() bool { return d.Status().At.After(first) && d.Status().Total.Quarantined == 1 })
}

// A Redis that is down is no reason to end, or to wait for ever at the start.
func TestDoctorWithoutRedis(t *testing.T) {
	t.Parallel()
	d := newDoctor(t, newFakeBacklog(), redis.UniversalOptions{Addrs: []string{closedAddr(t)}}, DoctorConfig{Timeout: 50 * time.Millisecond})
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.Status().Err == nil {
		t.Error("the status has no error")
	}
}
