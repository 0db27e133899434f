package testenv_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/testenv"
)

func TestRedisThatSpeaksTLS(t *testing.T) {
	t.Parallel()
	authority := testenv.NewAuthority(t)
	server := testenv.StartRedisTLS(t, testenv.RedisTLS{Server: authority.Issue("redis"), Clients: authority.File}, "--maxmemory", "50mb")
	pem, err := os.ReadFile(authority.File)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	pair := authority.Issue("worker")
	own, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	ping := func(config *tls.Config) error {
		client := redis.NewClient(&redis.Options{Addr: server.Addr, TLSConfig: config, MaxRetries: -1, DialerRetries: 1})
		defer func() { _ = client.Close() }()
		return client.Ping(t.Context()).Err()
	}
	if err := ping(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}}); err != nil {
		t.Errorf("with the authority and a certificate: %v", err)
	}
	for name, config := range map[string]*tls.Config{
		"without TLS": nil, "without the authority": {Certificates: []tls.Certificate{own}}, "without a certificate": {RootCAs: pool},
	} {
		if err := ping(config); err == nil {
			t.Errorf("%s: it answers", name)
		}
	}
}

func TestSentinelsFailOver(t *testing.T) {
	t.Parallel()
	s := testenv.StartSentinels(t)
	before := s.Master()
	if before != s.Servers[0].Addr {
		t.Fatalf("the master is %s, want the first server %s", before, s.Servers[0].Addr)
	}
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: testenv.SentinelMaster, SentinelAddrs: s.Addrs})
	defer func() { _ = client.Close() }()
	if err := client.Set(t.Context(), "written", "before", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Failover()
	if after := s.Master(); after != s.Servers[1].Addr {
		t.Errorf("the master is %s, want the second server %s", after, s.Servers[1].Addr)
	}
	if got, err := client.Get(t.Context(), "written").Result(); err != nil || got != "before" {
		t.Errorf("the new master has %q, %v", got, err)
	}
}

func TestPostgresOfATestsOwn(t *testing.T) {
	t.Parallel()
	s := testenv.StartPostgres(t, testenv.PostgresConfig{Settings: []string{"max_connections=20"}})
	ask(t, s.URL, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
	for _, end := range []func(){s.Stop, s.Crash} {
		end()
		if _, err := pgx.Connect(t.Context(), s.URL); err == nil {
			t.Error("it answers although it was ended")
		}
		s.Start()
		if got := ask(t, s.URL, "SELECT count(*)::text || ' ' || current_setting('max_connections') FROM kept"); got != "1 20" {
			t.Errorf("rows and connections %q, want 1 20", got)
		}
	}
	standby := testenv.StartStandby(t, s)
	if got := ask(t, standby.URL, "SELECT pg_is_in_recovery()::text || (SELECT count(*) FROM kept)"); got != "true1" {
		t.Errorf("the standby says %q", got)
	}
}

func TestPostgresThatSpeaksTLS(t *testing.T) {
	t.Parallel()
	authority := testenv.NewAuthority(t)
	server, client := authority.Issue("postgres"), authority.Issue("worker")
	s := testenv.StartPostgres(t, testenv.PostgresConfig{TLS: &server, ClientCA: authority.File})
	secure := "?sslmode=verify-full&sslrootcert=" + url.QueryEscape(authority.File)
	base := "postgres://postgres@" + s.Addr + "/postgres"
	own := "&sslcert=" + url.QueryEscape(client.CertFile) + "&sslkey=" + url.QueryEscape(client.KeyFile)
	if got := ask(t, base+secure+own, "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); got != "true" {
		t.Errorf("ssl is %q", got)
	}
	for _, dsn := range []string{s.URL, base + secure} {
		_, err := pgx.Connect(t.Context(), dsn)
		var refusal *pgconn.PgError
		if !errors.As(err, &refusal) || refusal.Code[:2] != "28" {
			t.Errorf("%s: %v, want a refusal", dsn, err)
		}
	}
}

func ask(t *testing.T, dsn, sql string) (answer string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&answer); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return answer
}
