// Package config turns flags, environment and a .env file into one validated
// structure. It reads the variables of the Laravel app that it serves, the way
// Laravel reads them, so that one .env is enough for both.
//
// It connects to nothing. It guarantees that whoever gets a Config has every value
// that was asked for, within its limits; that otherwise one error lists all
// problems, each with the variable and the cure; and that no secret is part of an
// error, of Describe, or of anything that prints a Config.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Config is the configuration of a program. The parts that it did not ask for are
// zero.
type Config struct {
	// AppEnv is the app's environment, such as production.
	AppEnv    string
	Database  Database
	Redis     Redis
	Broadcast Broadcast
	Analysis  Analysis
	Worker    Worker
	Admin     Admin
	Traces    Traces
	Log       Log
	// Warnings are sentences about settings that are legal and surprising.
	Warnings []string

	settings []setting
}

// Log says how to log.
type Log struct {
	Level slog.Level
	JSON  bool
}

// All returns every need, a worker's.
func All() []Need {
	return []Need{NeedDatabase, NeedRedis, NeedBroadcast, NeedAnalysis, NeedWorker}
}

// Producer returns the needs of a program that asks for analyses.
func Producer() []Need { return []Need{NeedDatabase, NeedRedis} }

// Load reads the configuration that a program needs; without needs, all of it. A flag
// wins over the environment, that over the .env file, that over the default. The
// error is an *Error.
func Load(src Source, needs ...Need) (*Config, error) {
	if len(needs) == 0 {
		needs = All()
	}
	l := &loader{
		table: table(), needed: append(slices.Clone(needs), always),
		entries: map[string]entry{}, effective: map[string]setting{}, broken: map[string]bool{}, cfg: &Config{},
	}
	l.gather(src)
	l.parse()
	if l.needs(NeedDatabase) {
		l.database()
	}
	if l.needs(NeedRedis) {
		l.redis()
	}
	if l.needs(NeedBroadcast) {
		l.broadcast()
	}
	if l.needs(NeedAnalysis) {
		l.analysis()
	}
	if l.needs(NeedWorker) {
		l.worker()
		l.admin()
		l.traces()
	}
	l.log()
	if len(l.problems) > 0 {
		return nil, &Error{Problems: l.problems}
	}
	l.cfg.settings = l.settings()
	return l.cfg, nil
}

// loader is a configuration in the making.
type loader struct {
	table   []variable
	needed  []Need
	layers  []layer
	entries map[string]entry // what somebody set, by variable
	vars    variables
	// effective is what other settings made of a variable, such as DB_URL of DB_HOST.
	effective map[string]setting
	broken    map[string]bool // variables with a problem
	problems  []Problem
	// blind says that a source could not be read, so that nobody knows what is in it.
	blind bool
	cfg   *Config
}

func (l *loader) needs(n Need) bool { return slices.Contains(l.needed, n) }

func (l *loader) isSet(name string) bool { _, ok := l.entries[name]; return ok }

func (l *loader) problem(name, format string, args ...any) {
	l.broken[name] = true
	l.problems = append(l.problems, Problem{Name: name, Text: fmt.Sprintf(format, args...)})
}

func (l *loader) warn(format string, args ...any) {
	l.cfg.Warnings = append(l.cfg.Warnings, fmt.Sprintf(format, args...))
}

// derive records a value that follows from another setting, for Describe.
func (l *loader) derive(name, value, origin string) {
	l.effective[name] = setting{name: name, value: value, origin: origin}
}

// required reports variables that nobody set.
func (l *loader) required(cure string, names ...string) {
	if l.blind {
		return // they may be in the file that has a problem of its own
	}
	for _, name := range names {
		if !l.isSet(name) && !l.broken[name] && !l.broken[name+"_FILE"] {
			l.problem(name, "is not set; %s", cure)
		}
	}
}

// choice reports a value that is none of the words.
func (l *loader) choice(name, value string, words ...string) {
	if !slices.Contains(words, value) && !l.broken[name] {
		l.problem(name, "is %q; choose %s or %s", value, strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
	}
}

// between reports a value outside its limits.
func between[T int | int64 | time.Duration](l *loader, name string, value, least, most T) {
	if (value < least || value > most) && !l.broken[name] {
		l.problem(name, "is %v; choose %v to %v", value, least, most)
	}
}

// port reports what is no port. Zero is for variables without a value.
func (l *loader) port(name string, value int) {
	if l.isSet(name) {
		between(l, name, value, 1, 65535)
	}
}

// parse fills the variables in and reports each value that does not fit its type.
func (l *loader) parse() {
	values := make(map[string]string, len(l.entries))
	for name, e := range l.entries {
		values[name] = e.value
	}
	err := env.ParseWithOptions(&l.vars, env.Options{Environment: values})
	var all env.AggregateError
	if !errors.As(err, &all) {
		return
	}
	for _, err := range all.Errors {
		var parse env.ParseError
		if !errors.As(err, &parse) {
			l.problem("configuration", "can not be parsed: %v", err)
			continue
		}
		for _, v := range l.table {
			if v.field == parse.Name { // a secret takes every text, so the value is none
				l.misfit(v.name, parse.Type)
			}
		}
	}
}

// misfit reports a value that is not of its type.
func (l *loader) misfit(name string, t reflect.Type) {
	value := l.entries[name].value
	if strings.HasSuffix(name, "_PORT") && strings.HasPrefix(value, "tcp://") {
		l.problem(name, "is %s, which Kubernetes sets for a service of that name; set it in the pod, or enableServiceLinks: false", quote(value))
		return
	}
	l.problem(name, "is %s; write %s", quote(value), wanted(t))
}

// wanted describes the values of a type.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 500ms, 30s or 5m"
	case t == reflect.TypeFor[toggle]():
		return "on or off"
	case t.Kind() == reflect.Float64:
		return "a number such as 2.50"
	default:
		return "a whole number"
	}
}

func (l *loader) log() {
	level := strings.ToLower(l.vars.LogLevel)
	if known, ok := levels[level]; ok {
		l.cfg.Log.Level = known
	} else {
		l.problem("LOG_LEVEL", "is %q; choose debug, info, warn or error", l.vars.LogLevel)
	}
	l.choice("LOG_FORMAT", l.vars.LogFormat, "text", "json")
	l.cfg.Log.JSON = l.vars.LogFormat == "json"
	l.cfg.AppEnv = l.vars.AppEnv
}

// levels has Laravel's words too, since both read the same variable.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "notice": slog.LevelInfo, "warn": slog.LevelWarn, "warning": slog.LevelWarn,
	"error": slog.LevelError, "critical": slog.LevelError, "alert": slog.LevelError, "emergency": slog.LevelError,
}
