package task

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is the part of asynq's TaskMessage that a producer sets. It is encoded
// here, since asynq keeps its encoder to itself and its client can neither pipeline
// nor replace a task. Zero values are omitted, as proto3 wants it.
type message struct {
	Type      string
	Payload   []byte
	ID        string
	Queue     string
	Retry     int64
	Timeout   int64 // seconds
	Deadline  int64 // unix seconds
	UniqueKey string
	Retention int64 // seconds
	Headers   map[string]string
}

// The numbers of the fields in asynq's task message, v0.26.
const (
	fieldType      protowire.Number = 1
	fieldPayload   protowire.Number = 2
	fieldID        protowire.Number = 3
	fieldQueue     protowire.Number = 4
	fieldRetry     protowire.Number = 5
	fieldTimeout   protowire.Number = 8
	fieldDeadline  protowire.Number = 9
	fieldUniqueKey protowire.Number = 10
	fieldRetention protowire.Number = 12
	fieldHeaders   protowire.Number = 15
)

// encode returns the message in ascending field order and with sorted headers, so
// that equal messages are equal bytes. All strings must be valid UTF-8: a message
// that a worker can not decode stops its crash recovery for all queues.
func (m message) encode() []byte {
	b := make([]byte, 0, 128+len(m.Payload))
	b = appendBytes(b, fieldType, m.Type)
	b = appendBytes(b, fieldPayload, string(m.Payload))
	b = appendBytes(b, fieldID, m.ID)
	b = appendBytes(b, fieldQueue, m.Queue)
	b = appendInt(b, fieldRetry, m.Retry)
	b = appendInt(b, fieldTimeout, m.Timeout)
	b = appendInt(b, fieldDeadline, m.Deadline)
	b = appendBytes(b, fieldUniqueKey, m.UniqueKey)
	b = appendInt(b, fieldRetention, m.Retention)
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		// Both halves of a map entry are always written, also empty ones.
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
		entry = protowire.AppendString(protowire.AppendTag(entry, 2, protowire.BytesType), m.Headers[name])
		b = protowire.AppendBytes(protowire.AppendTag(b, fieldHeaders, protowire.BytesType), entry)
	}
	return b
}

func appendBytes(b []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendInt(b []byte, n protowire.Number, v int64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
}
