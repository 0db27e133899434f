package deploy

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A database with one finding that is made up: whatever the programs import has it.
var madeUp = map[string]string{
	"index/db.json":    `{"modified":"2026-01-01T00:00:00Z"}`,
	"index/vulns.json": `[{"id":"GO-0000-0001","modified":"2026-01-01T00:00:00Z"}]`,
	"index/modules.json": `[{"path":"github.com/hibiken/asynq","vulns":[{"id":"GO-0000-0001","modified":"2026-01-01T00:00:00Z"}]},` +
		`{"path":"github.com/google/go-cmp","vulns":[{"id":"GO-0000-0002","modified":"2026-01-01T00:00:00Z"}]}]`,
	"ID/GO-0000-0001.json": finding("GO-0000-0001", "github.com/hibiken/asynq", "NewServerFromRedisClient"),
	"ID/GO-0000-0002.json": finding("GO-0000-0002", "github.com/google/go-cmp", "Diff"), // tests alone use it
}

func finding(id, module, symbol string) string {
	return `{"schema_version":"1.3.1","id":"` + id + `","modified":"2026-01-01T00:00:00Z","published":"2026-01-01T00:00:00Z","summary":"made up",` +
		`"affected":[{"package":{"name":"` + module + `","ecosystem":"Go"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],` +
		`"ecosystem_specific":{"imports":[{"path":"` + module + `","symbols":["` + symbol + `"]}]}}],"database_specific":{"url":"https://pkg.go.dev/vuln/` + id + `"}}`
}

// A check that finds nothing when there is something is worse than none.
func TestVulnerabilitiesAreFound(t *testing.T) {
	t.Parallel()
	database := t.TempDir()
	for name, content := range madeUp {
		path := filepath.Join(database, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, code := vuln(t, "file://"+database)
	if code != 3 || !bytes.Contains(out, []byte("GO-0000-0001")) || bytes.Contains(out, []byte("GO-0000-0002")) {
		t.Errorf("exit %d, want 3 and the finding of what the programs import: %s", code, out)
	}
	out, code = vuln(t, "https://127.0.0.1:1")
	if code != 75 || !bytes.Contains(out, []byte("NOT CHECKED")) {
		t.Errorf("without the database: exit %d, want 75: %s", code, out)
	}
}

func vuln(t *testing.T, database string) (out []byte, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "scripts/vuln.sh")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOVULNDB="+database)
	out, err := cmd.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatal(err)
	}
	return out, cmd.ProcessState.ExitCode()
}
