package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

// claim takes a schema up as a worker does.
func (g *ground) claim(schemaID int64) *run.Claim {
	g.t.Helper()
	claim, err := g.db.Claim(g.t.Context(), run.ClaimRequest{SchemaID: schemaID, Owner: "other:1"})
	g.must(err)
	return claim
}

// fail makes a schema whose analysis failed with a code.
func (g *ground) fail(name string, code run.Code) int64 {
	g.t.Helper()
	stored, err := g.db.Add(g.t.Context(), store.NewSchema{
		TenantID: g.tenantID(), Fields: []schema.Field{{Name: name, Type: "string"}},
		Encoded: []byte(`[{"name":"` + name + `","type":"string"}]`), Samples: []byte(`[{}]`), By: "test",
	})
	g.must(err)
	g.must(g.db.Fail(g.t.Context(), g.claim(stored.SchemaID), run.Failure{Code: code, Text: "it did not work"}))
	return stored.SchemaID
}

func (g *ground) tenantID() string {
	g.t.Helper()
	tenant, err := g.db.Tenant(g.t.Context(), "Globex")
	g.must(err)
	return tenant.ID
}

func TestCancelOfWhatWaits(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.want(0, "stored and queued", "file", g.file("people.csv", people), "-t", "Globex")
	g.want(1, "tenant Globex has no schema with the id 9", "cancel", "9", "-t", "Globex")
	g.want(0, "schema 1 is cancelled\n", "cancel", "1")
	g.want(1, "schema 1 was not cancelled: ", "cancel", "1")
	g.want(0, "cancelled: cancelled by cli:test", "status", "1")
	standing, err := g.db.Standing(t.Context(), 1, "")
	g.must(err)
	if standing.Open || standing.Failure.Code != run.CodeCancelled {
		t.Errorf("standing %+v, want an ended run with the code cancelled", standing)
	}
	out := g.want(1, "", "--json", "cancel", "1", "9")
	if lines := strings.Split(strings.TrimSpace(out.stdout), "\n"); len(lines) != 2 || !strings.Contains(lines[0], `"state":"nothing_open"`) ||
		!strings.Contains(lines[1], `"state":"unknown"`) {
		t.Errorf("stdout %s, want one document for each schema", out.stdout)
	}
}

func TestCancelOfWhatRuns(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.want(0, "stored and queued", "file", g.file("people.csv", people), "-t", "Globex")
	claim := g.claim(1)
	client := redis.NewClient(&redis.Options{Addr: g.redis.Addr()})
	nudges := client.Subscribe(t.Context(), "asynq:cancel")
	if _, err := nudges.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.want(0, "schema 1 is being cancelled; its worker stops within seconds", "cancel", "1", "--timeout", "0s")
	message, err := nudges.ReceiveMessage(t.Context())
	g.must(err)
	if message.Payload != task.ID(1) {
		t.Errorf("the worker is nudged about %q, want %q", message.Payload, task.ID(1))
	}
	g.must(errors.Join(nudges.Close(), client.Close()))
	g.want(1, "is still worked on after 10ms", "cancel", "1", "--timeout", "10ms")
	var cancelled *run.CancelledError
	if err := g.db.Beat(t.Context(), claim); !errors.As(err, &cancelled) {
		t.Fatalf("beat = %v, want a *run.CancelledError", err)
	}
	g.must(g.db.Fail(t.Context(), claim, run.Failure{Code: run.CodeCancelled, Text: cancelled.Error()}))
	g.want(1, "schema 1 was not cancelled: ", "cancel", "1")
}

func TestStatusTellsTheHistory(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.want(1, "no schema has the id 1", "status", "1")
	g.want(2, "--runs 0 shows nothing", "status", "1", "--runs", "0")
	g.want(0, "stored and queued", "file", g.file("people.csv", people), "-t", "Globex")
	g.want(0, "requested  asked for by cli:test", "status", "1")
	g.must(g.db.Retry(t.Context(), g.claim(1), run.Failure{Code: run.CodeLLMUnavailable, Text: "no answer"}, false))
	out := g.want(0, "attempt 1", "status", "1")
	for _, want := range []string{"llm_unavailable: no answer", "retry", "by other:1", "status pending, analysis pro"} {
		if !strings.Contains(out.stdout, want) {
			t.Errorf("stdout lacks %q:\n%s", want, out.stdout)
		}
	}
	var d statusDocument
	g.must(json.Unmarshal([]byte(g.want(0, "", "--json", "status", "1").stdout), &d))
	if len(d.Runs) != 1 || len(d.Runs[0].Attempts) != 1 || d.Runs[0].EndedAt != nil || d.Runs[0].Attempts[0].ErrorCode != "llm_unavailable" {
		t.Errorf("document %+v, want one open run with one attempt that gave up", d)
	}
	for range 12 {
		g.must(g.db.Retry(t.Context(), g.claim(1), run.Failure{Code: run.CodeLLMRateLimited, Text: "too many requests"}, true))
	}
	g.want(0, "snoozed 12 times  by other:1", "status", "1")
	g.must(json.Unmarshal([]byte(g.want(0, "", "--json", "status", "1").stdout), &d))
	if last := d.Runs[0].Attempts[len(d.Runs[0].Attempts)-1]; last.Number != 13 || last.Times != 12 {
		t.Errorf("last attempt %+v, want 12 snoozes up to number 13", last)
	}
}

func TestRetryOfWhatFailed(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.want(2, "missing flags: --failed", "retry")
	g.want(2, "must not be negative", "retry", "--failed", "--limit=-1")
	g.want(0, "0 analyses failed: 0 queued again", "retry", "--failed")
	for _, name := range []string{"a", "b", "c"} {
		g.fail(name, run.CodeLLMUnavailable)
	}
	g.fail("d", run.CodeLLMRefused)
	g.want(0, "4 analyses failed: nothing was changed", "retry", "--failed", "--dry-run")
	g.want(0, "1  llm_refused", "retry", "--failed", "--dry-run", "--since", "1h", "-t", "Globex")
	g.wantQueued(0, "schemas-backfill")
	g.want(0, "2 analyses failed: 2 queued again", "retry", "--failed", "--code", "llm_unavailable", "--limit", "2")
	g.wantQueued(2, "schemas-backfill")
	runs, err := g.db.History(t.Context(), 1, "", 1)
	g.must(err)
	if len(runs) != 1 || runs[0].State != "requested" || runs[0].Queue != task.QueueBackfill || runs[0].RequestedBy != "cli:test" {
		t.Errorf("newest run %+v, want one that is requested for the backfill", runs)
	}
	var r retried
	g.must(json.Unmarshal([]byte(g.want(0, "", "--json", "retry", "--failed", "--queue", "schemas").stdout), &r))
	if r.Failed != 2 || r.Queued != 2 || r.ByCode[run.CodeLLMRefused] != 1 {
		t.Errorf("%+v, want the two that are left", r)
	}
	g.wantQueued(2, "schemas")
	g.fail("cancelled", run.CodeCancelled)
	g.want(0, "0 analyses failed: 0 queued again; 1 that were cancelled are left out", "retry", "--failed")
	g.want(0, "1 analysis failed: 1 queued again", "retry", "--failed", "--code", "cancelled", "--queue", "schemas")
	g.redis.Close()
	g.fail("e", run.CodeInternal)
	g.want(1, "the wish is stored", "retry", "--failed")
}

func TestStatusOfAnUntouchedRow(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	stored, err := g.db.Add(t.Context(), store.NewSchema{TenantID: g.tenantID(), Encoded: []byte(`[{"name":"x","type":"string"}]`), Samples: []byte(`[{}]`)})
	g.must(err)
	_, err = g.db.Erase(t.Context(), g.tenantID())
	var open *store.OpenRunsError
	if !errors.As(err, &open) || open.Count != 1 {
		t.Errorf("erase = %v, want an *store.OpenRunsError of one run", err)
	}
	claim := g.claim(stored.SchemaID)
	g.must(g.db.Fail(t.Context(), claim, run.Failure{Code: run.CodeInternal, Text: "x"}))
	if _, err := g.db.Erase(t.Context(), g.tenantID()); err != nil {
		t.Error(err)
	}
	g.want(0, "no run: nobody asked for its analysis, or it was too long ago", "status", "1")
	if got := lasted(time.Time{}, time.Time{}); got != "" {
		t.Errorf("lasted = %q for what has no end", got)
	}
}
