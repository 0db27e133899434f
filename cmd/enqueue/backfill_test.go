package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/store"
)

func TestBackfillRefusals(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.add("Globex", 1)
	for name, tt := range map[string]struct {
		code int
		want string
		args []string
	}{
		"rate of nothing":    {2, "a rate of 0 asks for nothing; write such as 500/s, or leave --rate out", []string{"--rate", "0"}},
		"rate of 0/s":        {2, "a rate of 0/s asks for nothing", []string{"--rate", "0/s"}},
		"negative rate":      {2, "a rate of -1/s asks for nothing", []string{"--rate=-1/s"}},
		"no rate":            {2, `"fast" is no rate; write such as 500/s`, []string{"--rate", "fast"}},
		"no unit":            {2, `"5/week" is no rate`, []string{"--rate", "5/week"}},
		"no number":          {2, `"NaN/s" is no rate`, []string{"--rate", "NaN/s"}},
		"no date":            {2, `"yesterday" is no date; write such as 2026-01-31`, []string{"--since", "yesterday"}},
		"no day":             {2, `"2026-02-30" is no date`, []string{"--until", "2026-02-30"}},
		"exchanged dates":    {2, "--since 2026-02-01 is not before --until 2026-01-31", []string{"--since", "2026-02-01", "--until", "2026-01-31"}},
		"negative limit":     {2, "must not be negative", []string{"--limit=-1"}},
		"negative pending":   {2, "must not be negative", []string{"--max-pending=-1"}},
		"unknown status":     {2, "must be one of", []string{"--status", "done"}},
		"unknown queue":      {2, "must be one of", []string{"--queue", "x"}},
		"disabled, no force": {2, "add --force", []string{"--status", "disabled"}},
		"resume nothing":     {2, "there is no interrupted backfill to go on with; leave out --resume", []string{"--resume"}},
		"resume others":      {2, "leave out --tenant", []string{"--resume", "--tenant", "Globex"}},
		"resume and count":   {2, "--resume and --dry-run can not be used together", []string{"--resume", "--dry-run"}},
		"nobody says yes":    {2, "1 analysis would be asked for and nobody is here to say yes; add --yes", nil},
		"unknown tenant":     {1, "(Globex)", []string{"--tenant", "globx", "--yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := (&ground{t: t, db: g.db, redis: g.redis, environ: g.environ}).want(tt.code, tt.want, append([]string{"backfill"}, tt.args...)...)
			if strings.Count(out.stderr, "\n") != 1 {
				t.Errorf("more than a line: %s", out.stderr)
			}
		})
	}
	g.wantQueued(0, "schemas-backfill")
}

// sql changes the database behind the command's back.
func (g *ground) sql(statement string, args ...any) {
	g.t.Helper()
	var path string
	for _, variable := range g.environ {
		if p, ok := strings.CutPrefix(variable, "DB_DATABASE="); ok {
			path = p
		}
	}
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
	g.must(err)
	_, err = db.ExecContext(g.t.Context(), statement, args...)
	g.must(errors.Join(err, db.Close()))
}

// add stores rows as the app had them some years ago, half of them failed.
func (g *ground) add(tenant string, n int) {
	g.t.Helper()
	g.sql(`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
		INSERT INTO schemas (created_at, updated_at, hash, tenant_id, sample_data, detected_fields, ai_analysis_status)
		SELECT '2020-01-02 03:04:05', '2020-01-02 03:04:05', ? || n, (SELECT id FROM tenants WHERE name = ?),
			'{"id":7,"e_mail":"a@b.example"}', '[{"name":"id","type":"float","required":true},{"name":"e_mail","type":"email","required":true}]',
			CASE WHEN n % 2 = 0 THEN 'failed' ELSE 'pending' END FROM n`, n, tenant, tenant)
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.want(0, "nothing is left to ask for", "backfill", "--yes")
	_, _, err := g.db.CreateTenant(t.Context(), "Initech")
	g.must(err)
	g.add("Globex", 30)
	g.add("Initech", 10)
	g.want(0, "40 schemas of 2 tenants: 20 failed, 20 pending", "backfill", "--dry-run")
	g.want(0, "estimate: no analysis has ended here yet", "backfill", "--dry-run")
	g.wantQueued(0, "schemas-backfill")
	g.want(0, "4 analyses asked for", "backfill", "--tenant", "Initech", "--limit", "4", "--yes")
	g.want(0, "36 analyses asked for", "backfill", "--yes")
	g.wantQueued(40, "schemas-backfill")
	g.want(0, "left alone: 40 wait or run already", "backfill", "--dry-run")
	g.want(0, "nothing is left", "backfill", "--yes")
	g.want(2, "there is no interrupted backfill", "backfill", "--resume")
}

func TestBackfillDocuments(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.add("Globex", 5)
	var plan planDocument
	g.must(json.Unmarshal([]byte(g.want(0, "", "--json", "backfill", "--dry-run", "--limit", "3").stdout), &plan))
	if plan.Eligible != 5 || plan.Asked != 3 || !plan.DryRun || plan.Estimate != nil || len(plan.Tenants) != 1 {
		t.Errorf("plan %+v", plan)
	}
	var doc backfillDocument
	g.must(json.Unmarshal([]byte(g.want(0, "", "--json", "backfill", "--yes", "--status", "failed", "--queue", "schemas", "--force").stdout), &doc))
	if doc.State != backfillDone || doc.Tasks != 2 || doc.Backfill.Opened != 2 || doc.Backfill.By != "cli:test" {
		t.Errorf("document %+v", doc)
	}
	g.wantQueued(2, "schemas")
	runs, err := g.db.History(t.Context(), 2, "", 1)
	g.must(err)
	if len(runs) != 1 || !runs[0].Force || runs[0].RequestedBy != "cli:test" {
		t.Errorf("runs %+v", runs)
	}
}

// Redis goes away and stays away: the runs are in the database, and --resume makes the
// tasks.
func TestBackfillWithoutRedis(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.add("Globex", 12)
	g.redis.Close()
	out := g.want(1, "some of their tasks are not in Redis", "backfill", "--yes")
	if !strings.Contains(out.stdout, "12 analyses asked for") || !strings.Contains(out.stderr, "the analyses are stored all the same") {
		t.Errorf("%s%s", out.stdout, out.stderr)
	}
	g.want(1, "some of their tasks are not in Redis", "backfill", "--resume")
	g.must(g.redis.Restart())
	g.want(0, "0 analyses asked for", "backfill", "--resume")
	g.wantQueued(12, "schemas-backfill")
	g.want(2, "there is no interrupted backfill", "backfill", "--resume")
}

// An interrupted backfill goes on where it was, once.
func TestBackfillInterrupted(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.add("Globex", 40)
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &stream{}
	ended := make(chan output, 1)
	go func() {
		ended <- g.runWith(ctx, strings.NewReader(""), stderr, "backfill", "--yes", "--max-pending", "10")
	}()
	stderr.await(t, "10 of 40 analyses, waits for the workers")
	g.want(1, "another backfill is at work; wait for its end", "backfill", "--resume")
	cancel()
	if out := <-ended; out.code != exitInterrupted || !strings.Contains(out.stderr, "go on with `enqueue backfill --resume`") {
		t.Errorf("exit %d: %s", out.code, out.stderr)
	}
	g.wantQueued(10, "schemas-backfill")
	g.want(0, "30 analyses asked for", "backfill", "--resume")
	g.wantQueued(40, "schemas-backfill")
}

func TestBackfillReplacesAnInterruptedOne(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.add("Globex", 4)
	_, _, err := g.db.StartBackfill(t.Context(), "gone", store.BackfillRequest{By: "cli:them"})
	g.must(err)
	g.want(0, "the backfill of cli:them that was interrupted after schema 0 is given up", "backfill", "--yes")
}

func TestBackfillIsWatched(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.add("Globex", 6)
	g.worker()
	g.want(0, "6 completed, 0 failed, 0 wait or run", "backfill", "--yes", "--watch")
	g.want(0, "estimate, if these are as the last 6 analyses: 0 calls to the model", "backfill", "--dry-run", "--status", "completed")
}

func TestBackfillRate(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.add("Globex", 20)
	begun := time.Now()
	g.want(0, "20 analyses asked for", "backfill", "--yes", "--rate", "20/s")
	// All but the first page of five wait.
	if took := time.Since(begun); took < 700*time.Millisecond {
		t.Errorf("20 at 20/s took %s", took)
	}
}

func TestBackfillAsks(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{"y\n": nil, "YES\n": nil, "n\n": errDeclined, "\n": errDeclined, "": errDeclined} {
		a := &app{stdin: strings.NewReader(answer), stderr: &stream{}}
		if err := a.ask(t.Context(), "Ask?"); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", answer, err, want)
		}
	}
}

func TestMoments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"2026-01-31":                {"2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"},
		"2026-01-31T08:00:00Z":      {"2026-01-31T08:00:00Z", "2026-01-31T08:00:00Z"},
		"2026-01-31T08:00:00+02:00": {"2026-01-31T06:00:00Z", "2026-01-31T06:00:00Z"},
		"2026-01-31 08:00":          {"2026-01-31T08:00:00Z", "2026-01-31T08:00:00Z"},
	} {
		var m moment
		if err := m.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, [2]string{m.begin().Format(time.RFC3339), m.end().Format(time.RFC3339)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for text, want := range map[string]time.Duration{"30d": 720 * time.Hour, "90m": 90 * time.Minute} {
		var m moment
		if err := m.UnmarshalText([]byte(text)); err != nil || time.Since(m.begin()).Round(time.Minute) != want {
			t.Errorf("%s is %s, %v", text, m.begin(), err)
		}
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]perSecond{"500/s": 500, "500": 500, "120/m": 2, "1800/h": 0.5, "0.5/s": 0.5} {
		var r perSecond
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%s is %v, %v, want %v", text, r, err, want)
		}
	}
}

func TestEstimates(t *testing.T) {
	t.Parallel()
	u := store.Usage{Runs: 10, Calls: 1.5, PromptTokens: 1000, CompletionTokens: 99.95, CostMicros: 250, Priced: 10}
	got := estimateText(estimateOf(u, 1_000_000), u)
	want := "estimate, if these are as the last 10 analyses: 1,500,000 calls to the model, 1,000,000,000 tokens in and 99,950,000 out, US$ 250.00"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBackfillBar(t *testing.T) {
	t.Parallel()
	stderr := &stream{}
	a := &app{stderr: stderr}
	p := &bar{app: a, bar: newBar(stderr, 1000, "analyses")}
	p.show(store.Backfill{Opened: 400, Skipped: store.BackfillSkipped{Mapped: 1200}}, "waits for the workers")
	p.note("Redis is away")
	p.end(store.Backfill{Opened: 1000})
	for _, want := range []string{"1,200 skipped waits for the workers", "enqueue: Redis is away\n", "1000/1000"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("the bar said %q, want %q in it", stderr.String(), want)
		}
	}
}
