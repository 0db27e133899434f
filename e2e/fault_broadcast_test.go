package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/testenv"
)

func TestFault30SoketiDown(t *testing.T) {
	t.Parallel()
	soketi := testenv.StartSoketi(t)
	recorder := testenv.StartRecorder(t, &soketi.SoketiApp)
	g := faulty(newGround(t, recorder.App), recorder)
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: soketi.SoketiApp, Tenant: g.tenant, Watchdog: true})
	g.start(t)
	soketi.Stop()
	const n = 50
	ids := g.add(shapes(n)...)
	g.enqueue(ids)
	g.awaitValue("50", "SELECT count(*) FROM schemacast_runs WHERE outcome = 'completed' AND attempts = 1")
	g.wantValue("0", "SELECT count(*) FROM schemacast_events WHERE sent_ms IS NOT NULL AND dropped = ''")
	soketi.Start()
	receiver.WaitReady(2, patience)
	g.prove(verdict{calls: n})
	want := map[string]string{}
	for _, id := range ids {
		want[id] = "started completed"
	}
	// What was sent before the receiver was back is gone: Soketi has no memory.
	heard := len(receiver.Messages())
	t.Logf("the subscriber heard %d of %d messages", heard, len(recorder.Messages()))
	if diff := cmp.Diff(want, heardStates(t, recorder)); diff != "" {
		t.Errorf("states of each schema as Soketi took them (-want +got):\n%s", diff)
	}
}

// heardStates returns the states of each schema in the order of their first deliveries.
func heardStates(t *testing.T, recorder *testenv.Recorder) map[string]string {
	t.Helper()
	seen, list := map[string]bool{}, map[string]string{}
	for _, m := range recorder.Messages() {
		e := decode[event](t, m.Data)
		if m.Event != "schema.analysis" || seen[e.EventID] {
			continue
		}
		seen[e.EventID] = true
		id := fmt.Sprint(e.SchemaID)
		list[id] = strings.TrimSpace(list[id] + " " + e.Status)
	}
	return list
}

// The runs end although not one request to the receiver does.
func TestFault31SoketiHangs(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	wait, release := testenv.Until(t)
	// Who waits at the end gets no word that anything was taken.
	g.recorder.Behave(func(int, []testenv.Published) testenv.Reply {
		return testenv.Reply{Wait: wait, Status: http.StatusServiceUnavailable}
	})
	w := g.start(t)
	g.enqueue(g.add(shapes(20)...))
	g.recorder.WaitRequests(1, patience)
	g.awaitValue("20", "SELECT count(*) FROM schemacast_runs WHERE outcome = 'completed' AND attempts = 1")
	if n := g.recorder.Requests(); n > 5 {
		t.Errorf("%d requests to a server that answers none", n)
	}
	// It is given up after its timeout, and the health tells.
	w.says("broadcasting is interrupted")
	if status, body := w.ready(); status != http.StatusOK {
		t.Errorf("a receiver that hangs makes the worker not ready: %d %s", status, body)
	}
	g.recorder.Behave(testenv.Takes)
	release()
	g.prove(verdict{calls: 20})
}

// It takes everything and says that it failed: clients get events twice, and know it by
// their ids.
func TestFault31SoketiTakesAndFails(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.recorder.Behave(func(n int, _ []testenv.Published) testenv.Reply {
		switch n % 6 {
		case 1:
			return testenv.Reply{Take: true, Status: http.StatusBadGateway, Body: "<html>"}
		case 3:
			return testenv.Reply{Take: true, Body: `{"error":"internal","code":500}`}
		case 5:
			return testenv.Reply{Body: `{"error":"Too many requests.","code":429}`}
		}
		return testenv.Reply{Take: true}
	})
	g.start(t)
	g.enqueue(g.add(shapes(20)...))
	g.prove(verdict{calls: 20})
	if len(g.recorder.Messages()) <= 40 {
		t.Error("nothing was delivered twice: the test proves nothing")
	}
}

func TestFault32SoketiRefusesUs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code int
		text string
	}{
		{http.StatusUnauthorized, "The secret authentication failed"},
		{http.StatusNotFound, "The app could not be found."},
	} {
		t.Run(fmt.Sprint(c.code), func(t *testing.T) {
			t.Parallel()
			g := newFaultGround(t)
			g.recorder.Behave(testenv.Refuses(c.code, c.text))
			w := g.start(t)
			g.enqueue(g.add(shapes(20)...))
			g.awaitValue("20", "SELECT count(*) FROM schemacast_runs WHERE outcome = 'completed' AND attempts = 1")
			w.says("broadcasting is misconfigured")
			await(t, "/readyz answers 200, and that it is degraded", func() bool {
				status, body := w.ready()
				return status == http.StatusOK && strings.Contains(body, "degraded")
			})
			if n := g.recorder.Requests(); n > 3 {
				t.Errorf("%d requests to a server that refuses the app", n)
			}
			g.recorder.Behave(testenv.Takes)
			g.prove(verdict{calls: 20})
			await(t, "/readyz does not say that it is degraded", func() bool {
				_, body := w.ready()
				return !strings.Contains(body, "degraded")
			})
		})
	}
}

// limited refuses events above a size, as servers with a limit below ours do.
func limited(size int) testenv.Behaviour {
	return func(_ int, messages []testenv.Published) testenv.Reply {
		for _, m := range messages {
			if len(m.Data) > size {
				return testenv.Reply{Body: `{"error":"The event data is too large.","code":413}`}
			}
		}
		return testenv.Reply{Take: true}
	}
}

func TestFault33SoketiFindsEventsTooLarge(t *testing.T) {
	t.Parallel()
	t.Run("the minimal form passes", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		g.recorder.Behave(limited(1000))
		g.start(t)
		g.enqueue(g.add(wide(60)))
		g.prove(verdict{calls: 1, runs: "completed 1"})
		g.wantHistory("started completed")
		for _, m := range g.recorder.Messages() {
			if strings.Contains(string(m.Data), "reading_") {
				t.Errorf("%d bytes with the fields passed a limit of 1000", len(m.Data))
			}
		}
	})
	t.Run("not even that", func(t *testing.T) {
		t.Parallel()
		g := newFaultGround(t)
		g.start(t)
		ids := g.add(append(shapes(3), wide(60))...)
		g.recorder.Behave(func(n int, messages []testenv.Published) testenv.Reply {
			for _, m := range messages {
				if strings.Contains(string(m.Data), `"schema_id":`+ids[1]+",") {
					return limited(0)(n, messages)
				}
			}
			return testenv.Reply{Take: true}
		})
		g.enqueue(ids)
		g.prove(verdict{calls: 4, runs: "completed 1, completed 1, completed 1, completed 1", dropped: 2})
		g.wantValue("2", "SELECT count(*) FROM schemacast_events WHERE dropped <> '' AND kind <> 'progress' AND schema_id = "+ids[1])
	})
}

// sundry is a shape of many fields that share no word and no number.
func sundry(fields int) string {
	var list []string
	for i := range fields {
		list = append(list, fmt.Sprintf(`{"name":"%c%c%czu_%c%c%cqo","type":"float"}`,
			'a'+i/676, 'a'+i/26%26, 'a'+i%26, 'k'+i/676, 'a'+i%26, 'a'+i/26%26))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// wide is a shape of many fields.
func wide(fields int) string {
	var list []string
	for i := range fields {
		list = append(list, fmt.Sprintf(`{"name":"reading_%04d","type":"float"}`, i))
	}
	return "[" + strings.Join(list, ",") + "]"
}
