package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// freeText are the variables that may hold any text: nothing about their value can be
// wrong, and why.
var freeText = map[string]string{
	"DB_USERNAME":             "PostgreSQL says whom it does not know",
	"DB_PASSWORD":             "any characters",
	"REDIS_USERNAME":          "Redis says whom it does not know",
	"REDIS_PASSWORD":          "any characters",
	"REDIS_SENTINEL_USERNAME": "a sentinel says whom it does not know",
	"REDIS_SENTINEL_PASSWORD": "any characters",
	"PUSHER_APP_CLUSTER":      "any name of Pusher's",
	"VITE_PUSHER_APP_KEY":     "browsers show which Soketi does not know",
	"VITE_PUSHER_APP_CLUSTER": "any name of Pusher's",
	"OPENAI_MODEL":            "the server says which it does not have",
	"APP_ENV":                 "any word, for logs",
	"OTEL_SERVICE_NAME":       "any name, for traces",
}

// Nobody adds a variable without saying what happens when it is wrong.
func TestEveryVariableHasABadValue(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, p := range problems {
		for name := range p.over {
			for _, want := range p.want {
				tried[name] = tried[name] || strings.Contains(want, name)
			}
		}
	}
	for _, p := range adminProblems {
		for name := range p.over {
			tried[name] = tried[name] || strings.Contains(p.want, name)
		}
	}
	for _, v := range table() {
		_, free := freeText[v.name]
		// A secret that is read from a file counts by its own name.
		if bad := tried[v.name] || tried[v.name+"_FILE"]; bad == free {
			t.Errorf("%s: with a bad value %t, free text %t; add it to problems, or to freeText with the reason", v.name, bad, free)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(freeText)) {
		if !slices.ContainsFunc(table(), func(v variable) bool { return v.name == name }) {
			t.Errorf("%s is no variable", name)
		}
	}
}

// A file that is not there is told by the variable that names it, for every secret.
func TestEverySecretFromAMissingFile(t *testing.T) {
	t.Parallel()
	for _, v := range table() {
		if !v.secret {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			over := map[string]string{v.name: "", v.name + "_FILE": "/nowhere/secret", "ADMIN_ADDR": ":8080", "BROADCAST_CHANNEL": "encrypted"}
			if strings.HasPrefix(v.name, "REVERB_") {
				over["BROADCAST_CONNECTION"] = "reverb"
			}
			_, err := Load(Source{Environ: environ(over)})
			want := v.name + "_FILE names \"/nowhere/secret\", which does not exist"
			if err == nil || strings.Count(err.Error(), want) != 1 {
				t.Errorf("got %v, want %q once", err, want)
			}
		})
	}
}
