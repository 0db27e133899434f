package testenv

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// ChannelMode is the kind of channel that a receiver subscribes to.
type ChannelMode string

// The kinds of channels, named as BROADCAST_CHANNEL names them.
const (
	Public    ChannelMode = "public"
	Private   ChannelMode = "private"
	Encrypted ChannelMode = "encrypted"
)

// ReceiverConfig says what a receiver subscribes to.
type ReceiverConfig struct {
	// App is the server, such as Soketi(t) or StartSoketi(t).SoketiApp. An embedded hub
	// that speaks the same protocol will do.
	App SoketiApp
	// Tenant names the channel tenant.{Tenant}.schemas.
	Tenant string
	// Channel replaces the name of the channel, without its private- prefix.
	Channel string
	// Mode defaults to Public.
	Mode ChannelMode
	// AuthEndpoint is the URL that signs subscriptions of private and encrypted
	// channels. Defaults to signing them in the receiver with App.Secret.
	AuthEndpoint string
	// MasterKey is the base64 key of encrypted channels, for signing in the receiver.
	MasterKey string
	// Watchdog reconnects within a second or so of the server's return. pusher-js by
	// itself may take 15 s and more.
	Watchdog bool
	// Refused is set by tests in which the subscription must fail: StartReceiver then
	// waits for the error instead of the subscription.
	Refused bool
}

// Message is one event as the dashboard's listener gets it.
type Message struct {
	Event      string // schema.analysis or schema.analysis.progress
	Payload    json.RawMessage
	ReceivedAt time.Time
}

// Decode reads the payload into v.
func (m Message) Decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(m.Payload, v); err != nil {
		t.Fatalf("the payload of %s can not be read: %v\n%s", m.Event, err, m.Payload)
	}
}

// Receiver is a subscriber in Node with pusher-js and Laravel Echo, the libraries of
// the app's dashboard. It subscribes again after every outage.
type Receiver struct {
	t       testing.TB
	process *process
	feed    *feed
}

// StartReceiver starts a receiver and returns when it is subscribed.
func StartReceiver(t testing.TB, config ReceiverConfig) *Receiver {
	t.Helper()
	cmd := receiverCommand(t, config)
	r := &Receiver{t: t, feed: newFeed()}
	cmd.Stdout = r.feed
	// Nothing is written to it: the receiver ends with its stdin, so also where the
	// kernel can not do that, it does not outlive the test binary.
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatalf("open the receiver's stdin: %v", err)
	}
	p, err := launch("receiver", cmd)
	if err != nil {
		t.Fatal(err)
	}
	p.killAtEnd(t)
	r.process = p
	if config.Refused {
		r.wait(startTimeout, "a refused subscription", func(s *seen) bool { return len(s.errors) > 0 })
	} else {
		r.WaitReady(1, startTimeout)
	}
	return r
}

// WaitReady waits until the receiver was subscribed n times since its start; the
// first time is over when StartReceiver returns.
func (r *Receiver) WaitReady(n int, timeout time.Duration) {
	r.t.Helper()
	r.wait(timeout, fmt.Sprintf("subscription %d", n), func(s *seen) bool { return s.ready >= n })
}

// WaitDisconnected waits until the receiver has noticed that its connection is gone.
func (r *Receiver) WaitDisconnected(timeout time.Duration) {
	r.t.Helper()
	r.wait(timeout, "the loss of the connection", func(s *seen) bool { return s.state != "connected" })
}

// WaitFor waits until n messages have come since the start and returns all that have
// come by then, in their order: more than n when there were more.
func (r *Receiver) WaitFor(n int, timeout time.Duration) []Message {
	r.t.Helper()
	return r.wait(timeout, fmt.Sprintf("%d messages", n), func(s *seen) bool { return len(s.messages) >= n })
}

// WaitForStates is WaitFor without news of progress, of which nobody knows how many come:
// it counts and returns the other messages.
func (r *Receiver) WaitForStates(n int, timeout time.Duration) []Message {
	r.t.Helper()
	states := func(all []Message) []Message {
		return slices.DeleteFunc(slices.Clone(all), func(m Message) bool { return m.Event == "schema.analysis.progress" })
	}
	return states(r.wait(timeout, fmt.Sprintf("%d messages of states", n), func(s *seen) bool { return len(states(s.messages)) >= n }))
}

// WaitUntil waits until enough says so of all messages since the start, and returns
// them.
func (r *Receiver) WaitUntil(timeout time.Duration, enough func([]Message) bool) []Message {
	r.t.Helper()
	return r.wait(timeout, "the expected messages", func(s *seen) bool { return enough(s.messages) })
}

// Messages returns what has come since the start.
func (r *Receiver) Messages() []Message {
	messages, _ := r.feed.snapshot()
	return messages
}

// Errors returns what the server refused, such as "subscribe private-...: The
// connection is unauthorized. (401)".
func (r *Receiver) Errors() []string {
	_, refused := r.feed.snapshot()
	return refused
}

func (r *Receiver) wait(timeout time.Duration, what string, enough func(*seen) bool) []Message {
	r.t.Helper()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		messages, ok, changed := r.feed.check(enough)
		if ok {
			return messages
		}
		select {
		case <-changed:
		case <-r.process.done:
			r.t.Fatalf("the receiver exited while the test waited for %s (%v); it said:\n%s",
				what, r.process.cmd.ProcessState, r.process.log)
		case <-timer.C:
			r.t.Fatalf("no %s after %v; the receiver has seen: %s", what, timeout, r.feed)
		}
	}
}

func receiverCommand(t testing.TB, config ReceiverConfig) *exec.Cmd {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		Need(t, "node is not in PATH")
	}
	dir := receiverDir(t)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "pusher-js")); err != nil {
		Need(t, "e2e/receiver has no node_modules")
	}
	mode := config.Mode
	if mode == "" {
		mode = Public
	}
	args := []string{
		filepath.Join(dir, "receiver.mjs"), "--watch-stdin", "--mode", string(mode),
		"--host", config.App.Host, "--port", strconv.Itoa(config.App.Port), "--key", config.App.Key,
	}
	args = option(args, "--tenant", config.Tenant)
	args = option(args, "--channel", config.Channel)
	args = option(args, "--master-key", config.MasterKey)
	if config.AuthEndpoint != "" {
		args = option(args, "--auth-endpoint", config.AuthEndpoint)
	} else {
		args = option(args, "--secret", config.App.Secret)
	}
	if config.Watchdog {
		args = append(args, "--watchdog")
	}
	return exec.Command(node, args...) //nolint:noctx // kill ends it; a context would end it before the test's clean-up
}

func option(args []string, name, value string) []string {
	if value == "" {
		return args
	}
	return append(args, name+"="+value)
}

// receiverDir finds e2e/receiver from the folder of the package under test, which is
// where `go test` runs a test.
func receiverDir(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("find the working folder: %v", err)
	}
	for {
		candidate := filepath.Join(dir, "e2e", "receiver")
		if _, err := os.Stat(filepath.Join(candidate, "receiver.mjs")); err == nil {
			return candidate
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no e2e/receiver/receiver.mjs above the working folder: tests run inside the source tree only")
		}
		dir = parent
	}
}
