package broadcast

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// BenchmarkBacklog sends what an outage leaves behind: 10,000 schemas with their started
// event, two of progress and the completed one. The bar is a minute. The outbox is in
// memory, so it measures rendering, the wire and the server.
func BenchmarkBacklog(b *testing.B) {
	servers := map[string]func(*testing.B) Config{
		"server that closes connections, as Soketi": func(b *testing.B) Config {
			b.Helper()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Connection", "close")
				_, _ = io.WriteString(w, soketiOK)
			}))
			b.Cleanup(srv.Close)
			return configFor(b, srv.URL)
		},
	}
	if address := os.Getenv(soketiAddress); address != "" {
		servers["Soketi"] = func(b *testing.B) Config {
			b.Helper()
			return configFor(b, "http://"+address)
		}
	}
	for name, server := range servers {
		b.Run(name, func(b *testing.B) {
			cfg := server(b)
			for b.Loop() {
				sendBacklog(b, cfg, 10_000)
			}
		})
	}
}

func sendBacklog(b *testing.B, cfg Config, streams int64) {
	b.Helper()
	p, err := NewPublisher(cfg, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	renderer, err := NewRenderer(cfg)
	if err != nil {
		b.Fatal(err)
	}
	outbox := newMemory()
	fields := wideFields(30)
	for id := range streams {
		for _, kind := range []schema.EventKind{schema.EventStarted, schema.EventProgress, schema.EventProgress, schema.EventCompleted} {
			ev := shortEvent(id+1, kind)
			if ev.Started != nil {
				ev.Started.Fields = fields
			}
			if ev.Completed != nil {
				ev.Completed.Schema.Fields = fields
			}
			outbox.add("one", ev)
		}
	}
	r, err := NewRelay(outbox, p, renderer, RelayConfig{Owner: "one"})
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	if err := r.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for outbox.left() > 0 {
		<-outbox.empty
	}
	b.ReportMetric(float64(4*streams)/time.Since(begin).Seconds(), "events/s")
	if err := r.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.HeapSys>>20), "MiB-heap")
}
