// Package laravel holds the Composer package schemacast/laravel, and the tests that tie
// it to the Go code: the files that both have are equal, the tables that both make are
// the same, and its own PHPUnit tests pass.
package laravel

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/testenv"
)

var update = flag.Bool("update", false, "copy the script and the migrations into resources/ anew")

// copies are the files of the Go code that the package carries with it.
func copies(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{"../internal/task/enqueue.lua": "resources/enqueue.lua"}
	migrations, err := filepath.Glob("../internal/store/migrations/postgres/*.sql")
	if err != nil || len(migrations) == 0 {
		t.Fatalf("no migrations found: %v", err)
	}
	for _, path := range migrations {
		files[path] = "resources/migrations/" + filepath.Base(path)
	}
	return files
}

func TestLaravelCopiesAreEqual(t *testing.T) {
	t.Parallel()
	for source, target := range copies(t) {
		want := read(t, source)
		if *update {
			if err := os.WriteFile(target, want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(string(want), string(read(t, target))); diff != "" {
			t.Errorf("%s is not the copy of %s; run go test ./laravel -run Copies -update (-want +got):\n%s", target, source, diff)
		}
	}
}

func TestLaravelEachVersionOfTheTablesHasAMigration(t *testing.T) {
	t.Parallel()
	copied, err := filepath.Glob("resources/migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	migrations, err := filepath.Glob("database/migrations/*.php")
	if err != nil {
		t.Fatal(err)
	}
	if len(copied) != len(copies(t))-1 || len(migrations) != len(copied) {
		t.Fatalf("%d copied versions, %d migrations, the worker has %d", len(copied), len(migrations), len(copies(t))-1)
	}
	for i, path := range migrations {
		if name := filepath.Base(copied[i]); !bytes.Contains(read(t, path), []byte("'"+name+"'")) {
			t.Errorf("%s does not name %s", path, name)
		}
	}
}

func TestLaravelPHPUnit(t *testing.T) {
	t.Parallel()
	need(t, "phpunit")
	testenv.Postgres(t) // is there, or the test ends here
	run(t, exec.CommandContext(t.Context(), "phpunit", "--colors=never"))
}

func TestLaravelStyle(t *testing.T) {
	t.Parallel()
	need(t, "phpcs")
	run(t, exec.CommandContext(t.Context(), "phpcs", "-q"))
}

// need ends the test where a program of PHP, Laravel or an extension is missing.
func need(t *testing.T, program string) {
	t.Helper()
	for _, name := range []string{"php", program} {
		if _, err := exec.LookPath(name); err != nil {
			testenv.Need(t, name+" is not in PATH")
		}
	}
	const probe = `exit(@include_once("Illuminate/autoload.php") && extension_loaded("redis") && extension_loaded("pdo_pgsql") ? 0 : 1);`
	if err := exec.CommandContext(t.Context(), "php", "-r", probe).Run(); err != nil {
		testenv.Need(t, "PHP has no Laravel in its include path, or lacks the extensions redis and pdo_pgsql")
	}
}

func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", cmd, err, output)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
