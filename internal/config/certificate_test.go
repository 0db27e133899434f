package config

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/schemacast/schemacast/internal/testenv"
)

// handshake lets a client with this configuration talk to a server, both with
// certificates, and returns what the client says.
func handshake(t *testing.T, client, server *tls.Config) error {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("x"))
		_ = conn.Close()
	}()
	conn, err := (&tls.Dialer{Config: client}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	// A server refuses the client's certificate after the client's part is done.
	_, err = conn.Read(make([]byte, 1))
	return err
}

// What the variables name is what the handshake uses: authority, own certificate and
// the name that is checked.
func TestRedisCertificates(t *testing.T) {
	t.Parallel()
	authority := testenv.NewAuthority(t)
	own := authority.Issue("worker")
	server := serverConfig(t, authority, authority.Issue("redis", "cache.internal"))
	good := map[string]string{
		"REDIS_TLS": "on", "REDIS_CA_FILE": authority.File, "REDIS_CERT_FILE": own.CertFile, "REDIS_KEY_FILE": own.KeyFile, "REDIS_SERVER_NAME": "cache.internal",
	}
	if err := handshake(t, load(t, good, NeedRedis).Redis.Options().TLSConfig, server); err != nil {
		t.Errorf("with everything: %v", err)
	}
	for _, name := range []string{"REDIS_CA_FILE", "REDIS_SERVER_NAME"} {
		if err := handshake(t, load(t, without(good, name), NeedRedis).Redis.Options().TLSConfig, server); err == nil {
			t.Errorf("without %s the server is trusted", name)
		}
	}
	if err := handshake(t, load(t, without(good, "REDIS_CERT_FILE", "REDIS_KEY_FILE"), NeedRedis).Redis.Options().TLSConfig, server); err == nil {
		t.Error("without a certificate of ours the server is content")
	}
}

// serverConfig asks clients for a certificate of the authority.
func serverConfig(t *testing.T, authority *testenv.Authority, pair testenv.KeyPair) *tls.Config {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	l := &loader{broken: map[string]bool{}}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: l.roots("the test's", authority.File),
	}
}

func without(m map[string]string, names ...string) map[string]string {
	kept := map[string]string{}
	for name, value := range m {
		kept[name] = value
	}
	for _, name := range names {
		delete(kept, name)
	}
	return kept
}

// Both servers' files are read at start, and each mistake is its own sentence.
func TestFilesOfCertificates(t *testing.T) {
	t.Parallel()
	authority, hello := testenv.NewAuthority(t), writeFile(t, "hello.pem", "hello")
	one, two, old := authority.Issue("one"), authority.Issue("two"), authority.IssueExpired("old")
	for prefix, names := range map[string][3]string{
		"redis": {"REDIS_CA_FILE", "REDIS_CERT_FILE", "REDIS_KEY_FILE"}, "database": {"DB_SSLROOTCERT", "DB_SSLCERT", "DB_SSLKEY"},
	} {
		base := map[string]string{"REDIS_TLS": "on", "DB_SSLMODE": "verify-full"}
		with := func(ca string, pair testenv.KeyPair) map[string]string {
			m := without(base)
			m[names[0]], m[names[1]], m[names[2]] = ca, pair.CertFile, pair.KeyFile
			return m
		}
		load(t, with(authority.File, one), Producer()...)
		expect(t, prefix+": no certificate in the authority's file", with(hello, one), names[0]+` names "`+hello+`", which holds no certificate`)
		expect(t, prefix+": key of another certificate", with(authority.File, testenv.KeyPair{CertFile: one.CertFile, KeyFile: two.KeyFile}),
			names[1]+" and "+names[2]+" do not fit together")
		expect(t, prefix+": no key in the key's file", with(authority.File, testenv.KeyPair{CertFile: one.CertFile, KeyFile: hello}),
			names[1]+" and "+names[2]+" do not fit together")
		expect(t, prefix+": certificate that ended", with(authority.File, old), names[1]+` names "`+old.CertFile+`", which ended `)
	}
}

func TestDatabaseCertificates(t *testing.T) {
	t.Parallel()
	authority := testenv.NewAuthority(t)
	own := authority.Issue("worker")
	for name, over := range map[string]map[string]string{
		"variables": pairs("DB_SSLMODE=verify-full", "DB_SSLROOTCERT="+authority.File, "DB_SSLCERT="+own.CertFile, "DB_SSLKEY="+own.KeyFile),
		"address": pairs("DB_URL=pgsql://127.0.0.1/lake?sslmode=verify-full&sslrootcert=" + authority.File +
			"&sslcert=" + own.CertFile + "&sslkey=" + own.KeyFile),
	} {
		cfg := load(t, over, NeedDatabase)
		pg, err := pgx.ParseConfig(cfg.Database.PostgresDSN().Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := handshake(t, pg.TLSConfig, serverConfig(t, authority, authority.Issue("postgres"))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := handshake(t, pg.TLSConfig, serverConfig(t, authority, authority.Issue("postgres", "elsewhere"))); err == nil {
			t.Errorf("%s: a server of another name is trusted", name)
		}
		if len(cfg.Warnings) != 0 {
			t.Errorf("%s: warnings %q", name, cfg.Warnings)
		}
	}
	// Laravel's default mode encrypts at most; with an authority it looks as if it checked.
	warnings := load(t, pairs("DB_SSLROOTCERT="+authority.File), NeedDatabase).Warnings
	if len(warnings) != 1 || !strings.Contains(warnings[0], "DB_SSLMODE=prefer nobody checks") {
		t.Errorf("warnings %q", warnings)
	}
}
