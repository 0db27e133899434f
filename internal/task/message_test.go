package task

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

const vectorsPath = "testdata/vectors.json"

// vectors is the file that every producer's tests share, in whatever language.
type vectors struct {
	About    string          `json:"about"`
	Script   string          `json:"script_sha1"`
	Messages []messageVector `json:"messages"`
	Requests []requestVector `json:"requests"`
}

// messageVector is the encoder alone.
type messageVector struct {
	Name      string            `json:"name"`
	Type      string            `json:"type"`
	Payload   string            `json:"payload"`
	ID        string            `json:"id"`
	Queue     string            `json:"queue"`
	Retry     int64             `json:"retry"`
	Timeout   int64             `json:"timeout"`
	Deadline  int64             `json:"deadline"`
	UniqueKey string            `json:"unique_key"`
	Retention int64             `json:"retention"`
	Headers   map[string]string `json:"headers"`
	Message   string            `json:"message_hex"`
}

// requestVector is the whole way from what a caller says to what Redis gets.
type requestVector struct {
	Name        string   `json:"name"`
	SchemaID    int64    `json:"schema_id"`
	TenantID    string   `json:"tenant_id"`
	Queue       string   `json:"queue"`
	Fence       *int64   `json:"fence"` // null for the plain task id
	Producer    string   `json:"producer"`
	Traceparent string   `json:"traceparent"`
	Payload     string   `json:"payload"`
	TaskID      string   `json:"task_id"`
	Message     string   `json:"message_hex"`
	Keys        []string `json:"keys"`
}

// uniqueVector was made with asynq's own encoder, outside this repository.
const uniqueVector = "0a0e736368656d613a616e616c797a65" + "12107b22736368656d615f6964223a34327d" + "1a0469642d31" + "220764656661756c74" +
	"2805" + "40d804" +
	"5246" + "6173796e713a7b64656661756c747d3a756e697175653a736368656d613a616e616c797a653a" +
	"3637373234613961643531303831343965616232636339366263636335316439" +
	"6080a305" + "7a060a016812" + "0176"

func TestEncodeMessageAsAsynqDoes(t *testing.T) {
	t.Parallel()
	got := hex.EncodeToString(uniqueMessage().encode())
	if diff := cmp.Diff(uniqueVector, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func uniqueMessage() message {
	return message{
		Type: Type, Payload: []byte(`{"schema_id":42}`), ID: "id-1", Queue: "default", Retry: 5, Timeout: 600, Retention: 86400,
		UniqueKey: "asynq:{default}:unique:schema:analyze:67724a9ad5108149eab2cc96bccc51d9", Headers: map[string]string{"h": "v"},
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(makeVectors(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(vectorsPath, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("a producer of another version would disagree; if that is meant, run go test -update (-want +got):\n%s", diff)
	}
}

func makeVectors(t *testing.T) vectors {
	t.Helper()
	v := vectors{
		About:  "Bytes that every producer of schema:analyze must make. Written by go test -update in internal/task.",
		Script: newProducer(t, bed{}).sha,
	}
	unique := messageVectorOf("unique lock, retention, header", uniqueMessage())
	bare := messageVectorOf("zero values are omitted", message{Type: "t", ID: "i", Queue: "q"})
	sorted := messageVectorOf("headers are sorted, empty values are written", message{
		Type: "t", Payload: []byte("ü/\x00"), ID: "i", Queue: "q", Retry: 1 << 30, Timeout: 127, Deadline: 4102444800,
		Headers: map[string]string{"b": "", "a": "1", "aa": "2"},
	})
	v.Messages = []messageVector{unique, bare, sorted}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	fence := int64(3)
	v.Requests = []requestVector{
		{Name: "smallest", SchemaID: 1, Queue: QueueInteractive, Producer: "enqueue/1.0.0"},
		{
			Name: "with tenant and trace", SchemaID: 42, TenantID: "3f0c9a52-6f4e-4b7a-9d55-3f1f0d1c8a11",
			Queue: QueueInteractive, Producer: "laravel/1.0.0", Traceparent: trace,
		},
		{Name: "backfill", SchemaID: 1<<53 + 1, TenantID: "test-tenant", Queue: QueueBackfill, Producer: "enqueue/1.0.0"},
		{Name: "sweeper", SchemaID: 42, TenantID: "1", Queue: QueueInteractive, Fence: &fence, Producer: "sweeper/1.0.0"},
		{
			Name: "tenant that needs escapes", SchemaID: 7, TenantID: "a/b \"ü\" <\\> \u2028\t\u001f😀",
			Queue: QueueInteractive, Producer: "laravel/1.0.0",
		},
		{Name: "malformed trace is left out", SchemaID: 7, Queue: QueueInteractive, Producer: "laravel/1.0.0", Traceparent: "00-xyz-01"},
	}
	for i := range v.Requests {
		fillRequest(t, &v.Requests[i])
	}
	return v
}

func messageVectorOf(name string, m message) messageVector {
	return messageVector{
		name, m.Type, string(m.Payload), m.ID, m.Queue, m.Retry, m.Timeout, m.Deadline,
		m.UniqueKey, m.Retention, m.Headers, hex.EncodeToString(m.encode()),
	}
}

func fillRequest(t *testing.T, r *requestVector) {
	t.Helper()
	p, err := NewProducer(bed{}.rdb, ProducerConfig{Name: r.Producer})
	if err != nil {
		t.Fatal(err)
	}
	req := Request{Payload: Payload{r.SchemaID, r.TenantID}, Queue: r.Queue, Traceparent: r.Traceparent}
	r.TaskID = ID(r.SchemaID)
	if r.Fence != nil {
		r.TaskID = SweepID(r.SchemaID, *r.Fence)
		req.TaskID = r.TaskID
	}
	payload, err := req.Encode()
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.prepare(req)
	if err != nil {
		t.Fatal(err)
	}
	msg, ok := c.args[0].([]byte)
	if !ok {
		t.Fatalf("the message is a %T", c.args[0])
	}
	r.Payload, r.Message, r.Keys = string(payload), hex.EncodeToString(msg), c.keys
}

// asynq's own client and ours must store the same bytes.
func TestBytesEqualAsynqClient(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		p := newProducer(t, b)
		for _, payload := range []Payload{{SchemaID: 1}, {1 << 40, "acme"}, {3, "ü/" + strings.Repeat("x", 200)}} {
			req := Request{Payload: payload, Queue: QueueBackfill}
			if _, err := p.Enqueue(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			key := keys(QueueBackfill, ID(payload.SchemaID))[0]
			ours := b.rdb.HGet(t.Context(), key, "msg").Val()
			must(t, b.rdb.FlushDB(t.Context()).Err())

			body, err := payload.Encode()
			must(t, err)
			_, err = asynq.NewClientFromRedisClient(b.rdb).Enqueue(
				asynq.NewTaskWithHeaders(Type, body, map[string]string{HeaderProducer: "test/1"}),
				asynq.TaskID(ID(payload.SchemaID)), asynq.Queue(QueueBackfill), asynq.MaxRetry(MaxRetry), asynq.Timeout(Timeout))
			must(t, err)
			theirs := b.rdb.HGet(t.Context(), key, "msg").Val()
			if diff := cmp.Diff(hex.EncodeToString([]byte(theirs)), hex.EncodeToString([]byte(ours))); diff != "" {
				t.Errorf("schema %d (-asynq +ours):\n%s", payload.SchemaID, diff)
			}
		}
	})
}

func TestInspectorReadsOurTask(t *testing.T) {
	onEachRedis(t, func(b bed) {
		t := b.t
		const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		req := Request{Payload: Payload{42, "acme"}, Queue: QueueBackfill, TaskID: SweepID(42, 9), Traceparent: trace}
		if _, err := newProducer(t, b).Enqueue(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		got := taskInfo(t, b, QueueBackfill, SweepID(42, 9))
		want := &asynq.TaskInfo{
			ID: "schema:analyze:42:9", Queue: "schemas-backfill", Type: "schema:analyze",
			Payload:  []byte(`{"schema_id":42,"tenant_id":"acme","v":1}`),
			Headers:  map[string]string{"producer": "test/1", "traceparent": trace},
			State:    asynq.TaskStatePending,
			MaxRetry: 1000, Timeout: 600 * time.Second,
			NextProcessAt: got.NextProcessAt, // now, by Inspector's clock
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("task (-want +got):\n%s", diff)
		}
		inspector := asynq.NewInspectorFromRedisClient(b.rdb)
		queues, err := inspector.Queues()
		must(t, err)
		if diff := cmp.Diff([]string{QueueBackfill}, queues); diff != "" {
			t.Errorf("queues (-want +got):\n%s", diff)
		}
		info, err := inspector.GetQueueInfo(QueueBackfill) // what Asynqmon's page shows
		must(t, err)
		if info.Pending != 1 || info.Size != 1 || info.Latency < 0 || info.Latency > time.Minute {
			t.Errorf("got %d pending of %d, latency %s; want 1 of 1, some ms", info.Pending, info.Size, info.Latency)
		}
	})
}
