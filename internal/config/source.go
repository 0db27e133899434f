package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Source is where a configuration comes from.
type Source struct {
	// Environ is the process environment, as os.Environ gives it.
	Environ []string
	// DotEnv is the path of a .env file, empty for none. A file that is not there is
	// an error, except for the name ".env", which everybody's default is.
	DotEnv string
	// Overrides are values from flags, by variable. Empty ones do not count.
	Overrides map[string]string
}

// origin is where a value came from. A larger one wins.
type origin int

const (
	fromDefault origin = iota
	fromDotEnv
	fromEnvironment
	fromFlag
)

func (o origin) String() string {
	return [...]string{"default", ".env", "environment", "flag"}[o]
}

// entry is the value of one variable that somebody set.
type entry struct {
	value  string
	origin origin
	file   string // that NAME_FILE named
}

func (e entry) from() string {
	if e.file != "" {
		return e.origin.String() + ", file " + e.file
	}
	return e.origin.String()
}

// maxSecretFile is far more than any key, and keeps a wrong path from filling memory.
const maxSecretFile = 64 << 10

// layer is one origin's variables.
type layer struct {
	origin origin
	values map[string]string
}

// gather finds the value of every variable in the needed groups.
func (l *loader) gather(src Source) {
	environment := environmentMap(src.Environ)
	l.layers = []layer{
		{fromFlag, notEmpty(src.Overrides)},
		{fromEnvironment, environment},
		{fromDotEnv, l.readDotEnv(src.DotEnv, environment)},
	}
	for _, v := range l.table {
		if !l.needs(v.group) {
			continue
		}
		if e, ok := l.find(v.name); ok {
			l.entries[v.name] = e
		}
		if v.secret {
			l.gatherFile(v)
		}
	}
	if e, ok := l.find("BROADCAST_DRIVER"); ok && l.needs(NeedBroadcast) && !l.isSet("BROADCAST_CONNECTION") {
		l.entries["BROADCAST_CONNECTION"] = e
	}
	l.refuseUnknown()
}

// find returns the value in the highest layer that has the variable at all. As for
// Laravel, an empty or null one there hides the layers below, and then the default
// counts.
func (l *loader) find(name string) (entry, bool) {
	for _, layer := range l.layers {
		raw, ok := layer.values[name]
		if !ok {
			continue
		}
		value, set := laravelValue(raw)
		if !set && (name == "BROADCAST_CONNECTION" || name == "BROADCAST_DRIVER") {
			value = "null" // here it is the name of a driver
		}
		return entry{value: value, origin: layer.origin}, value != ""
	}
	return entry{}, false
}

// gatherFile reads the secret that NAME_FILE names.
func (l *loader) gatherFile(v variable) {
	name := v.name
	path, ok := l.find(name + "_FILE")
	if !ok {
		return
	}
	if e, both := l.entries[name]; both {
		l.problem(name, "is set (%s) and %s_FILE is too (%s); keep one of them", e.from(), name, path.from())
		return
	}
	value, err := readSecret(path.value, v.lines)
	if err != nil {
		l.problem(name+"_FILE", "names %q, which %v", path.value, err)
		return
	}
	l.entries[name] = entry{value: value, origin: path.origin, file: path.value}
}

// readSecret returns the content of a file without white space around it. Its errors
// complete the sentence "the file ...".
func readSecret(path string, lines bool) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("does not exist; mount the file or correct the path")
	case err != nil:
		return "", fmt.Errorf("can not be read: %w", err)
	case !info.Mode().IsRegular():
		return "", errors.New("is no regular file; name the file itself")
	case info.Size() > maxSecretFile:
		return "", fmt.Errorf("has %d bytes; a secret has a few at most", info.Size())
	}
	content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", fmt.Errorf("can not be read: %w; let the user of this process read it", err)
	}
	text := strings.TrimSpace(string(content))
	if text == "" {
		return "", errors.New("is empty; write the secret into it")
	}
	if strings.Contains(text, "\x00") || !lines && strings.Contains(text, "\n") {
		return "", errors.New("has more than one line; write the secret alone into it")
	}
	return text, nil
}

func (l *loader) readDotEnv(path string, environment map[string]string) map[string]string {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrNotExist) && path == ".env" {
		return nil
	}
	if err != nil {
		l.blind = true
		l.problem(path, "can not be read (%v); correct the path of the .env file", err)
		return nil
	}
	values, err := parseDotEnv(string(text), environment)
	if err != nil {
		l.blind = true
		l.problem(path, "%v", err)
	}
	return values
}

func notEmpty(overrides map[string]string) map[string]string {
	values := make(map[string]string, len(overrides))
	for name, value := range overrides {
		if value != "" {
			values[name] = value
		}
	}
	return values
}

// ownGroups are the prefixes that nobody else uses, so that a name with them that we
// do not know is a mistake.
var ownGroups = map[string]Need{"WORKER_": NeedWorker, "ANALYSIS_": NeedAnalysis, "BROADCAST_": NeedBroadcast}

// serviceLink matches what Kubernetes puts into every container for a service called
// worker, analysis or broadcast.
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT|SERVICE_PORT_[A-Z0-9_]+|PORT|PORT_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?)$`)

// refuseUnknown finds misspelt names, which would otherwise be settings that silently
// do nothing.
func (l *loader) refuseUnknown() {
	known := l.knownNames()
	var unknown []string
	for _, layer := range l.layers {
		for name := range layer.values {
			if !slices.Contains(known, name) && (layer.origin == fromFlag || l.isOurs(name) || l.isNearlyOurs(name, known)) {
				unknown = append(unknown, name)
			}
		}
	}
	slices.Sort(unknown)
	for _, name := range slices.Compact(unknown) {
		l.problem(name, "is no setting; did you mean %s?", nearest(name, known))
	}
}

func (l *loader) isOurs(name string) bool {
	for prefix, need := range ownGroups {
		if strings.HasPrefix(name, prefix) && l.needs(need) && !serviceLink.MatchString(name) {
			return true
		}
	}
	return false
}

// isNearlyOurs finds the misspelt ones of a prefix that apps use too, as in ADMIN_EMAIL.
func (l *loader) isNearlyOurs(name string, known []string) bool {
	const slips = 2
	return strings.HasPrefix(name, "ADMIN_") && l.needs(NeedWorker) && edits(name, nearest(name, known)) <= slips
}

func (l *loader) knownNames() []string {
	names := []string{"BROADCAST_DRIVER"} // Laravel's own, before version 11
	for _, v := range l.table {
		names = append(names, v.name)
		if v.secret {
			names = append(names, v.name+"_FILE")
		}
	}
	return names
}
