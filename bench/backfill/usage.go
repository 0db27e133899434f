package main

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// peakMiB is the most memory that an ended process had resident.
func peakMiB(state *os.ProcessState) float64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return float64(usage.Maxrss) / (1 << 20) // bytes there, KiB elsewhere
	}
	return float64(usage.Maxrss) / (1 << 10)
}

func cpu(state *os.ProcessState) time.Duration { return state.UserTime() + state.SystemTime() }

// load is the load of the machine, "unknown" where it is not told.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
