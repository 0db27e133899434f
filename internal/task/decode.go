package task

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// stored is a message as workers leave it in Redis: what its producer set, and what
// became of it.
type stored struct {
	message
	Retried   int64
	LastError string
}

// The numbers of the fields that only workers and other producers set.
const (
	fieldRetried      protowire.Number = 6
	fieldLastError    protowire.Number = 7
	fieldLastFailedAt protowire.Number = 11
	fieldCompletedAt  protowire.Number = 13
	fieldGroupKey     protowire.Number = 14
)

// decodeMessage reads a message, and refuses exactly what asynq's own decoder refuses:
// one such message in a queue is enough to end the recovery of all others. Fields of
// an unknown number or of another type are skipped, as there.
func decodeMessage(data []byte) (stored, error) {
	var m stored
	err := eachField(data, func(f field) error { return m.set(f) })
	return m, err
}

// field is one field of a message; bytes or number is its value, by its type.
type field struct {
	number protowire.Number
	kind   protowire.Type
	bytes  []byte
	value  uint64
}

// eachField calls f with the fields of a message that are bytes or numbers.
func eachField(data []byte, f func(field) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return fmt.Errorf("is cut or damaged: %w", protowire.ParseError(n))
		}
		if number > protowire.MaxValidNumber {
			return fmt.Errorf("is damaged: it has a field %d", number)
		}
		data = data[n:]
		got := field{number: number, kind: kind}
		switch kind {
		case protowire.BytesType:
			got.bytes, n = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			got.value, n = protowire.ConsumeVarint(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return fmt.Errorf("is cut or damaged in field %d: %w", number, protowire.ParseError(n))
		}
		data = data[n:]
		if err := f(got); err != nil {
			return err
		}
	}
	return nil
}

func (m *stored) set(f field) error {
	switch f.kind {
	case protowire.BytesType:
		return m.setBytes(f)
	case protowire.VarintType:
		m.setNumber(f)
	default:
	}
	return nil
}

func (m *stored) setBytes(f field) error {
	var target *string
	var ignored string
	switch f.number {
	case fieldPayload:
		m.Payload = f.bytes
		return nil
	case fieldHeaders:
		return m.setHeader(f.bytes)
	case fieldType:
		target = &m.Type
	case fieldID:
		target = &m.ID
	case fieldQueue:
		target = &m.Queue
	case fieldUniqueKey:
		target = &m.UniqueKey
	case fieldLastError:
		target = &m.LastError
	case fieldGroupKey:
		target = &ignored
	default:
		return nil
	}
	return setText(target, f)
}

func (m *stored) setNumber(f field) {
	switch f.number {
	case fieldRetry:
		m.Retry = int64(int32(f.value))
	case fieldRetried:
		m.Retried = int64(int32(f.value))
	case fieldTimeout:
		m.Timeout = int64(f.value)
	case fieldDeadline:
		m.Deadline = int64(f.value)
	case fieldRetention:
		m.Retention = int64(f.value)
	case fieldLastFailedAt, fieldCompletedAt: // of no interest here
	default:
	}
}

func (m *stored) setHeader(entry []byte) error {
	var name, value string
	err := eachField(entry, func(f field) error {
		switch {
		case f.kind == protowire.BytesType && f.number == 1:
			return setText(&name, f)
		case f.kind == protowire.BytesType && f.number == 2:
			return setText(&value, f)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("has a header that %w", err)
	}
	if m.Headers == nil {
		m.Headers = map[string]string{}
	}
	m.Headers[name] = value
	return nil
}

func setText(target *string, f field) error {
	if !utf8.Valid(f.bytes) {
		return fmt.Errorf("has a field %d that is not valid UTF-8", f.number)
	}
	*target = string(f.bytes)
	return nil
}

// check says why a message under an id of a queue would never leave it: asynq can not
// decode it, or would acknowledge another task than this one.
func check(data []byte, queue, id string) error {
	m, err := decodeMessage(data)
	switch {
	case err != nil:
		return err
	case m.ID != id:
		return fmt.Errorf("names another task: %q", excerpt(m.ID))
	case m.Queue != queue:
		return fmt.Errorf("names another queue: %q", excerpt(m.Queue))
	case m.Type == "":
		return errors.New("has no type")
	}
	return nil
}
