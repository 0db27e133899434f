// Pipeline measures a worker beside its peers, and how it does as work grows:
//
//	make bench                       # everything, some 25 minutes on two cores
//	make bench ARGS='-only bars'     # the bars of docs/performance.md
//	make bench ARGS='-quick'         # each measurement once and small, to see that it works
//
// The peers are a bare Go loop with a fixed list of round trips (loop.go), and the queue
// worker of the PHP application that the service replaces (php). All sides work on the same
// schemas in the same PostgreSQL, Redis and Soketi, ask the same stand-in for a model
// (model.go), and have finished when a subscribed client has got the last event. They take
// turns, so that a machine that others use as well is as slow for each of them.
//
// It prints a table and writes JSON, with the machine and its load. It makes databases of its
// own and drops them, and starts a Redis of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

type settings struct {
	postgres, redisServer, soketi string
	out                           string
	only                          string
	rounds                        int
	quick                         bool
}

func main() {
	if spec := os.Getenv(loopEnv); spec != "" {
		exit(loop(context.Background(), spec))
	}
	var s settings
	flag.StringVar(&s.postgres, "postgres", os.Getenv("SCHEMACAST_TEST_POSTGRES"), "URL of a PostgreSQL in which databases may be made")
	flag.StringVar(&s.redisServer, "redis-server", os.Getenv("SCHEMACAST_TEST_REDIS_SERVER"), "the program redis-server")
	flag.StringVar(&s.soketi, "soketi", os.Getenv("SCHEMACAST_TEST_SOKETI"), "host:port of a Soketi with the app of scripts/with-services.sh")
	flag.StringVar(&s.out, "json", "", "file for the figures as JSON")
	flag.StringVar(&s.only, "only", "", "what to measure, with commas between: "+strings.Join(sectionNames(), ", ")+
		"; bars stands for "+strings.Join(barSections, ", "))
	flag.IntVar(&s.rounds, "rounds", 5, "how often each side of a comparison is measured")
	flag.BoolVar(&s.quick, "quick", false, "each measurement once and with little work: the figures mean nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(measure(ctx, os.Stdout, s))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// measure runs the sections and reports. What was measured before a failure is reported as
// well.
func measure(ctx context.Context, out io.Writer, s settings) (err error) {
	chosen, err := choose(s.only)
	if err != nil {
		return err
	}
	g := &ground{settings: s}
	defer func() { err = errors.Join(err, g.close()) }()
	if err := g.prepare(ctx); err != nil {
		return err
	}
	r := newReport(ctx, g, out)
	defer func() { err = errors.Join(err, r.finish(s.out)) }()
	for _, section := range sections {
		if !slices.Contains(chosen, section.name) {
			continue
		}
		if err := r.measure(ctx, section); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	return nil
}

// choose reads -only.
func choose(only string) ([]string, error) {
	if only == "" {
		return sectionNames(), nil
	}
	var chosen []string
	for name := range strings.SplitSeq(only, ",") {
		switch {
		case name == "bars":
			chosen = append(chosen, barSections...)
		case slices.Contains(sectionNames(), name):
			chosen = append(chosen, name)
		default:
			return nil, fmt.Errorf("-only %q is unknown; use bars or %s", name, strings.Join(sectionNames(), ", "))
		}
	}
	return chosen, nil
}
