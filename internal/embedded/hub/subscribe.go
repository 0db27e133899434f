package hub

import (
	"encoding/json"
	"strings"
)

// handle acts on one frame of a client. What can not be read or is not known is
// ignored, as Soketi does.
func (h *Hub) handle(c *conn, raw []byte) {
	var req request
	if err := json.Unmarshal(raw, &req); err != nil {
		return
	}
	switch {
	case req.Event == "pusher:ping":
		c.send(pong())
	case req.Event == "pusher:subscribe":
		if sub, ok := decodeSubscription(req.Data); ok {
			h.subscribe(c, sub)
		}
	case req.Event == "pusher:unsubscribe":
		if sub, ok := decodeSubscription(req.Data); ok {
			h.leave(c, sub.Channel)
		}
	case strings.HasPrefix(req.Event, "client-"):
		c.send(failed(codeClientEvent, "the app does not have client messaging enabled"))
	}
}

func decodeSubscription(data json.RawMessage) (subscription, bool) {
	var sub subscription
	err := json.Unmarshal(data, &sub) // no data at all is no JSON either
	return sub, err == nil
}

func (h *Hub) subscribe(c *conn, sub subscription) {
	refusal := subscriptionError{Type: "LimitReached", Status: codeUnauthorized}
	switch {
	case len(sub.Channel) > maxNameLen:
		refusal.Error = "the channel name is longer than 200 characters"
	case !validChannel(sub.Channel):
		refusal.Error = "the channel name has other characters than letters, digits and -_=@,.;"
	case unsupported(sub.Channel):
		refusal.Error = "this server has no presence and cache channels"
	case strings.HasPrefix(sub.Channel, privatePrefix) && !h.authorized(c.id, sub):
		refusal = subscriptionError{Type: "AuthError", Error: "the connection is unauthorized", Status: 401}
	case h.join(c, sub.Channel):
		return
	default:
		refusal.Error = "the connection has too many channels"
	}
	c.send(notSubscribed(sub.Channel, refusal))
}
