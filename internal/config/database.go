package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The drivers of a database.
const (
	PostgreSQL = "pgsql"
	SQLite     = "sqlite"
)

// Database is the app's database.
type Database struct {
	// Driver is PostgreSQL or SQLite.
	Driver string
	// Host is a name, an address, or the folder of a socket; empty with SQLite.
	Host string
	Port int
	// Name is the name of the database; with SQLite the path of its file.
	Name     string
	Username string
	Password Secret
	SSLMode  string
	// SSLRootCert, SSLCert and SSLKey are files of certificates, empty for none.
	SSLRootCert, SSLCert, SSLKey string
	// Params are further connection parameters of DB_URL.
	Params map[string]string
}

// PostgresDSN returns the connection string for pgx. It holds the password, so it is
// a Secret.
func (d Database) PostgresDSN() Secret {
	pairs := []string{
		pair("host", d.Host), pair("port", strconv.Itoa(d.Port)), pair("dbname", d.Name),
		pair("user", d.Username), pair("sslmode", d.SSLMode),
	}
	if !d.Password.IsEmpty() {
		pairs = append(pairs, pair("password", d.Password.Reveal()))
	}
	params := map[string]string{
		"application_name": "schemacast",
		"connect_timeout":  "10", // seconds; pgx waits for ever without it
		"sslrootcert":      d.SSLRootCert,
		"sslcert":          d.SSLCert,
		"sslkey":           d.SSLKey,
	}
	maps.Copy(params, d.Params)
	for _, name := range sortedKeys(params) {
		if params[name] != "" {
			pairs = append(pairs, pair(name, params[name]))
		}
	}
	return NewSecret(strings.Join(pairs, " "))
}

// pair quotes a value for a keyword/value connection string.
func pair(name, value string) string {
	return name + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// String names the database without its password.
func (d Database) String() string {
	if d.Driver == SQLite {
		return "sqlite " + d.Name
	}
	return fmt.Sprintf("pgsql %s@%s/%s", d.Username, net.JoinHostPort(d.Host, strconv.Itoa(d.Port)), d.Name)
}

// urlParams are the parameters of DB_URL that mean the same to pgx. Everything else
// would be sent to the server as a setting, and refused there.
var urlParams = [...]string{
	"application_name", "connect_timeout", "search_path", "target_session_attrs", "options",
}

func (l *loader) database() {
	v := l.vars
	l.cfg.Database = Database{
		Driver: v.DBConnection, Host: v.DBHost, Port: v.DBPort, Name: v.DBDatabase,
		Username: v.DBUsername, Password: v.DBPassword, SSLMode: v.DBSSLMode,
		SSLRootCert: v.DBSSLRootCert, SSLCert: v.DBSSLCert, SSLKey: v.DBSSLKey,
	}
	l.databaseURL()
	d := &l.cfg.Database
	switch d.Driver {
	case PostgreSQL:
		l.port("DB_PORT", v.DBPort)
		if strings.ContainsAny(d.Host, "@? ") || (strings.Contains(d.Host, "/") && !strings.HasPrefix(d.Host, "/")) {
			l.problem("DB_HOST", "is %s; write the host alone, or the whole address into DB_URL", quote(d.Host))
		}
		l.choice("DB_SSLMODE", d.SSLMode, "disable", "allow", "prefer", "require", "verify-ca", "verify-full")
		l.databaseCertificates()
		if d.Name == "" {
			l.required("set it to the name of the app's database", "DB_DATABASE")
		}
		if d.Username == "" {
			l.required("set it to the user of the app's database", "DB_USERNAME")
		}
	case SQLite:
		if d.Name == "" {
			l.required("set it to the path of a file", "DB_DATABASE")
		}
		if strings.Contains(d.Name, ":memory:") {
			l.problem("DB_DATABASE", "is %q, which every connection would have one of its own of; name a file", d.Name)
		}
		if strings.Contains(d.Name, "?") {
			l.problem("DB_DATABASE", "is %q, where the driver takes what follows the \"?\" for options; name a file without it", d.Name)
		}
		*d = Database{Driver: SQLite, Name: d.Name}
	case "mysql", "mariadb":
		l.problem("DB_CONNECTION", "is %q, where the app's own migrations fail; use pgsql, or sqlite for trying things out", d.Driver)
	default:
		l.choice("DB_CONNECTION", d.Driver, PostgreSQL, SQLite)
	}
}

// databaseURL lays DB_URL over the single variables. Where both say something else
// it does not guess, unless DB_URL comes from a higher place: the environment of a
// container over the .env of the app, for example.
func (l *loader) databaseURL() {
	name, raw := "DB_URL", l.vars.DBURL
	if raw.IsEmpty() {
		name, raw = "DATABASE_URL", l.vars.DatabaseURL
	} else if old := l.vars.DatabaseURL; !old.IsEmpty() && !old.Equal(raw) {
		l.problem("DATABASE_URL", "and DB_URL are both set and differ; remove DATABASE_URL")
	}
	if raw.IsEmpty() {
		return
	}
	u, err := url.Parse(raw.Reveal())
	if err != nil || u.Opaque != "" || (u.Host == "" && u.Path == "") || slashInPassword(u) {
		l.problem(name, "is no address; write pgsql://user:password@host:5432/database, with %%40 and %%2F for @ and / in the password")
		return
	}
	d := &l.cfg.Database
	driver, ok := databaseSchemes[u.Scheme]
	if !ok {
		l.problem(name, "starts with %q; write pgsql://user:password@host:5432/database", u.Scheme+"://")
		return
	}
	l.overlay(name, "DB_CONNECTION", driver, &d.Driver)
	if driver == SQLite {
		l.overlay(name, "DB_DATABASE", u.Host+u.Path, &d.Name)
		return
	}
	l.overlay(name, "DB_HOST", u.Hostname(), &d.Host)
	if port, err := strconv.Atoi(u.Port()); err == nil {
		text := strconv.Itoa(d.Port)
		l.overlay(name, "DB_PORT", u.Port(), &text)
		d.Port = port
	}
	l.overlay(name, "DB_DATABASE", strings.TrimPrefix(u.Path, "/"), &d.Name)
	l.overlay(name, "DB_USERNAME", u.User.Username(), &d.Username)
	if password, ok := u.User.Password(); ok {
		plain := d.Password.Reveal()
		l.overlay(name, "DB_PASSWORD", password, &plain)
		d.Password = NewSecret(plain)
	}
	l.databaseParams(name, u.Query())
}

var databaseSchemes = map[string]string{"pgsql": PostgreSQL, "postgres": PostgreSQL, "postgresql": PostgreSQL, "sqlite": SQLite}

// urlVariables are the parameters of DB_URL that have variables of their own.
var urlVariables = map[string]string{
	"sslmode": "DB_SSLMODE", "sslrootcert": "DB_SSLROOTCERT", "sslcert": "DB_SSLCERT", "sslkey": "DB_SSLKEY",
}

// databaseCertificates reads the files that pgx is going to read, for errors that
// name them.
func (l *loader) databaseCertificates() {
	d := l.cfg.Database
	// In Laravel's .env a file beside "prefer" works, so it must here; it is a
	// surprise, though, that it checks nothing.
	if unchecked := []string{"disable", "allow", "prefer"}; d.SSLRootCert != "" && slices.Contains(unchecked, d.SSLMode) {
		l.warn("DB_SSLROOTCERT is set, and with DB_SSLMODE=%s nobody checks the server's certificate against it; set DB_SSLMODE=verify-full", d.SSLMode)
	}
	if d.SSLRootCert != "system" { // libpq's word for the certificates of the machine
		l.roots("DB_SSLROOTCERT", d.SSLRootCert)
	}
	l.ownCertificate("DB_SSLCERT", d.SSLCert, "DB_SSLKEY", d.SSLKey)
}

func (l *loader) databaseParams(name string, query url.Values) {
	d := &l.cfg.Database
	for _, param := range sortedKeys(query) {
		value := query.Get(param)
		switch {
		case urlVariables[param] != "":
			l.overlay(name, urlVariables[param], value, map[string]*string{
				"sslmode": &d.SSLMode, "sslrootcert": &d.SSLRootCert, "sslcert": &d.SSLCert, "sslkey": &d.SSLKey,
			}[param])
		case param == "charset": // Laravel's; PostgreSQL clients here speak UTF-8
		case slices.Contains(urlParams[:], param):
			if d.Params == nil {
				d.Params = map[string]string{}
			}
			d.Params[param] = value
		default:
			l.problem(name, "has the parameter %q, which is not known; remove it", param)
		}
	}
}

// overlay puts a part of an address over the variable that says the same, and
// reports a contradiction.
func (l *loader) overlay(address, variable, value string, target *string) {
	if value == "" {
		return
	}
	if e, ok := l.entries[variable]; ok && *target != value && l.entries[address].origin <= e.origin {
		what := fmt.Sprintf("is %q and %s says %q", *target, address, value)
		if strings.HasSuffix(variable, "PASSWORD") {
			what = "and " + address + " have different passwords"
		}
		l.problem(variable, "%s; keep one of them", what)
	}
	*target = value
	if strings.HasSuffix(variable, "PASSWORD") {
		value = masked
	}
	l.derive(variable, value, address)
}
