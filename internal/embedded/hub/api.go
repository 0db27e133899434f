package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"
)

// Limits of the HTTP API, the same on Soketi and Pusher.
const (
	maxBatch         = 10
	maxEventChannels = 100
	// maxEscape is how much longer JSON can make one byte: \u0001.
	maxEscape = 6
	// eventOverhead is for the names of an event and its channels.
	eventOverhead = 32 << 10
)

// message is one event in a request.
type message struct {
	Name     string   `json:"name"`
	Data     string   `json:"data"`
	Channel  string   `json:"channel"`
	Channels []string `json:"channels"`
	SocketID string   `json:"socket_id"`
}

// apiError is a refusal with its status.
type apiError struct {
	status int
	reason string
}

func (e *apiError) Error() string { return e.reason }

// events serves POST /apps/{app}/events.
func (h *Hub) events(w http.ResponseWriter, r *http.Request) {
	var m message
	if err := h.receive(w, r, &m); err != nil {
		fail(w, err)
		return
	}
	if err := h.deliver([]message{m}); err != nil {
		fail(w, err)
		return
	}
	answer(w, struct{}{})
}

// batchEvents serves POST /apps/{app}/batch_events. One bad event refuses the batch.
func (h *Hub) batchEvents(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Batch []message `json:"batch"`
	}
	if err := h.receive(w, r, &body); err != nil {
		fail(w, err)
		return
	}
	if err := h.deliver(body.Batch); err != nil {
		fail(w, err)
		return
	}
	answer(w, map[string]any{"batch": make([]struct{}, len(body.Batch))})
}

// channelInfo is what the HTTP API tells about a channel.
type channelInfo struct {
	Subscribers int  `json:"subscription_count"`
	Occupied    bool `json:"occupied"`
}

// listChannels serves GET /apps/{app}/channels.
func (h *Hub) listChannels(w http.ResponseWriter, r *http.Request) {
	if err := h.authenticate(r); err != nil {
		fail(w, err)
		return
	}
	channels := map[string]channelInfo{}
	for channel, n := range h.occupied(r.URL.Query().Get("filter_by_prefix")) {
		channels[channel] = channelInfo{Subscribers: n, Occupied: true}
	}
	answer(w, map[string]any{"channels": channels})
}

// showChannel serves GET /apps/{app}/channels/{channel}.
func (h *Hub) showChannel(w http.ResponseWriter, r *http.Request) {
	if err := h.authenticate(r); err != nil {
		fail(w, err)
		return
	}
	n := h.subscribers(r.PathValue("channel"))
	answer(w, channelInfo{Subscribers: n, Occupied: n > 0})
}

// authenticate checks app and signature.
func (h *Hub) authenticate(r *http.Request) error {
	if app := r.PathValue("app"); app != h.opts.AppID {
		return &apiError{http.StatusNotFound, fmt.Sprintf("the app %.64q could not be found", app)}
	}
	if err := h.checkSignature(r); err != nil {
		return &apiError{http.StatusUnauthorized, err.Error()}
	}
	return nil
}

// receive reads a body into v, but not of a stranger.
func (h *Hub) receive(w http.ResponseWriter, r *http.Request, v any) error {
	if err := h.authenticate(r); err != nil {
		return err
	}
	limit := int64(maxBatch * (maxEscape*h.opts.MaxEventBytes + eventOverhead))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &apiError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is larger than %d bytes", limit)}
	}
	if err != nil {
		return &apiError{http.StatusBadRequest, "the request ended early"}
	}
	if err := checkBody(r, body); err != nil {
		return &apiError{http.StatusUnauthorized, err.Error()}
	}
	if err := json.Unmarshal(body, v); err != nil {
		return &apiError{http.StatusBadRequest, "the request is no JSON of the expected form: " + err.Error()}
	}
	return nil
}

// deliver checks all messages before it publishes any.
func (h *Hub) deliver(messages []message) error {
	if len(messages) < 1 || len(messages) > maxBatch {
		return &apiError{http.StatusBadRequest, fmt.Sprintf("%d events in a request, 1 to %d are allowed", len(messages), maxBatch)}
	}
	events := make([]event, len(messages))
	for i, m := range messages {
		channels := m.Channels
		if m.Channel != "" {
			channels = append([]string{m.Channel}, channels...)
		}
		events[i] = event{name: m.Name, data: m.Data, channels: channels, except: m.SocketID}
		if err := h.check(events[i]); err != nil {
			return err
		}
	}
	if !h.publish(events) {
		return &apiError{http.StatusServiceUnavailable, "the server is closing"}
	}
	return nil
}

func (h *Hub) check(e event) error {
	if e.name == "" || utf8.RuneCountInString(e.name) > maxNameLen {
		return &apiError{http.StatusBadRequest, fmt.Sprintf("the name of an event has 1 to %d characters", maxNameLen)}
	}
	if len(e.channels) < 1 || len(e.channels) > maxEventChannels {
		return &apiError{http.StatusBadRequest, fmt.Sprintf("%d channels for one event, 1 to %d are allowed", len(e.channels), maxEventChannels)}
	}
	for _, channel := range e.channels {
		if !validChannel(channel) {
			return &apiError{http.StatusBadRequest, fmt.Sprintf("%.64q is no channel name", channel)}
		}
	}
	if e.data == "" {
		return &apiError{http.StatusBadRequest, "the data of an event is empty"}
	}
	if len(e.data) > h.opts.MaxEventBytes {
		return &apiError{
			http.StatusRequestEntityTooLarge,
			fmt.Sprintf("the data of an event has %d bytes, %d are allowed", len(e.data), h.opts.MaxEventBytes),
		}
	}
	return nil
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if e, ok := errors.AsType[*apiError](err); ok {
		status = e.status
	}
	refuse(w, status, err.Error())
}
