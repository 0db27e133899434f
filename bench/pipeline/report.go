package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"
)

// figure is one measured number.
type figure struct {
	Section string    `json:"section"`
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Runs    []float64 `json:"runs"`
	Median  float64   `json:"median"`
	// Bar is what the figure is to hold, such as ">= 5"; empty for none.
	Bar   string `json:"bar,omitempty"`
	Holds *bool  `json:"holds,omitempty"`
}

// machine is what the figures were measured on.
type machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	MemoryMiB  int    `json:"memory_mib"`
	Go         string `json:"go"`
	PostgreSQL string `json:"postgresql"`
	Fsync      string `json:"postgresql_fsync"`
	Redis      string `json:"redis"`
	PHP        string `json:"php,omitempty"`
	Commit     string `json:"commit"`
}

// report collects figures.
type report struct {
	g   *ground
	out io.Writer

	Began   time.Time         `json:"began"`
	Quick   bool              `json:"quick,omitempty"`
	Machine machine           `json:"machine"`
	Loads   map[string]string `json:"loads"` // by section, when it began and when it ended
	Figures []*figure         `json:"figures"`
	section string
}

func newReport(ctx context.Context, g *ground, out io.Writer) *report {
	r := &report{g: g, out: out, Began: time.Now().UTC().Truncate(time.Second), Quick: g.quick, Loads: map[string]string{}}
	r.Machine = machine{CPU: cpuModel(), Cores: runtime.NumCPU(), MemoryMiB: memory(), Go: runtime.Version()}
	_ = g.admin.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('fsync')").Scan(&r.Machine.PostgreSQL, &r.Machine.Fsync)
	for line := range strings.Lines(g.redis.Info(ctx, "server").Val()) {
		if version, ok := strings.CutPrefix(line, "redis_version:"); ok {
			r.Machine.Redis = strings.TrimSpace(version)
		}
	}
	r.Machine.PHP = outputOf(ctx, "php", "-r", "echo PHP_VERSION;")
	r.Machine.Commit = outputOf(ctx, "git", "describe", "--always", "--dirty", "--exclude", "*")
	m := r.Machine
	r.printf("%s, %d cores, %d MiB; %s, PostgreSQL %s with fsync %s, Redis %s, PHP %s; commit %s\n",
		m.CPU, m.Cores, m.MemoryMiB, m.Go, m.PostgreSQL, m.Fsync, m.Redis, m.PHP, m.Commit)
	return r
}

func outputOf(ctx context.Context, program string, args ...string) string {
	out, _ := exec.CommandContext(ctx, program, args...).Output()
	return strings.TrimSpace(string(out))
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func memory() int {
	var kib int
	text, _ := os.ReadFile("/proc/meminfo")
	_, _ = fmt.Sscanf(string(text), "MemTotal: %d kB", &kib)
	return kib / 1024
}

// load is the load of the machine in the last minute, "unknown" where it is not told.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func (r *report) printf(format string, args ...any) { _, _ = fmt.Fprintf(r.out, format, args...) }

// measure runs one section.
func (r *report) measure(ctx context.Context, s section) error {
	r.section = s.name
	r.printf("\n%s: %s (load %s)\n", s.name, s.what, load())
	begun, before := time.Now(), load()
	err := s.run(ctx, r)
	r.Loads[s.name] = before + " to " + load()
	r.printf("  took %s, load %s\n", time.Since(begun).Round(time.Second), load())
	return err
}

// add notes a figure once more, under its name.
func (r *report) add(name, unit string, value float64) *figure {
	r.printf("  %-52s %10s %s\n", name, digits(value), unit)
	for _, f := range r.Figures {
		if f.Section == r.section && f.Name == name {
			f.Runs = append(f.Runs, value)
			return f
		}
	}
	f := &figure{Section: r.section, Name: name, Unit: unit, Runs: []float64{value}}
	r.Figures = append(r.Figures, f)
	return f
}

// addShares notes the processor time of the programs that matter.
func (r *report) addShares(side string, shares cpuShares) {
	total := 0.0
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		total += shares[name]
		if shares[name] >= 0.1 {
			r.add(fmt.Sprintf("%s: processor time of %s", side, name), "ms/schema", shares[name])
		}
	}
	r.add(side+": processor time of all", "ms/schema", total)
}

func (f *figure) atLeast(bar float64) { f.Bar = fmt.Sprintf(">= %g", bar) }

func (f *figure) atMost(bar float64) { f.Bar = fmt.Sprintf("<= %g", bar) }

// finish computes medians, prints the table and writes the file.
func (r *report) finish(file string) error {
	table := tablewriter.NewTable(r.out)
	table.Header("section", "figure", "median", "lowest", "highest", "n", "bar")
	for _, f := range r.Figures {
		f.Median = median(f.Runs)
		bar := f.Bar
		if bar != "" {
			holds := held(f.Median, bar)
			f.Holds = &holds
			if !holds {
				bar += " NOT HELD"
			}
		}
		row := []string{f.Section, f.Name, digits(f.Median) + " " + f.Unit, digits(slices.Min(f.Runs)), digits(slices.Max(f.Runs)), fmt.Sprint(len(f.Runs)), bar}
		if err := table.Append(row); err != nil {
			return err
		}
	}
	r.printf("\n")
	if err := table.Render(); err != nil || file == "" {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

func held(value float64, bar string) bool {
	var limit float64
	if n, _ := fmt.Sscanf(bar, ">= %g", &limit); n == 1 {
		return value >= limit
	}
	_, _ = fmt.Sscanf(bar, "<= %g", &limit)
	return value <= limit
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

// digits shows three figures.
func digits(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
