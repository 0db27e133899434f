package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/schemacast/schemacast/internal/task"
)

const queueName = task.QueueInteractive

// side is a way to get the work done.
type side interface {
	// enqueue puts the schemas of a site into the side's queue.
	enqueue(ctx context.Context, s *site) error
	// command is one process that works on the queue.
	command(ctx context.Context, s *site) (*exec.Cmd, error)
}

// enqueueTasks is how both Go sides get their tasks.
func (g *ground) enqueueTasks(ctx context.Context, s *site, queue string, from, to int64) error {
	producer, err := task.NewProducer(g.redis, task.ProducerConfig{Name: "bench"})
	if err != nil {
		return err
	}
	const page = 10_000
	for first := from; first <= to; first += page {
		var requests []task.Request
		for id := first; id <= min(first+page-1, to); id++ {
			requests = append(requests, task.Request{Payload: task.PayloadOf(id, s.tenantOf(id)), Queue: queue})
		}
		if _, err := producer.Enqueue(ctx, requests...); err != nil {
			return err
		}
	}
	return nil
}

// workerSide is cmd/worker with its defaults, but for what is given.
type workerSide struct {
	*ground
	env []string
}

func (w workerSide) enqueue(ctx context.Context, s *site) error {
	return w.enqueueTasks(ctx, s, queueName, s.first, s.last())
}

func (w workerSide) command(ctx context.Context, s *site) (*exec.Cmd, error) {
	health, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(w.dir, "worker"), "--env-file=")
	cmd.Env = w.environment(s.database, append(w.env, fmt.Sprintf("HEALTH_ADDR=127.0.0.1:%d", health))...)
	return cmd, nil
}

// loopSide is the bare loop, in a process of its own.
type loopSide struct {
	*ground
	concurrency int
}

func (l loopSide) enqueue(ctx context.Context, s *site) error {
	return l.enqueueTasks(ctx, s, queueName, s.first, s.last())
}

func (l loopSide) command(ctx context.Context, s *site) (*exec.Cmd, error) {
	question := l.model.question.Load()
	if question == nil {
		return nil, fmt.Errorf("no worker has asked a question yet, which the loop would ask")
	}
	spec, err := json.Marshal(loopSpec{
		DSN: l.dsn(s.database), Redis: l.redisAddr, Soketi: l.soketi, Model: l.model.url, Question: *question,
		Concurrency: l.concurrency, FirstEntity: 1, Mappings: s.fields - 1,
	})
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), loopEnv+"="+string(spec))
	return cmd, nil
}

// process is a running process of a side.
type process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{}
}

func (g *ground) launch(cmd *exec.Cmd) (*process, error) {
	log, err := os.CreateTemp(g.dir, "log-")
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.done) }()
	return p, nil
}

// stop ends a process as an operator would, and kills it when that takes too long.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	_ = p.log.Close()
	_ = os.Remove(p.log.Name())
}

// logged is the end of what a process said.
func (p *process) logged() string {
	text, _ := os.ReadFile(p.log.Name())
	const enough = 4 << 10
	return string(text[max(0, len(text)-enough):])
}
