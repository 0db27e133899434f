package e2e

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

func TestTwoWorkersShareABacklog(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	g.env["WORKER_CONCURRENCY"] = "4"
	g.llm.Otherwise(llmtest.Delayed(50*time.Millisecond, llmtest.Good()))
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: g.soketi, Tenant: g.tenant})
	ids := g.add(shapes(40)...)
	g.start(t)
	g.start(t)
	g.enqueue(ids, "--wait")
	g.wantValue("2", "SELECT count(DISTINCT owner) FROM schemacast_attempts")
	g.wantValue("40 40", "SELECT count(*) || ' ' || sum(attempts) FROM schemacast_runs WHERE outcome = 'completed'")
	g.wantValue("4", "SELECT count(*) FROM schemas WHERE type = 'struct'")
	want := map[string]string{}
	for _, id := range ids {
		want[id] = "started completed"
	}
	if diff := cmp.Diff(want, g.told(receiver)); diff != "" {
		t.Errorf("events of each schema (-want +got):\n%s", diff)
	}
}

func TestHumanConfirmsWhileTheModelThinks(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	release := g.hold()
	g.start(t)
	ids := g.add(shapes(1)...)
	g.enqueue(ids)
	g.asked(1)
	g.exec("UPDATE schemas SET status = 'confirmed', name = 'Ours' WHERE id = $1", ids[0])
	release()
	g.awaitValue("completed kept_human", "SELECT state || ' ' || outcome FROM schemacast_runs")
	g.wantValue("confirmed completed Ours", "SELECT status || ' ' || ai_analysis_status || ' ' || name FROM schemas WHERE ai_recommendations IS NOT NULL")
	g.wantValue("0", "SELECT count(*) FROM schema_mappings")
	g.wantHistory("started completed")
}

func TestChannelsThatNeedAuthorisation(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for _, mode := range []testenv.ChannelMode{testenv.Private, testenv.Encrypted} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			g := newGround(t, testenv.Soketi(t))
			g.env["BROADCAST_CHANNEL"] = string(mode)
			config := testenv.ReceiverConfig{App: g.soketi, Tenant: g.tenant, Mode: mode}
			if mode == testenv.Encrypted {
				g.env["BROADCAST_ENCRYPTION_KEY"], config.MasterKey = key, key
			}
			receiver := testenv.StartReceiver(t, config)
			g.start(t)
			ids := g.add(shapes(1)...)
			g.enqueue(ids, "--wait")
			if diff := cmp.Diff(map[string]string{ids[0]: "started completed"}, g.told(receiver)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
