package config

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
)

// setting is one line of Describe.
type setting struct {
	name, value, origin string
}

// settings lists what counts, secrets masked. It is made while loading and keeps no
// plain secret.
func (l *loader) settings() []setting {
	var list []setting
	for _, v := range l.table {
		if !l.needs(v.group) {
			continue
		}
		s := setting{name: v.name, value: v.fallback, origin: fromDefault.String()}
		if e, ok := l.entries[v.name]; ok {
			s.value, s.origin = e.value, e.from()
			if v.secret {
				s.value = redact(e.value)
			}
		}
		if derived, ok := l.effective[v.name]; ok {
			s = derived
		}
		if s.value == "" {
			s.value, s.origin = "-", "not set"
		}
		list = append(list, s)
	}
	return list
}

// redact masks a secret. Of an address it shows what helps to find a mistake: scheme,
// user and host, but nothing behind the path.
func redact(secret string) string {
	u, err := url.Parse(secret)
	if err != nil || u.Host == "" || slashInPassword(u) {
		return masked
	}
	user := u.User.Username()
	if _, ok := u.User.Password(); ok {
		user += ":" + masked
	}
	if user != "" {
		user += "@"
	}
	return u.Scheme + "://" + user + u.Host + u.Path
}

// slashInPassword finds an address whose password has a bare slash: the URL then ends
// its host there, and the rest of the password looks like a path.
func slashInPassword(u *url.URL) bool { return strings.Contains(u.Path, "@") }

// quote quotes a value for an error, unless it looks like an address with a password.
func quote(value string) string {
	if strings.Contains(value, "@") {
		return masked
	}
	return fmt.Sprintf("%q", value)
}

// Describe prints the effective configuration as a table, with the origin of each
// value and without secrets.
func (c *Config) Describe(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var rows strings.Builder
	rows.WriteString("VARIABLE\tVALUE\tORIGIN\n")
	for _, s := range c.settings {
		fmt.Fprintf(&rows, "%s\t%s\t%s\n", s.name, printable(s.value), s.origin)
	}
	if _, err := io.WriteString(t, rows.String()); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	return nil
}

// printable keeps a value in its cell.
func printable(value string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, value)
}
