package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// memory reads what a process holds: its resident set, its threads and open files.
func memory(t testing.TB, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "unknown: there is no /proc"
	}
	var parts []string
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && (name == "VmRSS" || name == "VmHWM" || name == "Threads") {
			parts = append(parts, name+" "+strings.Join(strings.Fields(value), " "))
		}
	}
	return strings.Join(parts, ", ")
}
