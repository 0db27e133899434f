package e2e

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/schemacast/schemacast/internal/testenv"
)

// useDatabase moves the ground to another PostgreSQL and makes the tables there. dsn
// is the test's own way in.
func (g *ground) useDatabase(dsn string) {
	g.t.Helper()
	g.want(0, "migrated", "worker", "migrate", "--with-app-tables")
	db, err := pgx.Connect(g.t.Context(), dsn)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = db.Close(context.Background()) })
	g.db = db
	g.exec("INSERT INTO tenants (id, name, created_at) VALUES ($1, 'Globex', now())", g.tenant)
}

// secured is a ground whose PostgreSQL and Redis speak TLS only, and ask for
// certificates.
type secured struct {
	*ground
	authority, stranger *testenv.Authority
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{ground: newGround(t, testenv.Soketi(t)), authority: testenv.NewAuthority(t), stranger: testenv.NewAuthority(t)}
	server, own := s.authority.Issue("server"), s.authority.Issue("worker")
	postgres := testenv.StartPostgres(t, testenv.PostgresConfig{TLS: &server, ClientCA: s.authority.File})
	redis := testenv.StartRedisTLS(t, testenv.RedisTLS{Server: server, Clients: s.authority.File})
	s.env["DB_URL"], s.env["REDIS_URL"] = "postgres://postgres@"+postgres.Addr+"/postgres", "rediss://"+redis.Addr
	s.env["DB_SSLMODE"], s.env["DB_SSLROOTCERT"], s.env["DB_SSLCERT"], s.env["DB_SSLKEY"] = "verify-full", s.authority.File, own.CertFile, own.KeyFile
	s.env["REDIS_CA_FILE"], s.env["REDIS_CERT_FILE"], s.env["REDIS_KEY_FILE"] = s.authority.File, own.CertFile, own.KeyFile
	s.useDatabase(fmt.Sprintf("%s?sslmode=verify-full&sslrootcert=%s&sslcert=%s&sslkey=%s",
		s.env["DB_URL"], url.QueryEscape(s.authority.File), url.QueryEscape(own.CertFile), url.QueryEscape(own.KeyFile)))
	return s
}

// Every connection of both programs is encrypted, and the ends know each other.
func TestEverythingOverTLS(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	s.want(0, ", TLS, version", "worker", "check", "--no-llm")
	w := s.start(t)
	ids := s.add(shapes(5)...)
	s.enqueue(ids, "--wait")
	s.wantValue("5", "SELECT count(*) FROM schemas WHERE type = 'input' AND ai_analysis_status = 'completed'")
	s.wantValue("true true", `SELECT bool_and(ssl) || ' ' || (count(*) > 1) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = current_database()`)
	w.stop()
}

// Whoever is not who the certificates say is told so in one sentence, which names the
// variable to mend.
func TestCertificatesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	foreign := s.stranger.Issue("worker")
	plain, _, _ := strings.Cut(testenv.Postgres(t), "?")
	for _, c := range []struct {
		name  string
		env   map[string]string
		wants []string
	}{
		{"redis, another authority", map[string]string{"REDIS_CA_FILE": s.stranger.File}, []string{"unknown authority", "REDIS_CA_FILE"}},
		{"redis, another name", map[string]string{"REDIS_SERVER_NAME": "cache.internal"}, []string{"cache.internal", "REDIS_SERVER_NAME"}},
		{"redis, no certificate", map[string]string{"REDIS_CERT_FILE": "", "REDIS_KEY_FILE": ""}, []string{"certificate required", "REDIS_CERT_FILE"}},
		{"redis, certificate of a stranger", map[string]string{"REDIS_CERT_FILE": foreign.CertFile, "REDIS_KEY_FILE": foreign.KeyFile}, []string{"REDIS_CERT_FILE"}},
		{"redis, plain", map[string]string{
			"REDIS_URL": strings.Replace(s.env["REDIS_URL"], "rediss", "redis", 1), "REDIS_CA_FILE": "", "REDIS_CERT_FILE": "", "REDIS_KEY_FILE": "",
		}, []string{"REDIS_TLS"}},
		{"redis without TLS", map[string]string{"REDIS_URL": "rediss://" + s.server.Addr}, []string{"REDIS_TLS"}},
		{"postgres without TLS", map[string]string{"DB_URL": plain}, []string{"it speaks no TLS", "DB_SSLMODE"}},
		{"postgres, another authority", map[string]string{"DB_SSLROOTCERT": s.stranger.File}, []string{"unknown authority", "DB_SSLROOTCERT"}},
		{"postgres, no certificate", map[string]string{"DB_SSLCERT": "", "DB_SSLKEY": ""}, []string{"certificate", "DB_SSLCERT"}},
		{"postgres, plain", map[string]string{"DB_SSLMODE": "disable", "DB_SSLROOTCERT": "", "DB_SSLCERT": "", "DB_SSLKEY": ""}, []string{"DB_SSLMODE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := s.with(t, c.env)
			o := g.run("worker")
			if o.code != 1 {
				t.Errorf("exit %d, want 1", o.code)
			}
			last := lastLine(o.stderr)
			for _, want := range c.wants {
				if !strings.Contains(last, want) {
					t.Errorf("%q, want %q in it", last, want)
				}
			}
		})
	}
}

// with is the same ground with other variables; an empty value removes one.
func (g *ground) with(t *testing.T, changes map[string]string) *ground {
	t.Helper()
	other := *g
	other.t, other.env = t, map[string]string{}
	for name, value := range g.env {
		other.env[name] = value
	}
	for name, value := range changes {
		other.env[name] = value
	}
	return &other
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// Events and questions go over https, to servers whose authority SSL_CERT_FILE names.
func TestPrivateAuthorityOfSoketi(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.Soketi(t))
	authority := testenv.NewAuthority(t)
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: g.soketi.Addr()}))
	front.TLS = authority.Issue("soketi").Config(t)
	front.StartTLS()
	t.Cleanup(front.Close)
	address, err := url.Parse(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	g.env["PUSHER_HOST"], g.env["PUSHER_PORT"], g.env["PUSHER_SCHEME"] = address.Hostname(), address.Port(), "https"
	g.want(1, "unknown authority", "worker", "check", "--no-llm")
	g.env["SSL_CERT_FILE"] = authority.File
	g.want(0, "knows the credentials", "worker", "check", "--no-llm")
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: g.soketi, Tenant: g.tenant})
	g.start(t)
	ids := g.add(shapes(1)...)
	g.enqueue(ids, "--wait")
	if got := g.told(receiver)[ids[0]]; got != "started completed" {
		t.Errorf("the receiver heard %q", got)
	}
}

// Questions to the model go over https, to whom the authority of SSL_CERT_FILE vouches for.
func TestModelOverTLS(t *testing.T) {
	t.Parallel()
	g := newGround(t, testenv.StartRecorder(t, nil).App)
	authority := testenv.NewAuthority(t)
	target, err := url.Parse(g.env["OPENAI_BASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: target.Host}))
	front.TLS = authority.Issue("model").Config(t)
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.StartTLS()
	t.Cleanup(front.Close)
	g.env["OPENAI_BASE_URL"] = front.URL + "/v1"
	g.want(1, "the server's certificate is not trusted", "worker", "check")
	if n := g.llm.Count(); n > 0 {
		t.Errorf("%d questions reached a server that nobody vouches for", n)
	}
	g.env["SSL_CERT_FILE"] = authority.File
	g.want(0, "", "worker", "check")
	if g.llm.Count() == 0 {
		t.Error("no question reached the model")
	}
}
