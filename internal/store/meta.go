package store

import (
	"fmt"
	"strconv"
)

// The keys of schemacast_meta whose values are numbers, besides versionKey.
const (
	installedKey = "installed_ms"
	// settledKey and revisitedKey are ids of schemas, see forgottenRows.
	settledKey   = "settled_schema_id"
	revisitedKey = "revisited_schema_id"
	// prunedKey is the end of the run up to which Prune has looked, see pruneRuns.
	prunedKey = "pruned_runs_ms"
)

// number reads a number of schemacast_meta, and false when there is none.
func (t *tx) number(key string) (int64, bool, error) {
	var value string
	n, err := t.query(&value, "SELECT value FROM schemacast_meta WHERE key = ?", key)
	if err != nil || n == 0 {
		return 0, false, err
	}
	number, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("schemacast_meta has %q as %s, which is no number; delete that row", value, key)
	}
	return number, true, nil
}

func (t *tx) setNumber(key string, value int64) error {
	_, err := t.exec("INSERT INTO schemacast_meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
		key, strconv.FormatInt(value, 10))
	return err
}
