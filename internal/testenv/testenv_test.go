package testenv_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/pusher/pusher-http-go/v5"
	"go.uber.org/goleak"

	"github.com/schemacast/schemacast/internal/testenv"
)

const timeout = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder notes how Need ended a test, which must run in a goroutine of its own.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestNeedSkipsOnALaptopAndFailsInCI(t *testing.T) {
	for _, tc := range []struct {
		ci    string
		fails bool
	}{{"", false}, {"false", false}, {"true", true}, {"1", true}} {
		t.Run("CI="+tc.ci, func(t *testing.T) {
			t.Setenv("CI", tc.ci)
			r := &recorder{TB: t}
			var wg sync.WaitGroup
			wg.Go(func() { testenv.Need(r, "SOMETHING is not set") })
			wg.Wait()
			if failed, skipped := r.failed != "", r.skipped != ""; failed != tc.fails || skipped == tc.fails {
				t.Fatalf("skipped %q, failed %q, want it to fail: %v", r.skipped, r.failed, tc.fails)
			}
			if said := r.skipped + r.failed; !strings.Contains(said, "SOMETHING is not set") || !strings.Contains(said, "make test") {
				t.Errorf("the text %q does not name the thing and the cure", said)
			}
		})
	}
}

func TestPostgresGivesEachCallAnEmptyDatabaseAndDropsIt(t *testing.T) {
	t.Parallel()
	var dsns [4]string
	t.Run("use", func(t *testing.T) {
		for i := range dsns {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				dsns[i] = testenv.Postgres(t)
				// Fails if two calls got the same database.
				query(t, dsns[i], "CREATE TABLE only_here (id int)")
			})
		}
	})
	if dsns[0] == "" {
		t.Skip("the subtests say why")
	}
	for _, dsn := range dsns {
		if conn, err := pgx.Connect(t.Context(), dsn); err == nil {
			_ = conn.Close(t.Context())
			t.Errorf("the database of an ended test is still there")
		}
	}
}

func query(t *testing.T, dsn, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	// The connection stays open until the database is dropped under it.
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestRedisIsPrivateEmptyAndGoneAfterTheTest(t *testing.T) {
	t.Parallel()
	var first, second string
	t.Run("use", func(t *testing.T) {
		first, second = testenv.Redis(t), testenv.Redis(t)
		if got := redisSays(t, first, "SET a 1"); got != "+OK" {
			t.Fatalf("SET answers %q", got)
		}
		if got := redisSays(t, second, "EXISTS a"); got != ":0" {
			t.Fatalf("the second Redis sees the first one's key: %q", got)
		}
	})
	if first == "" {
		t.Skip("the subtest says why")
	}
	for _, addr := range []string{first, second} {
		if accepts(t, addr) {
			t.Errorf("%s still answers after the test", addr)
		}
	}
}

func TestRedisComesBackEmptyOnTheSamePort(t *testing.T) {
	t.Parallel()
	redis := testenv.StartRedis(t)
	redisSays(t, redis.Addr, "SET a 1")
	redis.Stop()
	redis.Stop() // stopping twice is the same
	if accepts(t, redis.Addr) {
		t.Fatal("a stopped Redis accepts connections")
	}
	redis.Start()
	redis.Start()
	if got := redisSays(t, redis.Addr, "EXISTS a"); got != ":0" {
		t.Errorf("EXISTS answers %q after a restart, want :0", got)
	}
}

func redisSays(t *testing.T, addr, command string) string {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func accepts(t *testing.T, addr string) bool {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func TestReceiverSeesWhatIsPublished(t *testing.T) {
	t.Parallel()
	masterKey := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for _, tc := range []struct {
		mode   testenv.ChannelMode
		prefix string
	}{
		{testenv.Public, ""},
		{testenv.Private, "private-"},
		{testenv.Encrypted, "private-encrypted-"},
	} {
		t.Run(string(tc.mode), func(t *testing.T) {
			t.Parallel()
			app := testenv.Soketi(t)
			tenant := "testenv-" + string(tc.mode)
			receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{
				App: app, Tenant: tenant, Mode: tc.mode, MasterKey: masterKey,
			})
			client := publisher(app)
			client.EncryptionMasterKeyBase64 = masterKey
			channel := tc.prefix + "tenant." + tenant + ".schemas"
			publish(t, client, channel, "schema.analysis", map[string]any{"status": "started"})
			publish(t, client, channel, "something.else", map[string]any{"status": "no listener"})
			publish(t, client, channel, "schema.analysis.progress", map[string]any{"stage": "ask"})

			var got []string
			for _, m := range receiver.WaitFor(2, timeout) {
				got = append(got, m.Event+" "+string(m.Payload))
			}
			want := []string{`schema.analysis {"status":"started"}`, `schema.analysis.progress {"stage":"ask"}`}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReceiverAsksTheAuthEndpoint(t *testing.T) {
	t.Parallel()
	app := testenv.Soketi(t)
	client := publisher(app)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := r.Body.Read(body); err != nil && len(body) == 0 {
			http.Error(w, "no body", http.StatusBadRequest)
			return
		}
		answer, err := client.AuthorizePrivateChannel(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		_, _ = w.Write(answer)
	}))
	t.Cleanup(server.Close)
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{
		App: app, Tenant: "testenv-endpoint", Mode: testenv.Private, AuthEndpoint: server.URL,
	})
	publish(t, client, "private-tenant.testenv-endpoint.schemas", "schema.analysis", map[string]any{"status": "failed"})
	receiver.WaitFor(1, timeout)
}

func TestReceiverReportsARefusedSubscription(t *testing.T) {
	t.Parallel()
	app := testenv.Soketi(t)
	app.Secret = "wrong"
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{
		App: app, Tenant: "testenv-refused", Mode: testenv.Private, Refused: true,
	})
	want := []string{"subscribe private-tenant.testenv-refused.schemas: The connection is unauthorized. (401)"}
	if diff := cmp.Diff(want, receiver.Errors()); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestReceiverSubscribesAgainAfterAnOutage(t *testing.T) {
	t.Parallel()
	soketi := testenv.StartSoketi(t)
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: soketi.SoketiApp, Tenant: "8", Watchdog: true})
	client := publisher(soketi.SoketiApp)

	soketi.Stop()
	receiver.WaitDisconnected(timeout)
	if err := client.Trigger("tenant.8.schemas", "schema.analysis", map[string]any{}); err == nil {
		t.Fatal("a stopped Soketi accepts an event")
	}
	soketi.Start()
	receiver.WaitReady(2, timeout)
	publish(t, client, "tenant.8.schemas", "schema.analysis", map[string]any{"status": "completed"})
	receiver.WaitFor(1, timeout)
}

func publisher(app testenv.SoketiApp) *pusher.Client {
	return &pusher.Client{
		AppID: app.AppID, Key: app.Key, Secret: app.Secret, Host: app.Addr(),
		HTTPClient: &http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

func publish(t *testing.T, client *pusher.Client, channel, event string, data any) {
	t.Helper()
	if err := client.Trigger(channel, event, data); err != nil {
		t.Fatalf("publish %s on %s: %v", event, channel, err)
	}
}
