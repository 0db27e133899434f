package broadcast

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

// padded returns a started event whose data has exactly size bytes on RungFull, of
// which the sample takes sample bytes.
func padded(t *testing.T, r *Renderer, size, sample int) schema.Event {
	t.Helper()
	ev := startedEvent(t)
	build := func(n int) {
		ev.Started = &schema.Started{Hash: "h", TenantName: "t", Fields: json.RawMessage(
			`[{"name":"` + strings.Repeat("n", n) + `","sample_value":"` + strings.Repeat("s", sample) + `"}]`)}
	}
	build(0)
	bare, err := encode(ev, form{rung: RungFull, samples: r.samples})
	if err != nil {
		t.Fatal(err)
	}
	build(size - len(bare))
	return ev
}

func TestLadderAtTheBorders(t *testing.T) {
	t.Parallel()
	type want struct {
		Rung      Rung
		Bytes     int
		Truncated []string
	}
	tests := map[string]struct {
		config func(*Config)
		bytes  int // of the whole event
		sample int // of these, in its sample value
		want   want
	}{
		"soketi, fits":                {nil, 102400, 60000, want{RungFull, 102400, nil}},
		"soketi, one byte more":       {nil, 102401, 60000, want{RungNoSamples, 102401 - 60000 - 18 + 29, []string{"sample_value"}}},
		"soketi, sample too small":    {nil, 202401, 60000, want{RungBare, 0, []string{"detected_fields"}}},
		"pusher, fits":                {cloud, 10240, 6000, want{RungFull, 10240, nil}},
		"pusher, one byte more":       {cloud, 10241, 6000, want{RungNoSamples, 10241 - 6000 - 18 + 29, []string{"sample_value"}}},
		"no samples, nothing is told": {noSamples, 102401, 60000, want{RungNoSamples, 102401 - 60000 - 18, nil}},
		"no samples, too large":       {noSamples, 202401, 60000, want{RungBare, 0, []string{"detected_fields"}}},
		// 28 bytes of frame + 32 of nonce + 4 for every 3 of (76739 + 16) = 102400.
		"encrypted, fits":          {encrypted, 76739, 50000, want{RungFull, 76739, nil}},
		"encrypted, one byte more": {encrypted, 76740, 50000, want{RungNoSamples, 76740 - 50000 - 18 + 29, []string{"sample_value"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTestRenderer(t, tt.config)
			out := mustRender(t, r, padded(t, r, tt.bytes, tt.sample), RungFull)
			var told struct{ Truncated []string }
			if err := json.Unmarshal([]byte(out.Data), &told); err != nil {
				t.Fatal(err)
			}
			got := want{Rung: out.Rung, Bytes: len(out.Data), Truncated: told.Truncated}
			if tt.want.Bytes == 0 {
				got.Bytes = 0
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("form (-want +got):\n%s", diff)
			}
		})
	}
}

func cloud(c *Config)     { c.Host = "" }
func noSamples(c *Config) { c.Samples = false }
func encrypted(c *Config) {
	c.Mode, c.EncryptionKey = ModeEncrypted, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
}

// A character of four bytes counts four.
func TestLadderCountsBytes(t *testing.T) {
	t.Parallel()
	r := newTestRenderer(t, cloud)
	ev := padded(t, r, 10240, 100)
	fits := mustRender(t, r, ev, RungFull)
	ev.Started.Fields = json.RawMessage(strings.Replace(string(ev.Started.Fields), "n", "😀", 2))
	if got := mustRender(t, r, ev, RungFull); fits.Rung != RungFull || got.Rung != RungNoSamples {
		t.Errorf("rungs = %d and %d, want %d and %d", fits.Rung, got.Rung, RungFull, RungNoSamples)
	}
}

// The page reloads when a side is missing, so both go together.
func TestLadderOfCompleted(t *testing.T) {
	t.Parallel()
	ev := completedEvent(t)
	ev.Completed.Schema.Fields, ev.Completed.Entity.Fields = wideFields(5000), wideFields(5000)
	out := mustRender(t, newTestRenderer(t, nil), ev, RungFull)
	want := `{"status":"completed","schema_id":1,"tenant_id":"` + testTenant + `","data":{"mappings_count":7},` +
		`"timestamp":"2026-11-22T19:15:33+00:00","event_id":"01JD7Z","run_id":"01JD7R","seq":7,"v":1,` +
		`"truncated":["bronze_schema","silver_entity"]}`
	if diff := cmp.Diff(want, out.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if !out.Smallest {
		t.Error("the last rung is not marked as the smallest form")
	}
}

func TestLadderFromALowerRung(t *testing.T) {
	t.Parallel()
	long := failedEvent(strings.Repeat("ä", 500), "llm_refused")
	progress := testEvent(schema.EventProgress)
	progress.Progress = &schema.Progress{Stage: "ask"}
	tests := map[string]struct {
		event    schema.Event
		from     Rung
		want     Rung
		smallest bool
		contains string
	}{
		"started without samples": {startedEvent(t), RungNoSamples, RungNoSamples, false, `"truncated":["sample_value"]`},
		"started, bare":           {startedEvent(t), RungBare, RungBare, true, `"detected_fields":[]`},
		"failed, next":            {long, RungNoSamples, RungBare, true, `...","code":"llm_refused"},`},
		"failed says it was cut":  {long, RungBare, RungBare, true, `"truncated":["error"]`},
		"progress has one form":   {progress, RungFull, RungFull, true, `"stage":"ask"`},
		"below the last":          {startedEvent(t), RungBare + 1, RungBare, true, `"detected_fields":[]`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := mustRender(t, newTestRenderer(t, nil), tt.event, tt.from)
			if out.Rung != tt.want || out.Smallest != tt.smallest {
				t.Errorf("rung = %d, smallest %t, want %d, %t", out.Rung, out.Smallest, tt.want, tt.smallest)
			}
			if !strings.Contains(out.Data, tt.contains) {
				t.Errorf("data = %s, want it to contain %s", out.Data, tt.contains)
			}
		})
	}
}

// A name of another system's making may be longer than the app's columns allow.
func TestLadderGivesUp(t *testing.T) {
	t.Parallel()
	ev := startedEvent(t)
	ev.Started.Name = strings.Repeat("n", 20000)
	_, err := newTestRenderer(t, cloud).Render(ev, RungFull)
	var size *SizeError
	if !errors.As(err, &size) {
		t.Fatalf("error = %v, want a *SizeError", err)
	}
	if size.Bytes < 20000 || !strings.Contains(err.Error(), "10240 bytes an event") {
		t.Errorf("error = %v with %d bytes, want it to name the size and the limit", err, size.Bytes)
	}
}

// Whatever the app's columns hold, the smallest form fits the smallest limit.
func TestLeastMaxBytesHoldsTheLongestNames(t *testing.T) {
	t.Parallel()
	r := newTestRenderer(t, func(c *Config) { c.MaxBytes = leastMaxBytes })
	ev := startedEvent(t)
	ev.ID, ev.RunID = strings.Repeat("0", 26), strings.Repeat("0", 26)
	ev.TenantID = strings.Repeat("t", maxChannelLen-len("tenant..schemas"))
	ev.SchemaID, ev.Seq = 1<<62, 1<<62
	// 255 characters of the kind that takes the most bytes in JSON.
	ev.Started.Name, ev.Started.TenantName = strings.Repeat("\x01", 255), strings.Repeat("\x01", 255)
	ev.Started.Fields = wideFields(5000)
	if out := mustRender(t, r, ev, RungFull); out.Rung != RungBare {
		t.Errorf("rung = %d, want %d", out.Rung, RungBare)
	}
}

func BenchmarkRender5000Fields(b *testing.B) {
	r, err := NewRenderer(Config{Mode: ModePublic, Samples: true, Host: "soketi.test"})
	if err != nil {
		b.Fatal(err)
	}
	ev := testEvent(schema.EventStarted)
	ev.Started = &schema.Started{Fields: wideFields(5000)}
	for b.Loop() {
		if _, err := r.Render(ev, RungFull); err != nil {
			b.Fatal(err)
		}
	}
}
