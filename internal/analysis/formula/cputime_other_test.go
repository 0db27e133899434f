//go:build !linux

package formula

import "time"

var processStart = time.Now()

// cpuTime is the clock where threads have none of their own.
func cpuTime() time.Duration { return time.Since(processStart) }
