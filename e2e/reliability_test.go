package e2e

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// A promise whose test was renamed or removed is a promise without proof.
func TestReliabilityNamesRealTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	tree := os.DirFS("..")
	for _, root := range []string{"e2e", "internal", "cmd"} {
		err := fs.WalkDir(tree, root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := fs.ReadFile(tree, path)
			for _, match := range declaration.FindAllStringSubmatch(string(source), -1) {
				declared[match[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	names := regexp.MustCompile("`(Test[A-Z0-9]\\w*)`").FindAllStringSubmatch(string(text), -1)
	if len(names) < 30 {
		t.Errorf("%d tests are named, want the promises to name more", len(names))
	}
	for _, name := range names {
		if !declared[name[1]] {
			t.Errorf("docs/reliability.md names %s, which is no test", name[1])
		}
	}
}
