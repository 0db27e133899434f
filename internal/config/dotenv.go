package config

import (
	"fmt"
	"strings"
)

// parseDotEnv reads a .env file the way Laravel's own reader does, since both read
// the same file. godotenv does not: it expands a bare $NAME and drops what it does
// not know, so that an unquoted password "pa$5word" would be another one for us than
// for the app. What counts here:
//
//   - an unquoted value ends at white space or at any "#";
//   - single quotes keep everything; double quotes know \" \\ \$ \n \r \t \f \v and
//     may span lines;
//   - ${NAME} is replaced outside single quotes, by what the process environment or
//     an earlier line says, and stays as it is when neither does;
//   - the last of two equal names counts.
//
// Errors name the line and never its text, which may be a secret.
func parseDotEnv(text string, environment map[string]string) (map[string]string, error) {
	p := dotEnv{
		rest: strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"),
		line: 1, values: map[string]string{}, environment: environment,
	}
	for p.rest != "" {
		if err := p.entry(); err != nil {
			return nil, fmt.Errorf("line %d %w", p.line, err)
		}
	}
	return p.values, nil
}

// dotEnv is a file that is being read.
type dotEnv struct {
	rest        string
	line        int
	values      map[string]string
	environment map[string]string
}

// entry reads one line, or more where quotes span them.
func (p *dotEnv) entry() error {
	p.skip(" \t\v\f\r")
	if p.rest == "" || p.rest[0] == '\n' || p.rest[0] == '#' {
		p.endLine()
		return nil
	}
	end := strings.IndexAny(p.rest, "=\n")
	if end < 0 || p.rest[end] == '\n' {
		return fmt.Errorf("has no \"=\"; write NAME=value")
	}
	name := strings.TrimSpace(p.rest[:end])
	if exported, ok := strings.CutPrefix(name, "export "); ok {
		name = strings.TrimSpace(exported)
	}
	if !validName(name) {
		return fmt.Errorf("has a name with other characters than letters, digits, \"_\" and \".\"; write NAME=value")
	}
	p.rest = p.rest[end+1:]
	p.skip(" \t\v\f\r")
	value, err := p.value()
	if err != nil {
		return fmt.Errorf("(%s) %w", name, err)
	}
	p.values[name] = value
	p.skip(" \t\v\f\r")
	if p.rest != "" && p.rest[0] != '\n' && p.rest[0] != '#' {
		return fmt.Errorf("(%s) has text after the value; put the whole value in double quotes", name)
	}
	p.endLine()
	return nil
}

func (p *dotEnv) value() (string, error) {
	switch {
	case strings.HasPrefix(p.rest, "'"):
		return p.singleQuoted()
	case strings.HasPrefix(p.rest, `"`):
		return p.doubleQuoted()
	default:
		end := strings.IndexAny(p.rest, " \t\v\f\r\n#")
		if end < 0 {
			end = len(p.rest)
		}
		var b strings.Builder
		for raw := p.rest[:end]; raw != ""; {
			raw = p.expand(&b, raw)
		}
		p.rest = p.rest[end:]
		return b.String(), nil
	}
}

func (p *dotEnv) singleQuoted() (string, error) {
	end := strings.IndexByte(p.rest[1:], '\'')
	if end < 0 {
		return "", fmt.Errorf("has no closing single quote; add it")
	}
	value := p.rest[1 : 1+end]
	p.line += strings.Count(value, "\n")
	p.rest = p.rest[end+2:]
	return value, nil
}

func (p *dotEnv) doubleQuoted() (string, error) {
	var b strings.Builder
	start := p.line
	for raw := p.rest[1:]; raw != ""; {
		switch raw[0] {
		case '"':
			p.rest = raw[1:]
			return b.String(), nil
		case '\\':
			if len(raw) < 2 {
				raw = ""
				continue
			}
			plain, ok := escapes[raw[1]]
			if !ok {
				return "", fmt.Errorf("has an escape that is none in double quotes; write \\\\ for a backslash, or use single quotes")
			}
			b.WriteByte(plain)
			raw = raw[2:]
		case '\n':
			p.line++
			fallthrough
		default:
			raw = p.expand(&b, raw)
		}
	}
	p.line = start
	return "", fmt.Errorf("has no closing double quote; add it")
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '$': '$', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}

// expand writes the first byte of raw, or what ${NAME} there stands for, and returns
// what follows.
func (p *dotEnv) expand(b *strings.Builder, raw string) string {
	if inner, ok := strings.CutPrefix(raw, "${"); ok {
		if name, after, closed := strings.Cut(inner, "}"); closed && validName(name) {
			if value, known := p.lookup(name); known {
				b.WriteString(value)
				return after
			}
		}
	}
	b.WriteByte(raw[0])
	return raw[1:]
}

// lookup gives the environment precedence, as for the variables themselves.
func (p *dotEnv) lookup(name string) (string, bool) {
	if value, ok := p.environment[name]; ok {
		return value, true
	}
	value, ok := p.values[name]
	return value, ok
}

func (p *dotEnv) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

func (p *dotEnv) endLine() {
	_, after, found := strings.Cut(p.rest, "\n")
	p.rest = after
	if found {
		p.line++
	}
}

func validName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '.'
	})
}

// laravelValue applies what Laravel's env() does to every value, from a file or not:
// it knows the words null, empty, true and false, also in parentheses, and strips one
// pair of quotes. Null comes back as not set.
func laravelValue(raw string) (value string, set bool) {
	switch word := strings.ToLower(raw); word {
	case "null", "(null)":
		return "", false
	case "empty", "(empty)":
		return "", true
	case "true", "(true)":
		return "true", true
	case "false", "(false)":
		return "false", true
	}
	if n := len(raw); n >= 2 && raw[0] == raw[n-1] && (raw[0] == '"' || raw[0] == '\'') {
		return raw[1 : n-1], true
	}
	return raw, true
}

// environmentMap turns the form of os.Environ into a map.
func environmentMap(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, line := range environ {
		// Windows has names that start with "=".
		if name, value, ok := strings.Cut(line, "="); ok && name != "" {
			m[name] = value
		}
	}
	return m
}
