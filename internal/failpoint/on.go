//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Variable is where the points are configured.
const Variable = "SCHEMACAST_FAILPOINTS"

// Enabled says whether anything can happen at a point.
const Enabled = true

// lookAgain is how often a hanging caller looks whether it may go on.
const lookAgain = 10 * time.Millisecond

// points counts how often each point was reached under the present configuration.
var points struct {
	sync.Mutex
	text    string
	reached map[string]int
}

// Reach marks a point, and does what is configured for it.
func Reach(name string) {
	switch action := next(name); action {
	case "":
	case "tell":
		tell(name, action)
	case "kill":
		tell(name, action)
		signalSelf(syscall.SIGKILL)
	case "pause":
		tell(name, action)
		signalSelf(syscall.SIGSTOP)
	case "hang":
		tell(name, action)
		for hangs(name) {
			<-time.After(lookAgain)
		}
	case "panic":
		tell(name, action)
		panic("failpoint " + name)
	default:
		panic(fmt.Sprintf("%s: %s=%s is no action; use kill, pause, hang, panic or tell", Variable, name, action))
	}
}

// next counts a point and returns what to do there.
func next(name string) string {
	text := configured()
	points.Lock()
	defer points.Unlock()
	if text != points.text || points.reached == nil {
		points.text, points.reached = text, map[string]int{}
	}
	points.reached[name]++
	nth, action := lookUp(text, name)
	if action == "" || nth != 0 && nth != points.reached[name] {
		return ""
	}
	return action
}

// hangs says whether the configuration still names the point.
func hangs(name string) bool {
	_, action := lookUp(configured(), name)
	return action == "hang"
}

// configured returns the points. A file that is not there yet names none.
func configured() string {
	value := os.Getenv(Variable)
	path, fromFile := strings.CutPrefix(value, "@")
	if !fromFile {
		return value
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// lookUp finds the n and the action of a point, 0 for every time.
func lookUp(text, name string) (nth int, action string) {
	for entry := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		point, what, found := strings.Cut(strings.TrimSpace(entry), "=")
		if !found {
			panic(fmt.Sprintf("%s: %q is no name[:n]=action", Variable, entry))
		}
		point, count, counted := strings.Cut(point, ":")
		if point != name {
			continue
		}
		if counted {
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 {
				panic(fmt.Sprintf("%s: %q is no count; use 1 or more", Variable, count))
			}
			nth = n
		}
		return nth, what
	}
	return 0, ""
}

func tell(name, action string) {
	_, _ = fmt.Fprintf(os.Stderr, "failpoint %s %s goroutines=%d\n", name, action, runtime.NumGoroutine())
}

// takesEffect is how long a caller waits for a signal to itself. It is taken by any
// thread of the process, which stops the others a moment later.
const takesEffect = 100 * time.Millisecond

// signalSelf returns when the signal has taken effect: a caller must not run on for the
// moment that it takes to arrive.
func signalSelf(s syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		panic(fmt.Sprintf("send %s to the own process: %v", s, err))
	}
	<-time.After(takesEffect)
}
