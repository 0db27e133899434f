package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	people = "id,e_mail\n1,a@b.example\n2,c@d.example\n"
	orders = "order_id,total\nA-1,9.90\nA-2,12.50\n"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	good, empty := g.file("good.csv", people), g.file("empty.csv", "")
	for name, tt := range map[string]struct {
		code int
		want string
		args []string
	}{
		"no command":         {2, "expected one of", nil},
		"unknown command":    {2, "unexpected argument ·[31m", []string{"\x1b[31m"}},
		"no tenant":          {2, "the tenant is missing; write its id or name behind --tenant", []string{"file", good}},
		"empty tenant":       {2, "the tenant is missing", []string{"file", good, "--create-tenant", ""}},
		"two tenants":        {2, "can't be used together", []string{"file", good, "-t", "a", "--create-tenant", "b"}},
		"name for two":       {2, "there are 2 files", []string{"file", good, good, "-n", "x", "-t", "Globex"}},
		"name with escape":   {2, `--name "\x1b[2J" can not be the name`, []string{"file", good, "-n", "\x1b[2J", "-t", "Globex"}},
		"long name":          {2, "at most 255 characters", []string{"file", good, "-n", strings.Repeat("ü", 256), "-t", "Globex"}},
		"stdin twice":        {2, "standard input can be read once", []string{"file", "-", "-", "-t", "Globex"}},
		"no time":            {2, "--timeout 0s leaves no time", []string{"schema", "1", "--wait", "--timeout", "0s"}},
		"no id":              {2, "0 is no id of a schema", []string{"schema", "0"}},
		"negative id":        {2, "-1 is no id of a schema", []string{"schema", "--", "-1"}},
		"id too large":       {2, `"9223372036854775808"`, []string{"schema", "9223372036854775808"}},
		"unknown queue":      {2, `"schemas","schemas-backfill"`, []string{"schema", "1", "--queue", "x"}},
		"unknown schema":     {1, "no schema has the id 9000000000000000000; see the column id", []string{"schema", "9000000000000000000"}},
		"schema of no other": {1, "tenant Globex has no schema with the id 7", []string{"schema", "7", "-t", "Globex"}},
		"unknown tenant":     {1, "(Globex); use one of them", []string{"file", good, "-t", "globx"}},
		"no file":            {1, "no such file", []string{"file", "missing.csv", "-t", "Globex"}},
		"folder":             {1, "is a folder; name the files in it", []string{"file", t.TempDir(), "-t", "Globex"}},
		"empty file":         {1, "empty.csv: the file is empty; export at least one record", []string{"file", empty, "-t", "Globex"}},
		"empty stdin":        {1, "standard input: the file is empty", []string{"file", "-", "-t", "Globex"}},
		"one bad of two":     {1, "empty.csv", []string{"file", good, empty, "-t", "Globex"}},
		"no fields":          {1, "has no field that can be stored", []string{"file", g.file("none.json", "[{},{}]"), "-t", "Globex"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := (&ground{t: t, db: g.db, redis: g.redis, environ: g.environ}).want(tt.code, tt.want, tt.args...)
			if out.stdout != "" {
				t.Errorf("stdout: %s", out.stdout)
			}
		})
	}
	g.wantQueued(0, "schemas")
	g.want(0, "schema 1 is stored", "file", good, "-t", "Globex") // no other was
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.environ = nil
	out := g.want(78, "DB_DATABASE is not set", "schema", "1")
	if strings.Count(out.stderr, "enqueue:") != 1 {
		t.Errorf("stderr: %s", out.stderr)
	}
	g.environ = []string{"DB_CONNECTION=sqlite", "DB_DATABASE=" + t.TempDir() + "/other.db"}
	g.want(1, "worker migrate", "schema", "1")
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.environ = nil
	g.want(0, "Store the shape of files", "--help")
	g.want(0, "enqueue ", "--version")
}

func TestKnownShapes(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	path := g.file("people.2026-01.csv", people)
	g.want(0, "2 fields of 2 records: schema 1 is stored and queued", "file", path, "-t", "Globex")
	g.want(0, "Initech) was made", "file", path, "--create-tenant", "Initech")
	g.want(0, "schema 1 waits or runs already", "file", path, "-t", "Globex")
	g.wantQueued(2, "schemas")
	g.worker()
	out := g.want(0, "people.2026-01 -> entity ", "schema", "1", "--wait")
	if !strings.Contains(out.stdout, "2 of 2 fields mapped") {
		t.Errorf("stdout: %s", out.stdout)
	}
	g.want(0, "schema 1 is known: this shape is analysed already", "file", path, "-t", "Globex")
	// The task of the run before may not be acknowledged yet, so it may say either.
	g.want(0, "2 of 2 fields mapped", "file", path, "-t", "Globex", "--force", "--wait")
	runs, err := g.db.History(t.Context(), 1, "", 2)
	g.must(err)
	if len(runs) != 2 || runs[0].State != "completed" || !runs[0].Force {
		t.Errorf("runs %+v, want a second one that was forced", runs)
	}
	standing, err := g.db.Standing(t.Context(), 1, "")
	g.must(err)
	g.want(1, "it is a canonical entity; name the schema", "schema", strconv.FormatInt(standing.EntityID, 10))
}

func TestSeveralFiles(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	stdin := strings.NewReader("{\"sku\":\"x\"}\n\n{\"sku\":\"y\"}\n")
	out := g.runWith(t.Context(), stdin, &stream{}, "file", g.file("a.csv", people), "-", g.file("b.csv", orders), "-t", "Globex",
		"--queue", "schemas-backfill")
	if want := "standard input: 1 field of 2 records: schema 2 is stored and queued\n"; out.code != 0 || !strings.Contains(out.stdout, want) ||
		strings.Count(out.stdout, "\n") != 3 || out.stderr != "" {
		t.Errorf("got %+v, want three lines, one of them %s", out, want)
	}
	g.wantQueued(3, "schemas-backfill")
	// One that can not be analysed does not stop the others.
	out = g.run("schema", "1", "1", "99", "2")
	if want := "schema 1 waits or runs already\nschema 2 waits or runs already\n"; out.code != 1 || out.stdout != want ||
		!strings.Contains(out.stderr, "99") {
		t.Errorf("got %+v, want exit 1, 99 among the errors, and\n%s", out, want)
	}
}

// What strangers named must not steer the terminal of whoever enqueues it; see
// ground.runWith for the check.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	_, _, err := g.db.CreateTenant(t.Context(), "\x1b]0;owned\x07")
	g.must(err)
	g.worker()
	g.want(1, "·]0;owned·", "file", g.file("x.csv", people), "-t", "owned")
	header := "\x1b[2Jred,`,\u202ertl,ok\n1,2,3,\x1b[31m\n"
	out := g.want(0, "field \"·[2Jred\" is left out", "file", g.file("\x1b[31mevil\n.csv", header), "-t", "\x1b]0;owned\x07", "-w")
	if !strings.Contains(out.stdout, "  [31mevil -> entity ") || !strings.Contains(out.stdout, "·rtl") {
		t.Errorf("stdout: %s", out.stdout)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	tenant, err := g.db.Tenant(t.Context(), "Globex")
	g.must(err)
	path := g.file("people.csv", people)
	documents := func(out output) (list []map[string]any) {
		for dec := json.NewDecoder(strings.NewReader(out.stdout)); ; {
			var d map[string]any
			if err := dec.Decode(&d); err == io.EOF {
				return list
			} else if err != nil {
				t.Fatalf("stdout is no JSON: %v: %s", err, out.stdout)
			}
			list = append(list, d)
		}
	}
	want := []map[string]any{{
		"schema_id": 1.0, "tenant_id": tenant.ID, "path": path, "known": false, "request": "accepted", "queued": "enqueued",
	}}
	if diff := cmp.Diff(want, documents(g.want(0, "", "--json", "file", path, "-t", "Globex"))); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	g.worker()
	got := documents(g.want(1, "", "--json", "schema", "1", "99", "--wait"))
	if len(got) != 2 || got[1]["problem"] == nil || got[1]["request"] != "unknown" {
		t.Fatalf("got %v, want two documents, the second with a problem", got)
	}
	standing, _ := got[0]["standing"].(map[string]any)
	delete(standing, "action") // it maps to its own entity when the worker was faster than the second command
	delete(standing, "run_id")
	delete(standing, "mappings")
	delete(standing, "entity_id")
	delete(standing, "entity")
	delete(standing, "review")
	if diff := cmp.Diff(map[string]any{
		"name": "people", "status": "confirmed", "ai_analysis_status": "completed", "open": false, "attempts": 1.0,
		"outcome": "completed", "engine": "offline",
	}, standing); diff != "" {
		t.Errorf("standing (-want +got):\n%s", diff)
	}
}

func TestRedisDown(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.redis.Close()
	path := g.file("people.csv", people)
	// Nobody would end the waiting, so there is none.
	out := g.want(1, "run the same command again when Redis is back", "file", path, "-t", "Globex", "--wait")
	if !strings.Contains(out.stdout, "schema 1 waits in the database, not in Redis") {
		t.Errorf("stdout: %s", out.stdout)
	}
	g.must(g.redis.Restart())
	g.want(0, "schema 1 waits or runs already", "file", path, "-t", "Globex")
	g.wantQueued(1, "schemas")
}

func TestWaitIsInterrupted(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	path := g.file("people.csv", people)
	ctx, interrupt := context.WithCancel(t.Context())
	stderr := &stream{}
	ended := make(chan output, 1)
	go func() { ended <- g.runWith(ctx, nil, stderr, "file", path, "-t", "Globex", "--wait") }()
	stderr.await(t, "waiting for 1 analysis, up to 15m0s; Ctrl-C ends the waiting, not the work")
	interrupt()
	out := <-ended
	if want := path + ": schema 1: waiting was interrupted; its analysis goes on"; out.code != 1 || !strings.Contains(out.stderr, want) {
		t.Errorf("got %+v, want exit 1 and %s", out, want)
	}
	g.wantQueued(1, "schemas")
	g.want(1, "schema 1 has not ended after 1ms and goes on in the background; is a worker running?",
		"schema", "1", "--wait", "--timeout", "1ms")
}

func TestReadingIsInterrupted(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	stdin, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	out := g.runWith(ctx, stdin, &stream{}, "file", "-", "-t", "Globex")
	if out.code != 1 || !strings.Contains(out.stderr, "nothing is stored") {
		t.Errorf("got %+v, want exit 1 and the reason", out)
	}
}

// A full disk behind standard output is told, and loses no task.
func TestOutputFails(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	var stderr bytes.Buffer
	a := &app{environ: g.environ, stdout: full{}, stderr: &stderr}
	if code := a.main(t.Context(), []string{"--env-file=", "file", g.file("a.csv", people), "-t", "Globex"}); code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	if !strings.Contains(stderr.String(), io.ErrShortWrite.Error()) {
		t.Errorf("stderr: %s", stderr.String())
	}
	g.wantQueued(1, "schemas")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
