package e2e

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// A promise whose test was renamed or removed is a promise without proof.
func TestDocumentsNameRealTests(t *testing.T) {
	t.Parallel()
	declared := declaredTests(t)
	for path, least := range map[string]int{"docs/reliability.md": 30, "docs/security.md": 50} {
		text, err := os.ReadFile("../" + path)
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile("`((?:Test|Fuzz)[A-Z0-9]\\w*)`").FindAllStringSubmatch(string(text), -1)
		if len(names) < least {
			t.Errorf("%s names %d tests, want its promises to name more", path, len(names))
		}
		for _, name := range names {
			if !declared[name[1]] {
				t.Errorf("%s names %s, which is no test", path, name[1])
			}
		}
	}
}

// declaredTests are the names of all tests.
func declaredTests(t *testing.T) map[string]bool {
	t.Helper()
	declared := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	tree := os.DirFS("..")
	for _, root := range []string{"e2e", "internal", "cmd", "deploy", "laravel"} {
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
	return declared
}
