package main

import (
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/testenv"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := measure(t.Context(), &out, settings{postgres: testenv.Postgres(t), redis: testenv.Redis(t), db: 9, rows: 3000, tenants: 3, failed: 0.5})
	if err != nil || !strings.Contains(out.String(), "open runs 3000, tasks 3000") || !strings.Contains(out.String(), "peak memory") {
		t.Errorf("%v: %s", err, out.String())
	}
}
