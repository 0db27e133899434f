package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Version is the version of the payload that this build writes and reads.
const Version = 1

// The limits of a payload. A heartbeat rewrites every active payload each five
// seconds, so a payload is ids and nothing else.
const (
	maxPayload = 1024 // bytes
	maxTenant  = 255  // characters, the width of the app's column
)

// Payload is what a task says: ids only, the rest is in the database.
type Payload struct {
	SchemaID int64
	// TenantID is checked against the row when it is not empty.
	TenantID string
}

// PayloadOf is the payload for a row. It leaves out a tenant whose id a payload can not
// hold: it is only a check, and the row is to be analysed all the same.
func PayloadOf(schemaID int64, tenantID string) Payload {
	p := Payload{SchemaID: schemaID, TenantID: tenantID}
	if _, err := p.Encode(); err != nil {
		p.TenantID = ""
	}
	return p
}

// Encode returns the payload as JSON with sorted keys and nothing escaped that does
// not need it, the bytes that PHP's JSON_UNESCAPED_SLASHES|JSON_UNESCAPED_UNICODE
// gives. The error is a *PayloadError.
func (p Payload) Encode() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(`{"schema_id":` + strconv.FormatInt(p.SchemaID, 10))
	if p.TenantID != "" {
		b.WriteString(`,"tenant_id":`)
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(p.TenantID); err != nil {
			return nil, &PayloadError{SchemaID: p.SchemaID, Reason: "can not be encoded: " + err.Error()}
		}
		b.Truncate(b.Len() - 1) // the encoder ends with a newline
	}
	b.WriteString(`,"v":` + strconv.Itoa(Version) + "}")
	if b.Len() > maxPayload {
		reason := fmt.Sprintf("is %d bytes long, at most %d are allowed; shorten tenant_id", b.Len(), maxPayload)
		return nil, &PayloadError{SchemaID: p.SchemaID, Reason: reason}
	}
	return b.Bytes(), nil
}

func (p Payload) check() error {
	if p.SchemaID <= 0 {
		return &PayloadError{Reason: fmt.Sprintf("has schema_id %d; send the id of a row in schemas, 1 or more", p.SchemaID)}
	}
	if reason := tenantReason(p.TenantID); reason != "" {
		return &PayloadError{SchemaID: p.SchemaID, Reason: reason}
	}
	return nil
}

// tenantReason says what is wrong with a tenant id. The app allows any string there;
// refused is only what PostgreSQL can not hold.
func tenantReason(id string) string {
	switch {
	case !utf8.ValidString(id) || strings.ContainsRune(id, utf8.RuneError):
		return "has a tenant_id that is not valid Unicode; send the id as it is in tenants"
	case strings.ContainsRune(id, 0):
		return "has a NUL character in tenant_id; send the id as it is in tenants"
	case utf8.RuneCountInString(id) > maxTenant:
		return fmt.Sprintf("has a tenant_id of %d characters; at most %d exist", utf8.RuneCountInString(id), maxTenant)
	}
	return ""
}

// Decode reads a payload. It is strict, since nothing that a producer got wrong is
// worth guessing: a *PayloadError is permanent. A *VersionError is not: a newer
// producer is at work, and a newer worker will follow.
func Decode(data []byte) (Payload, error) {
	object, err := decodeObject(data)
	if err != nil {
		return Payload{}, err
	}
	var p Payload
	if p.SchemaID, err = object.positive("schema_id"); err != nil {
		return Payload{}, err
	}
	version, err := object.positive("v")
	if err != nil {
		return Payload{}, withSchema(err, p.SchemaID)
	}
	if version != Version {
		return Payload{}, &VersionError{Version: version, SchemaID: p.SchemaID}
	}
	if p.TenantID, err = object.tenant(); err != nil {
		return Payload{}, withSchema(err, p.SchemaID)
	}
	for _, key := range object.keys {
		if key != "schema_id" && key != "tenant_id" && key != "v" {
			reason := fmt.Sprintf("has the key %q, which version %d does not know; remove it", excerpt(key), Version)
			return Payload{}, &PayloadError{SchemaID: p.SchemaID, Reason: reason}
		}
	}
	return p, nil
}

// object is a decoded payload before its types are checked.
type object struct {
	keys   []string
	values map[string]json.RawMessage
}

func decodeObject(data []byte) (object, error) {
	fail := func(format string, args ...any) (object, error) {
		return object{}, &PayloadError{Reason: fmt.Sprintf(format, args...)}
	}
	switch trimmed := bytes.TrimLeft(data, " \t\r\n"); {
	case len(data) > maxPayload:
		return fail("is %d bytes long, at most %d are allowed; send ids only", len(data), maxPayload)
	case !utf8.Valid(data):
		return fail("is not valid UTF-8; send JSON")
	case !json.Valid(data):
		return fail("is not one JSON value: %q; send {\"schema_id\":...,\"v\":%d}", excerpt(string(data)), Version)
	case trimmed[0] != '{':
		return fail("is %q, not an object; send {\"schema_id\":...,\"v\":%d}", excerpt(string(trimmed)), Version)
	}
	// json.Unmarshal would take the last of two equal keys in silence.
	o := object{values: map[string]json.RawMessage{}}
	dec := json.NewDecoder(bytes.NewReader(data))
	_, err := dec.Token()
	for err == nil && dec.More() {
		var key json.Token
		if key, err = dec.Token(); err != nil {
			break
		}
		name, _ := key.(string)
		if _, twice := o.values[name]; twice {
			return fail("has the key %q twice; send it once", excerpt(name))
		}
		var value json.RawMessage
		err = dec.Decode(&value)
		o.keys = append(o.keys, name)
		o.values[name] = value
	}
	if err != nil {
		return fail("can not be read: %v", err)
	}
	return o, nil
}

func (o object) positive(key string) (int64, error) {
	raw, ok := o.values[key]
	if !ok {
		return 0, &PayloadError{Reason: "has no " + key + "; send it as an integer"}
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n <= 0 {
		return 0, &PayloadError{Reason: fmt.Sprintf("has %s %s; send an integer, 1 or more, without quotes", key, excerpt(string(raw)))}
	}
	return n, nil
}

func (o object) tenant() (string, error) {
	raw, ok := o.values["tenant_id"]
	if !ok {
		return "", nil
	}
	var id string
	if err := json.Unmarshal(raw, &id); err != nil || raw[0] != '"' {
		return "", &PayloadError{Reason: fmt.Sprintf("has tenant_id %s; send a string, or leave the key out", excerpt(string(raw)))}
	}
	if id == "" {
		return "", &PayloadError{Reason: "has an empty tenant_id; leave the key out instead"}
	}
	if reason := tenantReason(id); reason != "" {
		return "", &PayloadError{Reason: reason}
	}
	return id, nil
}

// excerpt cuts foreign text to what fits into a sentence.
func excerpt(s string) string {
	const limit = 40
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "..."
}
