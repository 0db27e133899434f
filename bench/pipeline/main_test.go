package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/testenv"
)

// TestMain is the bare loop when a trial starts this program for one.
func TestMain(m *testing.M) {
	if spec := os.Getenv(loopEnv); spec != "" {
		exit(loop(context.Background(), spec))
	}
	m.Run()
}

// TestEveryMeasurement keeps the benchmarks from rotting: each section runs, on real parts,
// and what it measured is in the file.
func TestEveryMeasurement(t *testing.T) {
	t.Parallel()
	soketi := testenv.Soketi(t)
	file := filepath.Join(t.TempDir(), "figures.json")
	var out strings.Builder
	err := measure(t.Context(), &out, settings{
		postgres: testenv.Postgres(t), redisServer: os.Getenv("SCHEMACAST_TEST_REDIS_SERVER"), soketi: soketi.Addr(), out: file, quick: true,
	})
	if err != nil {
		t.Fatalf("%v; it said:\n%s", err, out.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var figures struct {
		Machine machine
		Figures []figure
	}
	if err := json.Unmarshal(text, &figures); err != nil {
		t.Fatal(err)
	}
	if figures.Machine.Cores == 0 || figures.Machine.PostgreSQL == "" || figures.Machine.Redis == "" {
		t.Errorf("the machine is not told: %+v", figures.Machine)
	}
	for _, name := range sectionNames() {
		measured := slices.ContainsFunc(figures.Figures, func(f figure) bool { return f.Section == name && f.Median > 0 })
		if strings.HasPrefix(name, "php") && havePHP() != nil {
			testenv.Need(t, errNoPHP.Error())
		}
		if !measured {
			t.Errorf("section %s measured nothing", name)
		}
	}
}

func TestBarsAreJudged(t *testing.T) {
	t.Parallel()
	for bar, values := range map[string][2]float64{">= 0.7": {0.7, 0.69}, "<= 96": {96, 96.1}} {
		if !held(values[0], bar) || held(values[1], bar) {
			t.Errorf("%s: %g holds %v, %g holds %v", bar, values[0], held(values[0], bar), values[1], held(values[1], bar))
		}
	}
}

func TestUnknownSection(t *testing.T) {
	t.Parallel()
	if err := measure(t.Context(), os.Stdout, settings{only: "loops"}); err == nil || !strings.Contains(err.Error(), `"loops" is unknown; use bars or loop`) {
		t.Errorf("error: %v", err)
	}
}
