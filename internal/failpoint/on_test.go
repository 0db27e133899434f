//go:build failpoints

package failpoint

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The configuration is the environment of the process, so these tests run one by one.

func panics(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func TestActsAtTheNthTime(t *testing.T) {
	t.Setenv(Variable, "run.claimed:2=panic,run.committed=tell")
	for i, want := range []bool{false, true, false} {
		if got := panics(func() { Reach("run.claimed") }) != nil; got != want {
			t.Errorf("time %d: panicked %t, want %t", i+1, got, want)
		}
	}
	if value := panics(func() { Reach("run.committed") }); value != nil {
		t.Errorf("tell panicked: %v", value)
	}
}

func TestHangsUntilTheFileSaysOtherwise(t *testing.T) {
	path := filepath.Join(t.TempDir(), "points")
	t.Setenv(Variable, "@"+path)
	Reach("run.claimed") // the file is not there
	if err := os.WriteFile(path, []byte("run.claimed=hang\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Reach("run.claimed")
	}()
	select {
	case <-done:
		t.Fatal("it did not hang")
	case <-time.After(5 * lookAgain):
	}
	if err := os.WriteFile(path, []byte("run.committed=kill\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it hangs although the file does not say so any more")
	}
}

func TestRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{"run.claimed=explode", "run.claimed", "run.claimed:0=kill", "run.claimed:x=kill"} {
		t.Setenv(Variable, text)
		if panics(func() { Reach("run.claimed") }) == nil {
			t.Errorf("%s was taken", text)
		}
	}
}
