package hub

import "encoding/json"

// Codes of errors that end a connection. What a client does about one depends on its
// hundred: 40xx it gives up, 41xx it waits a second and returns, 42xx it returns at once.
const (
	codeUnknownApp   = 4001
	codeBadProtocol  = 4007
	codeUnauthorized = 4009
	codeOverCapacity = 4100
	codeReconnect    = 4200
	codeNoPong       = 4201
	codeClientEvent  = 4301
)

// request is a frame of a client.
type request struct {
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
}

// subscription is the data of pusher:subscribe and pusher:unsubscribe.
type subscription struct {
	Channel string `json:"channel"`
	Auth    string `json:"auth"`
}

// frame is a frame of the server. Data is an object or, where the protocol has it so, a
// string of JSON.
type frame struct {
	Event   string `json:"event"`
	Channel string `json:"channel,omitempty"`
	Data    any    `json:"data"`
}

type protocolError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type subscriptionError struct {
	Type   string `json:"type"`
	Error  string `json:"error"`
	Status int    `json:"status"`
}

// activityTimeout is after how many quiet seconds a client pings, as Soketi tells it.
const activityTimeout = 30

func established(socketID string) []byte {
	data := encode(struct {
		SocketID        string `json:"socket_id"`
		ActivityTimeout int    `json:"activity_timeout"`
	}{socketID, activityTimeout})
	return encode(frame{Event: "pusher:connection_established", Data: string(data)})
}

func subscribed(channel string) []byte {
	return encode(frame{Event: "pusher_internal:subscription_succeeded", Channel: channel, Data: "{}"})
}

func notSubscribed(channel string, e subscriptionError) []byte {
	return encode(frame{Event: "pusher:subscription_error", Channel: channel, Data: e})
}

func published(channel string, e event) []byte {
	return encode(frame{Event: e.name, Channel: channel, Data: e.data})
}

func failed(code int, message string) []byte {
	return encode(frame{Event: "pusher:error", Data: protocolError{Code: code, Message: message}})
}

func ping() []byte { return encode(frame{Event: "pusher:ping", Data: struct{}{}}) }

func pong() []byte { return encode(frame{Event: "pusher:pong", Data: struct{}{}}) }

// encode has no error to return: frames are made of strings and numbers.
func encode(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("hub: encode a frame: " + err.Error())
	}
	return raw
}
