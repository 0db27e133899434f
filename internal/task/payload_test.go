package task

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	bad := func(id int64, words string) error { return &PayloadError{SchemaID: id, Reason: words} }
	for _, tt := range []struct {
		name, in string
		want     Payload
		err      error // of a PayloadError, Reason is a part of the sentence
	}{
		{"smallest", `{"schema_id":1,"v":1}`, Payload{SchemaID: 1}, nil},
		{"whole", `{"schema_id":9223372036854775807,"tenant_id":"acme","v":1}`, Payload{1<<63 - 1, "acme"}, nil},
		{"other order and spaces", " {\n\"v\": 1, \"schema_id\": 2 } \n", Payload{SchemaID: 2}, nil},
		{"escaped", `{"schema_id":1,"tenant_id":"a\/\u00fc","v":1}`, Payload{SchemaID: 1, TenantID: "a/ü"}, nil},
		{"empty", ``, Payload{}, bad(0, "is not one JSON value")},
		{"cut off", `{"schema_id":1,"v"`, Payload{}, bad(0, "is not one JSON value")},
		{"binary", "\x00\x01", Payload{}, bad(0, "is not one JSON value")},
		{"no UTF-8", "{\"schema_id\":1,\"tenant_id\":\"\xc3\",\"v\":1}", Payload{}, bad(0, "is not valid UTF-8")},
		{"list", `[1]`, Payload{}, bad(0, "not an object")},
		{"null", `null`, Payload{}, bad(0, "not an object")},
		{"trailing data", `{"schema_id":1,"v":1}{}`, Payload{}, bad(0, "is not one JSON value")},
		{"too long", `{"schema_id":1,"v":1}` + strings.Repeat(" ", 1024), Payload{}, bad(0, "is 1045 bytes long, at most 1024")},
		{"no id", `{"v":1}`, Payload{}, bad(0, "has no schema_id")},
		{"id as a string", `{"schema_id":"1","v":1}`, Payload{}, bad(0, `has schema_id "1"; send`)},
		{"id as a float", `{"schema_id":1.0,"v":1}`, Payload{}, bad(0, "has schema_id 1.0; send an integer")},
		{"id with exponent", `{"schema_id":1e3,"v":1}`, Payload{}, bad(0, "has schema_id 1e3")},
		{"zero id", `{"schema_id":0,"v":1}`, Payload{}, bad(0, "has schema_id 0;")},
		{"negative id", `{"schema_id":-4,"v":1}`, Payload{}, bad(0, "has schema_id -4;")},
		{"huge id", `{"schema_id":9223372036854775808,"v":1}`, Payload{}, bad(0, "has schema_id 9223372036854775808;")},
		{"other case", `{"Schema_ID":1,"v":1}`, Payload{}, bad(0, "has no schema_id")},
		{"no version", `{"schema_id":5}`, Payload{}, bad(5, "has no v")},
		{"version as a string", `{"schema_id":5,"v":"1"}`, Payload{}, bad(5, `has v "1"`)},
		{"key twice", `{"schema_id":5,"schema_id":6,"v":1}`, Payload{}, bad(0, `has the key "schema_id" twice`)},
		{"unknown key", `{"schema_id":5,"tenant":"acme","v":1}`, Payload{}, bad(5, `has the key "tenant"`)},
		{"tenant as a number", `{"schema_id":5,"tenant_id":3,"v":1}`, Payload{}, bad(5, "has tenant_id 3; send a string")},
		{"tenant null", `{"schema_id":5,"tenant_id":null,"v":1}`, Payload{}, bad(5, "has tenant_id null")},
		{"tenant empty", `{"schema_id":5,"tenant_id":"","v":1}`, Payload{}, bad(5, "has an empty tenant_id")},
		{"tenant with NUL", `{"schema_id":5,"tenant_id":"a\u0000","v":1}`, Payload{}, bad(5, "has a NUL character")},
		{"tenant with half a surrogate pair", `{"schema_id":5,"tenant_id":"\ud800","v":1}`, Payload{}, bad(5, "not valid Unicode")},
		{
			"tenant too long", `{"schema_id":5,"tenant_id":"` + strings.Repeat("a", 256) + `","v":1}`,
			Payload{}, bad(5, "a tenant_id of 256 characters"),
		},
		{"newer version", `{"schema_id":5,"v":2,"whatever":[{}]}`, Payload{}, &VersionError{Version: 2, SchemaID: 5}},
		{"newer version without an id", `{"v":2,"id":7}`, Payload{}, bad(0, "has no schema_id")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode([]byte(tt.in))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
			compareError(t, tt.err, err)
		})
	}
}

func compareError(t *testing.T, want, got error) {
	t.Helper()
	var wantPayload, gotPayload *PayloadError
	switch {
	case errors.As(want, &wantPayload):
		if !errors.As(got, &gotPayload) {
			t.Fatalf("got error %v, want a *PayloadError", got)
		}
		if gotPayload.SchemaID != wantPayload.SchemaID || !strings.Contains(gotPayload.Reason, wantPayload.Reason) {
			t.Errorf("got %+v, want schema %d and %q", gotPayload, wantPayload.SchemaID, wantPayload.Reason)
		}
	default:
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("error (-want +got):\n%s", diff)
		}
	}
}

// The tenant of a row is any string; one that no payload can hold must not keep the row
// from being analysed.
func TestPayloadOf(t *testing.T) {
	t.Parallel()
	for tenant, want := range map[string]Payload{
		"acme":                            {7, "acme"},
		"":                                {7, ""},
		strings.Repeat("\U0001F600", 255): {7, ""},
		"a\uFFFDb":                        {7, ""},
	} {
		if got := PayloadOf(7, tenant); got != want {
			t.Errorf("PayloadOf(7, %q) = %+v, want %+v", tenant, got, want)
		}
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   Payload
		want string
	}{
		{"without tenant", Payload{SchemaID: 42}, `{"schema_id":42,"v":1}`},
		{"with tenant", Payload{42, "acme"}, `{"schema_id":42,"tenant_id":"acme","v":1}`},
		{"nothing escaped without need", Payload{1, `a/b<ü>&"\` + "\t\x1f"}, `{"schema_id":1,"tenant_id":"a/b<ü>&\"\\\t\u001f","v":1}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.in.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
		})
	}
	for _, p := range []Payload{
		{}, {SchemaID: -1}, {1, "\xc3"}, {1, "a\x00"}, {1, strings.Repeat("a", 256)}, {1, strings.Repeat("\U0001F600", 255)},
	} {
		var e *PayloadError
		if got, err := p.Encode(); !errors.As(err, &e) {
			t.Errorf("encode %+v: got %s, %v; want a *PayloadError", p, got, err)
		}
	}
}

// Whatever is decoded is encoded again to what decodes to the same; and no input
// makes Decode answer with anything but its two errors.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"schema_id":1,"v":1}`, `{"schema_id":1,"tenant_id":"ü\/\ud83d\ude00","v":1}`, `{"schema_id":1,"v":2}`,
		`{"v":1,"v":1}`, `[`, "{\"\xff\":1}", `{"schema_id":1,"v":1} x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode(data)
		if err != nil {
			var payloadErr *PayloadError
			var versionErr *VersionError
			if !errors.As(err, &payloadErr) && !errors.As(err, &versionErr) {
				t.Fatalf("%q: untyped error %v", data, err)
			}
			return
		}
		again, err := p.Encode()
		if err != nil {
			if len(data) > maxPayload/2 { // U+2028 grows to twice its length
				return
			}
			t.Fatalf("%q: decoded to %+v, which does not encode: %v", data, p, err)
		}
		q, err := Decode(again)
		if err != nil || q != p {
			t.Fatalf("%q: %+v became %+v, %v", data, p, q, err)
		}
	})
}
