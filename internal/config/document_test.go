package config

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/configuration.md, .env.example and testdata anew")

const docHead = `# Configuration

Every variable of ` + "`worker` and `enqueue`" + `. Flags win over the environment, that over the
` + "`.env`" + ` file, that over the default. The file is read as Laravel reads it, so one file
serves both. ` + "`NAME_FILE`" + ` reads a secret from a file. ` + "`worker config`" + ` prints what counts,
and where it came from. This page is written by ` + "`go generate ./internal/config`" + `.

`

// What people read is made from the same table as what the program reads.
func TestDocuments(t *testing.T) {
	t.Parallel()
	golden(t, "../../docs/configuration.md", docHead+Markdown())
	golden(t, "../../.env.example", Example())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not up to date; run go generate ./internal/config (-want +got):\n%s", path, diff)
	}
}

// The example is a working file: but for the model's key, a worker starts with it.
func TestExampleLoads(t *testing.T) {
	t.Parallel()
	_, err := Load(Source{DotEnv: "../../.env.example"})
	if err == nil || !strings.HasPrefix(err.Error(), "the configuration has one problem:\n  OPENAI_API_KEY is not set") {
		t.Errorf("got %v, want nothing but the missing key", err)
	}
	// Every default that is commented out can be switched on.
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Replace(string(text), "\nOPENAI_API_KEY=\n", "\nOPENAI_API_KEY=x\n", 1)
	for _, v := range table() {
		all = strings.Replace(all, "\n# "+v.name+"=", "\n"+v.name+"=", 1)
		if !strings.Contains(all, "\n"+v.name+"=") {
			t.Errorf("%s is not in .env.example", v.name)
		}
	}
	if _, err := Load(Source{DotEnv: writeFile(t, "all.env", all)}); err != nil {
		t.Error(err)
	}
}

// The block that the app's developers know, as Laravel reads it: the five VITE_ lines
// take their values from the lines above them.
func TestExampleHasTheAppsBlock(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	values, err := parseDotEnv(string(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, value := range values {
		if strings.Contains(name, "PUSHER_") || name == "BROADCAST_CONNECTION" {
			got[name] = value
		}
	}
	want := map[string]string{
		"BROADCAST_CONNECTION": "pusher", "PUSHER_APP_ID": "ai-data-lake", "PUSHER_APP_KEY": "app-key", "PUSHER_APP_SECRET": "app-secret",
		"PUSHER_HOST": "soketi", "PUSHER_PORT": "6001", "PUSHER_SCHEME": "http", "PUSHER_APP_CLUSTER": "mt1",
		"VITE_PUSHER_APP_KEY": "app-key", "VITE_PUSHER_HOST": "soketi", "VITE_PUSHER_PORT": "6001", "VITE_PUSHER_SCHEME": "http",
		"VITE_PUSHER_APP_CLUSTER": "mt1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	for name := range want {
		if strings.HasPrefix(name, "VITE_") && !strings.Contains(string(text), "\n"+name+`="${`+strings.TrimPrefix(name, "VITE_")+"}\"\n") {
			t.Errorf("%s is not expanded from %s", name, strings.TrimPrefix(name, "VITE_"))
		}
	}
}

func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	var names []string
	for _, v := range table() {
		if !slices.Contains(allNeeds[:], v.group) {
			t.Errorf("%s is in the unknown group %q", v.name, v.group)
		}
		if !strings.HasSuffix(v.help, ".") || v.name == "" {
			t.Errorf("%s has the help %q, which is no sentence", v.name, v.help)
		}
		names = append(names, v.name)
	}
	if slices.Sort(names); len(slices.Compact(names)) != len(table()) {
		t.Errorf("a name occurs twice in %v", names)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	dotEnv := writeFile(t, "app.env", "REDIS_DB=4\nDB_HOST=db\nPUSHER_SCHEME=http\n")
	cfg, err := Load(Source{
		Environ: append(environ(nil), "REDIS_URL=rediss://app:hunter2@cache/4", "OPENAI_MODEL=a\x1b[31m"), DotEnv: dotEnv,
		Overrides: map[string]string{"WORKER_CONCURRENCY": "4"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := cfg.Describe(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/describe.txt", b.String())

	b.Reset()
	file := writeFile(t, "key", "hunter2")
	if err := load(t, map[string]string{"OPENAI_API_KEY": "", "OPENAI_API_KEY_FILE": file}, NeedAnalysis).Describe(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "********") || !strings.Contains(b.String(), "environment, file "+file) || strings.Contains(b.String(), "REDIS") {
		t.Errorf("got\n%s", b.String())
	}
}
