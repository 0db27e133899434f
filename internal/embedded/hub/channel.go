package hub

import (
	"regexp"
	"strings"
)

// channelName is Pusher's rule; "#" begins the names of its server-to-user channels.
var channelName = regexp.MustCompile(`^#?[-a-zA-Z0-9_=@,.;]+$`)

const (
	maxNameLen      = 200
	privatePrefix   = "private-"
	encryptedPrefix = "private-encrypted-"
)

func validChannel(name string) bool { return len(name) <= maxNameLen && channelName.MatchString(name) }

// unsupported lists the kinds of channels that the hub does not have. To treat them as
// public or private ones would be to answer a client wrongly.
func unsupported(channel string) bool {
	for _, prefix := range []string{"presence-", "cache-", "private-cache-", encryptedPrefix + "cache-"} {
		if strings.HasPrefix(channel, prefix) {
			return true
		}
	}
	return false
}

// event is what a publisher sends. Data is handed on as it is.
type event struct {
	name, data string
	channels   []string
	except     string // the socket that does not get it
}

// admit makes c one of the hub's connections.
func (h *Hub) admit(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		c.end(codeReconnect, "the server is closing")
	case len(h.conns) >= h.opts.MaxConnections:
		c.end(codeOverCapacity, "the server has no room for more connections")
	default:
		h.conns[c] = struct{}{}
		// Before anything else can be sent.
		c.send(established(c.id))
	}
}

// forget removes c from everywhere.
func (h *Hub) forget(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for channel := range c.channels {
		h.remove(c, channel)
	}
	delete(h.conns, c)
}

// join subscribes c, unless it has too many channels. The confirmation is queued under
// the lock, so no event precedes it.
func (h *Hub) join(c *conn, channel string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, again := c.channels[channel]; !again && len(c.channels) >= h.opts.MaxChannels {
		return false
	}
	c.channels[channel] = struct{}{}
	members := h.channels[channel]
	if members == nil {
		members = map[*conn]struct{}{}
		h.channels[channel] = members
	}
	members[c] = struct{}{}
	c.send(subscribed(channel))
	return true
}

func (h *Hub) leave(c *conn, channel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(c, channel)
}

func (h *Hub) remove(c *conn, channel string) {
	delete(c.channels, channel)
	members := h.channels[channel]
	delete(members, c)
	if len(members) == 0 {
		delete(h.channels, channel)
	}
}

// publish queues events for the subscribers of their channels; the lock makes the order
// the same for all. It reports false when the hub is closed.
func (h *Hub) publish(events []event) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	for _, e := range events {
		for _, channel := range e.channels {
			members := h.channels[channel]
			if len(members) == 0 {
				continue
			}
			frame := published(channel, e)
			for c := range members {
				if c.id != e.except {
					c.send(frame)
				}
			}
		}
	}
	return true
}

// occupied counts the subscribers of the channels that begin with prefix.
func (h *Hub) occupied(prefix string) map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	counts := map[string]int{}
	for channel, members := range h.channels {
		if strings.HasPrefix(channel, prefix) {
			counts[channel] = len(members)
		}
	}
	return counts
}

func (h *Hub) subscribers(channel string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.channels[channel])
}
