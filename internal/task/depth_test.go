package task

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hibiken/asynq"
)

func TestDepths(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		i := newInspector(t, b)
		i.now = func() time.Time { return time.Now().Add(time.Minute) }
		client()(t, b, ID(1))
		client()(t, b, ID(2))
		client(asynq.ProcessIn(time.Hour))(t, b, ID(3))
		dead(t, b, ID(4))
		must(t, b.rdb.Set(t.Context(), prefix(QueueBackfill)+"paused", 1, 0).Err())
		got, err := i.Depths(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []Depth{
			{Queue: QueueInteractive, Pending: 2, Active: 1, Scheduled: 1, Oldest: time.Minute},
			{Queue: QueueBackfill, Paused: true},
		}
		about := cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < 30*time.Second })
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), about); diff != "" {
			t.Errorf("depths (-want +got):\n%s", diff)
		}
	})
}
