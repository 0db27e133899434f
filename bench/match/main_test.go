package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	pairs = `{"targets": {"crm": {"name": "Customer", "fields": [{"name": "email", "type": "string", "samples": ["a@host.example"]}, {"name": "city", "type": "string"}]}},
		"pairs": [{"source": {"name": "s", "fields": [{"name": "mail_address", "type": "string"}, {"name": "town", "type": "string"}]}, "target": "crm",
		"truth": [["mail_address", "email"], ["town", "city"]]}]}`
	cases = `{"entities": [{"name": "Customer", "fields": [{"name": "email", "type": "string"}, {"name": "city", "type": "string"}]},
		{"name": "Sensor", "fields": [{"name": "voltage", "type": "number"}, {"name": "humidity", "type": "number"}]}],
		"cases": [{"source": {"name": "s", "fields": [{"name": "email", "type": "string"}, {"name": "town", "type": "string"}]}, "truth": "Customer"},
		{"source": {"name": "s", "fields": [{"name": "email", "type": "string"}]}, "truth": null, "exclude": ["Customer"]}]}`
)

func runOn(t *testing.T, dataset string, flags ...string) string {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "in.json"), filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(in, []byte(dataset), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(append(flags, "-dataset", in, "-out", out), &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(written)
}

func TestPredictions(t *testing.T) {
	t.Parallel()
	for dataset, want := range map[string][]string{pairs: {"mail_address", "email"}, cases: {"Customer"}} {
		var predictions map[string][][]any
		if err := json.Unmarshal([]byte(runOn(t, dataset)), &predictions); err != nil {
			t.Fatal(err)
		}
		best := predictions["0"][0]
		for i, name := range want {
			if best[i] != name {
				t.Errorf("the first row is %v, want %v first", best, want)
			}
		}
		if score, ok := best[len(best)-1].(float64); !ok || score < 0.5 {
			t.Errorf("the first row is %v, want a decision", best)
		}
		for _, row := range predictions["1"] {
			if row[0] == "Customer" {
				t.Error("an excluded entity is predicted")
			}
		}
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	for dataset, lines := range map[string]int{pairs: 5, cases: 4} {
		written := strings.Split(strings.TrimSpace(runOn(t, dataset, "-evidence")), "\n")
		if len(written) != lines || !strings.HasPrefix(written[0], "group,source,target,right,") {
			t.Errorf("%d lines, the first %q; want %d with a head", len(written), written[0], lines)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-dataset", "nowhere.json", "-out", "x"}, {"-dataset", "main.go", "-out", "x"}} {
		if err := run(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}
