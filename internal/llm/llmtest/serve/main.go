// Command serve runs the scripted model of package llmtest as a process of its own,
// for tests that kill processes and for trying the worker without a model. It prints
// one JSON line with base_url and key, and ends with SIGINT or SIGTERM. The path
// /llmtest/requests of its address tells how many requests came.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	delay := flags.Duration("delay", 0, "how long the model takes for an answer")
	address := flags.String("addr", "127.0.0.1:0", "where to listen")
	failures := flags.Int("failures", 0, "how many requests are answered with a 500 first")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var script []llmtest.Step
	for range *failures {
		script = append(script, llmtest.ServerError())
	}
	server, err := llmtest.Listen(ctx, *address, script...)
	if err != nil {
		return err
	}
	defer server.Close()
	if *delay > 0 {
		server.Otherwise(llmtest.Delayed(*delay, llmtest.Good()))
	}
	err = json.NewEncoder(stdout).Encode(map[string]string{"base_url": server.BaseURL(), "key": llmtest.Key})
	if err != nil {
		return fmt.Errorf("print the address: %w", err)
	}
	<-ctx.Done()
	return nil
}
