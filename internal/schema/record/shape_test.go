package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s, err := ReadFile(write("people.csv", "id,name\n1,Ana\n2,Tom\n"))
	if err != nil || s.Name != "people" || s.Records != 2 || len(s.Fields) != 2 ||
		string(s.Samples) != `[{"id":1,"name":"Ana"},{"id":2,"name":"Tom"}]` {
		t.Errorf("got %+v, %v, want the shape of two records", s, err)
	}
	if s, err = ReadFile(write("one.json", `{"id":1}`)); err != nil || string(s.Samples) != `{"id":1}` {
		t.Errorf("one record: samples %s, %v, want the object itself", s.Samples, err)
	}
	empty := write("empty.csv", "")
	for path, want := range map[string]string{
		dir:                         dir + " is a folder; name the files in it",
		empty:                       empty + ": the file is empty; export at least one record",
		filepath.Join(dir, "x"):     "no such file",
		write("none.json", "[{}]"):  "none.json has no field that can be stored",
		write("flat.json", "[1,2]"): "flat.json, line 1: element 1 of the list is a number",
	} {
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

func TestStem(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/data/customers.csv": "customers", "sales.2026-01.csv.gz": "sales.2026-01", ".csv": "", "plain": "plain", "a\x1b[31m\nb.csv": "a [31m b",
	} {
		if got := stem(path); got != want {
			t.Errorf("stem(%q) = %q, want %q", path, got, want)
		}
	}
}
