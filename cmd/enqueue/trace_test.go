package main

import (
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/task"
)

// The task continues the trace of whoever runs the command.
func TestTraceparentGoesWithTheTask(t *testing.T) {
	t.Parallel()
	const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for variable, want := range map[string]bool{"TRACEPARENT=" + traceparent: true, "TRACEPARENT=nonsense": false, "OTHER=1": false} {
		g := newGround(t)
		g.environ = append(g.environ, variable)
		g.want(0, "", "file", g.file("a.csv", "first_name,last_name\nAda,Lovelace\n"), "--tenant", "Globex")
		ids, err := g.redis.List("asynq:{" + task.QueueInteractive + "}:pending")
		if err != nil || len(ids) != 1 {
			t.Fatalf("%s: tasks %q, %v; want one", variable, ids, err)
		}
		message := g.redis.HGet("asynq:{"+task.QueueInteractive+"}:t:"+ids[0], "msg")
		if got := strings.Contains(message, "traceparent"); got != want || want && !strings.Contains(message, traceparent) {
			t.Errorf("%s: message %q, want a trace: %t", variable, message, want)
		}
	}
}
