package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Redis is the Redis that the tasks are in: one server, a master behind sentinels,
// or a cluster.
type Redis struct {
	// Addrs are servers as host:port, or one path of a socket; with MasterName the
	// sentinels.
	Addrs      []string
	MasterName string
	Cluster    bool
	Username   string
	Password   Secret
	DB         int
	TLS        bool

	SentinelUsername string
	SentinelPassword Secret

	// ServerName is checked in certificates instead of the host that is dialled.
	ServerName string

	roots        *x509.CertPool // nil for the system's
	certificates []tls.Certificate
}

// Options returns the options of a client. They hold the password in the clear:
// give them to go-redis, not to a log.
func (r Redis) Options() redis.UniversalOptions {
	o := redis.UniversalOptions{
		Addrs: slices.Clone(r.Addrs), MasterName: r.MasterName, IsClusterMode: r.Cluster,
		Username: r.Username, Password: r.Password.Reveal(), DB: r.DB,
		SentinelUsername: r.SentinelUsername, SentinelPassword: r.SentinelPassword.Reveal(),
	}
	if r.TLS {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: r.roots, Certificates: r.certificates, ServerName: r.ServerName}
	}
	return o
}

// String names the servers without the password.
func (r Redis) String() string {
	text := "redis "
	switch {
	case r.Cluster:
		text = "redis cluster "
	case r.MasterName != "":
		text = "redis master " + r.MasterName + " of sentinels "
	}
	text += strings.Join(r.Addrs, ",")
	if r.DB != 0 {
		text += fmt.Sprintf(", database %d", r.DB)
	}
	if r.TLS {
		text += ", TLS"
	}
	return text
}

func (l *loader) redis() {
	v := l.vars
	r := &l.cfg.Redis
	*r = Redis{
		Username: v.RedisUsername, Password: v.RedisPassword, DB: v.RedisDB, TLS: bool(v.RedisTLS),
		SentinelUsername: v.RedisSentinelUsername, SentinelPassword: v.RedisSentinelPassword,
		ServerName: v.RedisServerName,
	}
	l.redisScheme()
	host, port := l.redisHost(), v.RedisPort
	more := l.redisURL(&host, &port)
	l.port("REDIS_PORT", v.RedisPort)
	switch {
	case len(v.RedisSentinelAddrs) > 0:
		r.Addrs, r.MasterName = l.addrs("REDIS_SENTINEL_ADDRS", v.RedisSentinelAddrs), l.sentinelMaster()
	case len(v.RedisClusterAddrs) > 0:
		r.Addrs, r.Cluster = l.addrs("REDIS_CLUSTER_ADDRS", v.RedisClusterAddrs), true
	case strings.HasPrefix(host, "/"):
		r.Addrs = []string{host}
	default:
		r.Addrs = append([]string{net.JoinHostPort(host, strconv.Itoa(port))}, more...)
		r.Cluster = len(more) > 0
	}
	l.redisContradictions()
	if r.DB < 0 {
		l.problem("REDIS_DB", "is %d; choose 0 or more", r.DB)
	}
	l.redisCertificates()
}

// redisContradictions reports settings of which only one could count.
func (l *loader) redisContradictions() {
	r := l.cfg.Redis
	for _, list := range []string{"REDIS_SENTINEL_ADDRS", "REDIS_CLUSTER_ADDRS"} {
		// REDIS_HOST is in every .env; an address or list is there on purpose.
		if l.isSet(list) && l.isSet("REDIS_URL") {
			l.problem(list, "and REDIS_URL are both set; keep one of them")
		}
	}
	if l.isSet("REDIS_SENTINEL_ADDRS") && l.isSet("REDIS_CLUSTER_ADDRS") {
		l.problem("REDIS_CLUSTER_ADDRS", "and REDIS_SENTINEL_ADDRS are both set; keep one of them")
	}
	if r.Cluster && r.DB != 0 {
		l.problem("REDIS_DB", "is %d, but a cluster has only database 0; remove it", r.DB)
	}
}

// sentinelMaster takes either name of the master's name.
func (l *loader) sentinelMaster() string {
	master, service := l.vars.RedisSentinelMaster, l.vars.RedisSentinelService
	if service == "" {
		return master
	}
	if l.isSet("REDIS_SENTINEL_MASTER") && master != service {
		l.problem("REDIS_SENTINEL_SERVICE", "and REDIS_SENTINEL_MASTER are both set and differ; keep one of them")
	}
	l.derive("REDIS_SENTINEL_MASTER", service, "REDIS_SENTINEL_SERVICE")
	return service
}

// redisHost understands the scheme that Laravel lets a host have.
func (l *loader) redisHost() string {
	scheme, host, ok := strings.Cut(l.vars.RedisHost, "://")
	if !ok {
		scheme, host = "tcp", l.vars.RedisHost
	}
	switch scheme {
	case "tcp":
	case "tls":
		l.switchTLS("REDIS_HOST")
	default:
		l.problem("REDIS_HOST", "is %s; write the host alone, or tls:// and the host", quote(l.vars.RedisHost))
		return host
	}
	withPort := strings.Contains(host, ":") && net.ParseIP(host) == nil
	if !strings.HasPrefix(host, "/") && (host == "" || withPort || strings.ContainsAny(host, "/@?# ")) {
		l.problem("REDIS_HOST", "is %s; write the host alone, the port into REDIS_PORT", quote(l.vars.RedisHost))
	}
	return host
}

// redisScheme reads what apps have that take Laravel's scheme from a variable.
func (l *loader) redisScheme() {
	if !l.isSet("REDIS_SCHEME") {
		return
	}
	l.choice("REDIS_SCHEME", l.vars.RedisScheme, "tcp", "tls")
	if l.vars.RedisScheme == "tls" {
		l.switchTLS("REDIS_SCHEME")
	}
}

// switchTLS switches TLS on, as an address says, unless REDIS_TLS says off.
func (l *loader) switchTLS(because string) {
	if e, ok := l.entries["REDIS_TLS"]; ok && !bool(l.vars.RedisTLS) && l.entries[because].origin <= e.origin {
		l.problem("REDIS_TLS", "is %q and %s asks for TLS; remove one of them", e.value, because)
	}
	l.cfg.Redis.TLS = true
	l.derive("REDIS_TLS", "on", because)
}

// redisURL lays REDIS_URL over the single variables and returns the further servers
// of a cluster.
func (l *loader) redisURL(host *string, port *int) (more []string) {
	raw := l.vars.RedisURL.Reveal()
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || slashInPassword(u) {
		l.problem("REDIS_URL", "is no address; write redis://user:password@host:6379/0, with %%40 and %%2F for @ and / in the password")
		return nil
	}
	switch u.Scheme {
	case "redis", "tcp":
	case "rediss", "tls":
		l.switchTLS("REDIS_URL")
	default:
		l.problem("REDIS_URL", "starts with %q; write redis://, or rediss:// for TLS", u.Scheme+"://")
	}
	r := &l.cfg.Redis
	l.overlay("REDIS_URL", "REDIS_HOST", u.Hostname(), host)
	if n, err := strconv.Atoi(u.Port()); err == nil {
		text := strconv.Itoa(*port)
		l.overlay("REDIS_URL", "REDIS_PORT", u.Port(), &text)
		*port = n
	}
	l.overlay("REDIS_URL", "REDIS_USERNAME", u.User.Username(), &r.Username)
	if password, ok := u.User.Password(); ok {
		plain := r.Password.Reveal()
		l.overlay("REDIS_URL", "REDIS_PASSWORD", password, &plain)
		r.Password = NewSecret(plain)
	}
	l.redisURLDatabase(strings.Trim(u.Path, "/"))
	for _, name := range sortedKeys(u.Query()) {
		if name != "addr" {
			l.problem("REDIS_URL", "has the parameter %q, which is not known; remove it", name)
		}
	}
	return l.addrs("REDIS_URL", u.Query()["addr"])
}

func (l *loader) redisURLDatabase(path string) {
	if path == "" {
		return
	}
	db, err := strconv.Atoi(path)
	if err != nil {
		l.problem("REDIS_URL", "has the path %q; write the number of the database there, such as /0", "/"+path)
		return
	}
	text := strconv.Itoa(l.cfg.Redis.DB)
	l.overlay("REDIS_URL", "REDIS_DB", path, &text)
	l.cfg.Redis.DB = db
}

// addrs checks a list of host:port.
func (l *loader) addrs(name string, list []string) []string {
	var good []string
	for _, addr := range list {
		addr = strings.TrimSpace(addr)
		host, port, err := net.SplitHostPort(addr)
		n, numErr := strconv.Atoi(port)
		if err != nil || host == "" || numErr != nil || n < 1 || n > 65535 {
			l.problem(name, "has %q; write host:port", addr)
			continue
		}
		good = append(good, addr)
	}
	return good
}

// redisCertificates reads what TLS needs.
func (l *loader) redisCertificates() {
	v, r := l.vars, &l.cfg.Redis
	if !r.TLS {
		l.onlyWithTLS("set REDIS_TLS=on", "REDIS_CA_FILE", "REDIS_CERT_FILE", "REDIS_KEY_FILE", "REDIS_SERVER_NAME")
	}
	r.roots = l.roots("REDIS_CA_FILE", v.RedisCAFile)
	r.certificates = l.ownCertificate("REDIS_CERT_FILE", v.RedisCertFile, "REDIS_KEY_FILE", v.RedisKeyFile)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
