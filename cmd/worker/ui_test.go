package main

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/admin"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

// newTestSources is the demo's database, its way to Redis, and the files of the repository.
func newTestSources(t *testing.T) (*sources, *miniredis.Miniredis) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{Dialect: store.SQLite, DSN: filepath.Join(t.TempDir(), "app.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := prepare(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	server := miniredis.RunT(t)
	client := newLimitRedis(redis.UniversalOptions{Addrs: []string{server.Addr()}})
	t.Cleanup(func() { _ = client.Close() })
	requests, err := newRequests(db, client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return &sources{requests: requests, folder: "../../examples/more"}, server
}

func TestSources(t *testing.T) {
	t.Parallel()
	s, server := newTestSources(t)
	samples, err := s.Samples(t.Context())
	if err != nil || len(samples) != 4 {
		t.Fatalf("samples %v, %v", samples, err)
	}
	for _, sample := range samples {
		if sample.Fields < 8 {
			t.Errorf("%s has %d fields", sample.File, sample.Fields)
		}
	}
	first, err := s.AddSample(t.Context(), "orders_pos.csv")
	if err != nil || first.Name != "orders_pos" || first.SchemaID == 0 {
		t.Fatalf("added %+v, %v", first, err)
	}
	again, err := s.AddSample(t.Context(), "orders_pos.csv")
	if err != nil || again != first {
		t.Errorf("added again: %+v, %v; want the same", again, err)
	}
	uploaded, err := s.AddFile(t.Context(), `C:\tmp/../things.csv`, strings.NewReader("a;b\n1;2\n"))
	if err != nil || uploaded.Name != "things" || uploaded.SchemaID == first.SchemaID {
		t.Errorf("uploaded %+v, %v", uploaded, err)
	}
	if tasks, err := server.List("asynq:{" + task.QueueInteractive + "}:pending"); err != nil || len(tasks) != 2 {
		t.Errorf("the tasks are %v, %v", tasks, err)
	}
	for name, add := range map[string]func() (admin.Added, error){
		"a file beside them":  func() (admin.Added, error) { return s.AddSample(t.Context(), "../shop_orders.csv") },
		"a file not there":    func() (admin.Added, error) { return s.AddSample(t.Context(), "nothing.csv") },
		"an empty upload":     func() (admin.Added, error) { return s.AddFile(t.Context(), "a.csv", strings.NewReader("")) },
		"broken JSON":         func() (admin.Added, error) { return s.AddFile(t.Context(), "a.json", strings.NewReader(`{"a":`)) },
		"an upload of a text": func() (admin.Added, error) { return s.AddFile(t.Context(), "a.json", strings.NewReader(`hello`)) },
	} {
		_, err := add()
		if _, ok := errors.AsType[*admin.InputError](err); !ok {
			t.Errorf("%s: %v, want an error of the input", name, err)
		}
	}
}

// A retry that is asked for twice is one run, and Redis may be away.
func TestRetry(t *testing.T) {
	t.Parallel()
	s, server := newTestSources(t)
	added, err := s.AddSample(t.Context(), "orders_pos.csv")
	if err != nil {
		t.Fatal(err)
	}
	claim, err := s.db.Claim(t.Context(), run.ClaimRequest{SchemaID: added.SchemaID, Owner: "w"})
	if err != nil {
		t.Fatal(err)
	}
	running, err := s.Retry(t.Context(), added.SchemaID, demoTenant, false)
	if err != nil || !running.Already || !running.Running || running.RunID != claim.RunID {
		t.Errorf("while it runs: %+v, %v", running, err)
	}
	if err := s.db.Fail(t.Context(), claim, run.Failure{Code: "x", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	server.Close()
	first, err := s.Retry(t.Context(), added.SchemaID, demoTenant, false)
	if err != nil || first.Already || first.Running || first.RunID == claim.RunID {
		t.Errorf("the retry: %+v, %v", first, err)
	}
	second, err := s.Retry(t.Context(), added.SchemaID, demoTenant, false)
	if err != nil || !second.Already || second.RunID != first.RunID {
		t.Errorf("the retry again: %+v, %v", second, err)
	}
	if _, err := s.Retry(t.Context(), added.SchemaID, "another", false); !errors.Is(err, run.ErrUnknownSchema) {
		t.Errorf("of another tenant: %v", err)
	}
}
