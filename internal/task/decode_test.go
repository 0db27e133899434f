package task

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/hibiken/asynq" // registers the type of its messages
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// asynqMessage returns an empty message of asynq's own type.
func asynqMessage(t testing.TB) protoreflect.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName("asynq.TaskMessage")
	if err != nil {
		t.Fatal(err)
	}
	return kind.New()
}

func TestDecodeWhatWasEncoded(t *testing.T) {
	t.Parallel()
	want := uniqueMessage()
	got, err := decodeMessage(want.encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stored{message: want}, got, cmp.AllowUnexported(stored{})); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	t.Parallel()
	whole := uniqueMessage().encode()
	for _, tc := range []struct{ name, message, want string }{
		{"no protobuf", "{\"schema_id\":1}", "damaged"},
		{"cut", string(whole[:len(whole)-1]), "cut"},
		{"invalid UTF-8 in the last error", string(whole) + "\x3a\x01\xff", "field 7 that is not valid UTF-8"},
		{"invalid UTF-8 in a header", string(whole) + "\x7a\x06\x0a\x01\xc3\x12\x01v", "header that has a field 1"},
		{"a group that never ends", string(whole) + "\xa3\x06", "cut or damaged in field 100"},
		{"a group that never began", string(whole) + "\xa4\x06", "damaged in field 100"},
		{"field 0", "\x00\x00", "damaged"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeMessage([]byte(tc.message))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestCheckMessageOfAnotherTask(t *testing.T) {
	t.Parallel()
	m := message{Type: Type, ID: "schema:analyze:1", Queue: QueueInteractive}
	for _, tc := range []struct {
		name, queue, id, want string
		message               message
	}{
		{"sound", QueueInteractive, m.ID, "", m},
		{"another id", QueueInteractive, "schema:analyze:2", `names another task: "schema:analyze:1"`, m},
		{"another queue", QueueBackfill, m.ID, `names another queue: "schemas"`, m},
		{"no type", QueueInteractive, m.ID, "has no type", message{ID: m.ID, Queue: m.Queue}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := check(tc.message.encode(), tc.queue, tc.id); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("reason (-want +got):\n%s", diff)
			}
		})
	}
}

// What asynq can not decode has to be refused here, or it would stay and stop asynq's
// recovery; what it can must not be thrown away.
func FuzzDecodeAgreesWithAsynq(f *testing.F) {
	for _, seed := range []string{
		uniqueVector, "", "00", "0a03c3a9ff", "7a060a016812" + "0176", "7a040a02c328", "a306a406", "a306", "a406", "28ffffffffffffffffff01",
		"28ffffffffffffffffff7f", "3a01ff", "5201ff", "7201ff", "1201ff", "0801", "7801", "7a0310ff01", "f8ffffff7f00", "f8ffffff0f00", "0d00000000",
	} {
		data, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		theirs := asynqMessage(t)
		want := proto.Unmarshal(data, theirs.Interface())
		got, err := decodeMessage(data)
		if (err == nil) != (want == nil) {
			t.Fatalf("we say %v, asynq says %v", err, want)
		}
		if err != nil {
			return
		}
		fields := theirs.Descriptor().Fields()
		text := func(name protoreflect.Name) string { return theirs.Get(fields.ByName(name)).String() }
		number := func(name protoreflect.Name) int64 { return theirs.Get(fields.ByName(name)).Int() }
		headers := map[string]string(nil)
		theirs.Get(fields.ByName("headers")).Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			if headers == nil {
				headers = map[string]string{}
			}
			headers[k.String()] = v.String()
			return true
		})
		// An empty payload may be nil or not.
		if string(got.Payload) != string(theirs.Get(fields.ByName("payload")).Bytes()) {
			t.Errorf("payload %q", got.Payload)
		}
		got.Payload = nil
		same := stored{message: message{
			Type: text("type"), ID: text("id"), Queue: text("queue"), Retry: number("retry"), Timeout: number("timeout"),
			Deadline: number("deadline"), UniqueKey: text("unique_key"), Retention: number("retention"), Headers: headers,
		}, Retried: number("retried"), LastError: text("error_msg")}
		if diff := cmp.Diff(same, got, cmp.AllowUnexported(stored{})); diff != "" {
			t.Errorf("message (-asynq +ours):\n%s", diff)
		}
	})
}
