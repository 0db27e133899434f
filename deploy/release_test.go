package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// release runs scripts/release.sh for this platform.
func release(t *testing.T, version string, env ...string) (dist string, out []byte, err error) {
	t.Helper()
	dist = filepath.Join(t.TempDir(), "dist")
	cmd := exec.CommandContext(t.Context(), "scripts/release.sh", version)
	cmd.Dir = root
	cmd.Env = append(append(os.Environ(), "DIST="+dist, "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH), env...)
	out, err = cmd.CombinedOutput()
	return dist, out, err
}

// A release has the programs of the version, what they are made of, and sums that are
// right; made again it is the same.
func TestRelease(t *testing.T) {
	t.Parallel()
	if os.Getenv("SCHEMACAST_TEST_SLOW") == "" {
		t.Skip("SCHEMACAST_TEST_SLOW is not set: it builds both programs twice, and the tool that lists their modules")
	}
	dist, out, err := release(t, "v9.8.7", "DIRTY=ok")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	name := "schemacast_9.8.7_" + runtime.GOOS + "_" + runtime.GOARCH
	sums := contents(t, dist, "SHA256SUMS")
	files := []string{name + ".enqueue.cdx.json", name + ".tar.gz", name + ".worker.cdx.json"}
	for _, file := range files {
		if line := fmt.Sprintf("%x  %s\n", sha256.Sum256(contents(t, dist, file)), file); !strings.Contains(string(sums), line) {
			t.Errorf("SHA256SUMS lacks %q: %s", line, sums)
		}
	}
	unpacked := unpack(t, contents(t, dist, name+".tar.gz"))
	var want []string
	for _, file := range []string{"", ".env.example", "CHANGELOG.md", "LICENSE", "README.md", "configuration.md", "enqueue", "upgrading.md", "worker"} {
		want = append(want, name+"/"+file)
	}
	if diff := cmp.Diff(want, unpacked.names); diff != "" {
		t.Errorf("the archive (-want +got):\n%s", diff)
	}
	for _, program := range []string{"worker", "enqueue"} {
		said, err := exec.CommandContext(t.Context(), filepath.Join(unpacked.folder, name, program), "--version").Output()
		if err != nil || !strings.HasPrefix(string(said), program+" 9.8.7 (") {
			t.Errorf("%s --version: %v %s", program, err, said)
		}
		checkComponents(t, contents(t, dist, name+"."+program+".cdx.json"))
	}
	again, out, err := release(t, "v9.8.7", "DIRTY=ok")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, file := range append(files, "SHA256SUMS") {
		if !bytes.Equal(contents(t, dist, file), contents(t, again, file)) {
			t.Errorf("%s is another when it is made again", file)
		}
	}
}

func TestReleaseRefuses(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "0.8.0", "v0.8", "v0.8.0 ", "latest"} {
		if _, out, err := release(t, version); err == nil || !bytes.Contains(out, []byte("is no version")) {
			t.Errorf("%q: %v %s", version, err, out)
		}
	}
}

func contents(t *testing.T, parts ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// checkComponents looks for the modules of go.mod that both programs are linked from, and
// for nothing of this machine.
func checkComponents(t *testing.T, sbom []byte) {
	t.Helper()
	var list struct {
		BOMFormat  string `json:"bomFormat"`
		Components []struct {
			Name, Version string
		}
	}
	if err := json.Unmarshal(sbom, &list); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, c := range list.Components {
		versions[c.Name] = c.Version
	}
	for _, module := range []string{"github.com/redis/go-redis/v9", "gorm.io/gorm", "github.com/jackc/pgx/v5"} {
		found := regexp.MustCompile(`\s` + regexp.QuoteMeta(module) + ` (\S+)`).FindSubmatch(contents(t, root, "go.mod"))
		if found == nil || versions[module] != string(found[1]) {
			t.Errorf("%s has version %q in the list, in go.mod %s", module, versions[module], found)
		}
	}
	if list.BOMFormat != "CycloneDX" || versions["std"] == "" || versions["github.com/google/go-cmp"] != "" || bytes.Contains(sbom, []byte(os.TempDir())) {
		t.Errorf("the list is odd: %.500s", sbom)
	}
}

// archive is what was in one, unpacked.
type archive struct {
	folder string
	names  []string
}

func unpack(t *testing.T, content []byte) archive {
	t.Helper()
	a := archive{folder: t.TempDir()}
	packed, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(packed)
	for {
		head, err := files.Next()
		if errors.Is(err, io.EOF) {
			return a
		}
		if err != nil {
			t.Fatal(err)
		}
		a.names = append(a.names, head.Name)
		if head.Uid != 0 || head.Gid != 0 || head.Uname != "" {
			t.Errorf("%s is of %d:%d %s", head.Name, head.Uid, head.Gid, head.Uname)
		}
		if !filepath.IsLocal(head.Name) {
			t.Fatalf("%s leads out of the archive", head.Name)
		}
		path := filepath.Join(a.folder, head.Name)
		if head.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o755)
		} else {
			var text []byte
			if text, err = io.ReadAll(files); err == nil {
				err = os.WriteFile(path, text, head.FileInfo().Mode())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
