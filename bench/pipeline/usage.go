package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cpuShares is processor time by program, in milliseconds for each schema; the program's
// name is the kernel's. Empty where there is no /proc.
type cpuShares map[string]float64

// tick is the unit of /proc: 1/100 s on every Linux of today.
const tick = 10 // ms

// readCPU sums up the time of all living processes, and of their children that have ended.
func readCPU() cpuShares {
	shares := cpuShares{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), "(")
		end := strings.LastIndex(rest, ")")
		if end < 0 || strings.Contains(rest[:end], "kworker/") {
			continue // threads of the kernel work for anybody
		}
		fields := strings.Fields(rest[end+1:])
		for _, column := range []int{11, 12, 13, 14} { // utime, stime, cutime, cstime
			if column < len(fields) {
				n, _ := strconv.ParseFloat(fields[column], 64)
				shares[rest[:end]] += n * tick
			}
		}
	}
	return shares
}

// since is what was used since before, for each of n schemas. Programs that used next to
// nothing are left out.
func (c cpuShares) since(before cpuShares, n int) cpuShares {
	used := cpuShares{}
	for name, ms := range c {
		if each := (ms - before[name]) / float64(n); each >= 0.01 {
			used[name] = each
		}
	}
	return used
}

// workerWatch looks at the metrics of a worker from time to time.
type workerWatch struct {
	url, status string
	done        chan struct{}
	cancel      context.CancelFunc
	once        sync.Once
	goroutines  float64
	first, last map[string]float64
}

// watchWorker does nothing for a process that is no worker.
func watchWorker(ctx context.Context, p *process) *workerWatch {
	ctx, cancel := context.WithCancel(ctx)
	w := &workerWatch{
		done: make(chan struct{}), cancel: cancel, url: watchURL(p), status: fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid),
	}
	go w.run(ctx)
	return w
}

func (w *workerWatch) run(ctx context.Context) {
	defer close(w.done)
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for w.url != "" {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (w *workerWatch) stop() { w.once.Do(func() { w.cancel(); <-w.done }) }

// into adds what was seen to a result, and looks once more.
func (w *workerWatch) into(ctx context.Context, r *result, schemas int) {
	w.stop()
	if w.url == "" {
		return
	}
	w.look(ctx)
	r.goroutines = w.goroutines
	r.allocs = (w.last["go_memstats_mallocs_total"] - w.first["go_memstats_mallocs_total"]) / float64(schemas)
	r.allocKiB = (w.last["go_memstats_alloc_bytes_total"] - w.first["go_memstats_alloc_bytes_total"]) / float64(schemas) / 1024
	text, _ := os.ReadFile(w.status)
	for line := range strings.Lines(string(text)) {
		if peak, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(peak)[0], 64)
			r.peakMiB = kib / 1024
		}
	}
}

func (w *workerWatch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, http.NoBody)
	if err != nil {
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return // it has not started yet
	}
	defer func() { _ = response.Body.Close() }()
	values := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = n
		}
	}
	if w.first == nil {
		w.first = values
	}
	w.last, w.goroutines = values, max(w.goroutines, values["go_goroutines"])
}

// awaitReady waits until a worker says that it is ready.
func awaitReady(ctx context.Context, p *process) error {
	url := strings.Replace(watchURL(p), "/metrics", "/readyz", 1)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the worker is not ready: %w; it said: %s", ctx.Err(), p.logged())
		case <-p.done:
			return fmt.Errorf("the worker has ended; it said: %s", p.logged())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// watchURL is where a worker has its metrics, empty for a process that is no worker.
func watchURL(p *process) string {
	for _, pair := range p.cmd.Env {
		if addr, ok := strings.CutPrefix(pair, "HEALTH_ADDR="); ok {
			return "http://" + addr + "/metrics"
		}
	}
	return ""
}
