package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// demo is a running `worker run --embedded --demo`. It needs no service at all.
type demo struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *lockedBuffer
	data string
	done chan struct{}
}

// startDemo starts a demo over the files of a folder and returns when it has shown
// them.
func startDemo(t *testing.T, examples string, env ...string) *demo {
	t.Helper()
	return startDemoOn(t, filepath.Join(t.TempDir(), "data"), examples, env...)
}

func startDemoOn(t *testing.T, data, examples string, env ...string) *demo {
	t.Helper()
	d := &demo{t: t, out: &lockedBuffer{}, data: data, done: make(chan struct{})}
	d.cmd = embedded(t, env, "--demo", "--data", d.data, "--examples", examples)
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.done
		if t.Failed() {
			t.Logf("the demo said:\n%s", d.out)
		}
	})
	await(t, "the demo has shown its files", func() bool {
		select {
		case <-d.done:
			return true
		default:
			return strings.Contains(d.out.String(), "Ctrl-C ends it.")
		}
	})
	return d
}

func embedded(t *testing.T, env []string, flags ...string) *exec.Cmd {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "worker"), append([]string{"run", "--embedded"}, flags...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	return cmd
}

func (d *demo) wants(texts ...string) {
	d.t.Helper()
	for _, text := range texts {
		if !strings.Contains(d.out.String(), text) {
			d.t.Errorf("the demo does not say %q", text)
		}
	}
}

// interrupt is Ctrl-C; the demo must end well, and soon.
func (d *demo) interrupt() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
		d.t.Fatal(err)
	}
	select {
	case <-d.done:
	case <-time.After(patience):
		d.t.Fatal("Ctrl-C does not end the demo")
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		d.t.Errorf("the demo exited with %d", code)
	}
}

func (d *demo) page() string {
	d.t.Helper()
	match := regexp.MustCompile(`Open (http://\S+) to see`).FindStringSubmatch(d.out.String())
	if match == nil {
		d.t.Fatal("the demo names no page")
	}
	return match[1]
}

func TestDemo(t *testing.T) {
	t.Parallel()
	d := startDemo(t, "../examples")
	d.wants("Engine: offline", "15 of 15 files analysed")
	for line := range strings.SplitSeq(d.out.String(), "\n") {
		if strings.Contains(line, "failed") || strings.Contains(line, "left out") {
			t.Errorf("the demo says %q", line)
		}
	}
	// Three sources of customers, one entity: the first makes it, the others find it.
	customers := regexp.MustCompile(`(crm_contacts\.json|loyalty_members\.ndjson|shop_customers\.csv) +CrmContact +(new|existing)`)
	if found := customers.FindAllString(d.out.String(), -1); len(found) != 3 {
		t.Errorf("the sources of customers end as %q", found)
	}

	response, err := http.Get(d.page() + "/api/tenants/demo/graph")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var graph struct {
		Schemas []struct {
			Status string `json:"ai_analysis_status"`
		} `json:"schemas"`
		Entities []any `json:"entities"`
		Links    []struct {
			Fields int `json:"fields"`
		} `json:"links"`
	}
	if err := json.NewDecoder(response.Body).Decode(&graph); err != nil {
		t.Fatal(err)
	}
	mappings := 0
	for _, link := range graph.Links {
		mappings += link.Fields
	}
	if len(graph.Schemas) != 15 || len(graph.Entities) < 5 || len(graph.Links) != 15 || mappings < 100 {
		t.Errorf("the graph has %d schemas, %d entities and %d mappings in %d links", len(graph.Schemas), len(graph.Entities), mappings, len(graph.Links))
	}

	// A second terminal adds a source.
	add := (&ground{t: t}).command("enqueue", "--env-file", filepath.Join(d.data, "env"), "file", "-", "--tenant", "demo", "--wait")
	add.Stdin = strings.NewReader(`{"contact_id": "c-1", "given_name": "Ana", "family_name": "Silva", "email_address": "a@example.com", "mobile": "+351 21 000 1111"}`)
	if out, err := add.CombinedOutput(); err != nil || !strings.Contains(string(out), "CrmContact") {
		t.Errorf("enqueue against the demo: %v\n%s", err, out)
	}
	await(t, "the new source is told", func() bool { return strings.Contains(d.out.String(), "5 fields") })

	second := embedded(t, nil, "--demo", "--data", d.data, "--examples", "../examples")
	if out, _ := second.CombinedOutput(); second.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "in use by another process") {
		t.Errorf("a second demo on the same folder: exit %d: %s", second.ProcessState.ExitCode(), out)
	}
	d.interrupt()
	left, err := filepath.Glob(filepath.Join(d.data, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("the data folder holds %v, want the database and the lock", left)
	}

	// Again on the same data: everything is analysed again, nothing is made twice.
	again := startDemoOn(t, d.data, "../examples")
	again.wants("15 of 15 files analysed")
	if strings.Contains(again.out.String(), " new ") {
		t.Error("the second demo on the same data makes entities again")
	}
}

func TestDemoWithAModel(t *testing.T) {
	t.Parallel()
	llm := llmtest.Start(t)
	d := startDemo(t, "../examples", "OPENAI_API_KEY="+llmtest.Key, "OPENAI_BASE_URL="+llm.BaseURL(), "OPENAI_MODEL=llmtest")
	d.wants("Engine: language model llmtest", "15 of 15 files analysed")
	if llm.Count() < 15 {
		t.Errorf("the model was asked %d times", llm.Count())
	}
	d.interrupt()
}

func TestDemoWithAWrongKey(t *testing.T) {
	t.Parallel()
	llm := llmtest.Start(t)
	llm.Otherwise(llmtest.Unauthorized())
	folder := t.TempDir()
	copyExample(t, "employees.csv", folder)
	d := startDemo(t, folder, "OPENAI_API_KEY="+llmtest.Key, "OPENAI_BASE_URL="+llm.BaseURL())
	d.wants("check OPENAI_API_KEY", "failed")
	d.interrupt()
}

func TestDemoWithOddSurroundings(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	copyExample(t, "employees.csv", folder)
	if err := os.WriteFile(filepath.Join(folder, "broken.json"), []byte(`{"a":`), 0o600); err != nil {
		t.Fatal(err)
	}
	// Somebody may listen on 8080 already; then a later port is taken.
	if taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:8080"); err == nil {
		defer func() { _ = taken.Close() }()
	}
	d := startDemo(t, folder, "DB_URL=postgres://real/database", "REDIS_URL=redis://real")
	d.wants("broken.json is left out", "1 of 2 files analysed", "env -u DB_URL -u REDIS_URL")
	if strings.HasSuffix(d.page(), ":8080") {
		t.Errorf("the page is at %s, which was taken", d.page())
	}
	d.interrupt()
}

func TestDemoRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		code  int
		want  string
		env   []string
		flags []string
	}{
		{"production", 1, "APP_ENV is production", []string{"APP_ENV=production"}, nil},
		{"a file for a folder", 1, "--data", nil, []string{"--data", filepath.Join(file, "x")}},
		{"no examples", 1, "--examples", nil, []string{"--demo", "--data", t.TempDir(), "--examples", t.TempDir()}},
		{"a misspelt variable", 78, "ANALYSIS_ENGINE", []string{"ANALYSIS_ENGIN=offline"}, []string{"--data", t.TempDir()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := embedded(t, c.env, c.flags...)
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.want) {
				t.Errorf("exit %d, want %d and %q: %s", cmd.ProcessState.ExitCode(), c.code, c.want, out)
			}
		})
	}
}

func copyExample(t *testing.T, name, folder string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
