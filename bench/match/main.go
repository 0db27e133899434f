// Match runs the offline matcher over a labelled set and writes what it decided, for
// a scorer to judge.
//
//	go run ./bench/match -dataset FILE -out PREDICTIONS
//
// The dataset is JSON: {"pairs": [{"source": TABLE, "target": TABLE, "truth": ...}]},
// or {"entities": [TABLE], "cases": [{"source": TABLE, "exclude": [NAME]}]}, with
// TABLE {"name", "description", "fields": [{"name", "type", "description",
// "samples"}]}. The predictions are {"0": [[source field, target field, score], ...]}
// by the pair's position, or {"0": [[entity, score], ...]} by the case's. A score of
// 0.5 and above is a decision; weaker rows are the ranking behind it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

const (
	rankedFields   = 50 // candidates a source field
	rankedEntities = 20 // candidates a schema
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "match:", err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("match", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("dataset", "", "the labelled set, a JSON file")
	out := flags.String("out", "", "where the predictions go")
	evidence := flags.Bool("evidence", false, "write the evidence for fit.py instead of predictions, as CSV")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *path == "" || *out == "" {
		return fmt.Errorf("-dataset and -out are mandatory: go run ./bench/match -dataset FILE -out PREDICTIONS")
	}
	d, err := readDataset(*path)
	if err != nil {
		return err
	}
	if *evidence {
		return d.writeEvidence(*out)
	}
	raw, err := json.Marshal(d.predict())
	if err != nil {
		return fmt.Errorf("encode the predictions: %w", err)
	}
	if err := os.WriteFile(*out, append(raw, '\n'), 0o644); err != nil { //nolint:gosec // a result for anybody to read
		return fmt.Errorf("write the predictions: %w", err)
	}
	return nil
}

func (d *dataset) predict() map[string][][]any {
	predictions := make(map[string][][]any)
	for i, p := range d.Pairs {
		predictions[strconv.Itoa(i)] = p.predict()
	}
	for i, c := range d.Cases {
		predictions[strconv.Itoa(i)] = c.predict(d.Entities)
	}
	return predictions
}

// predict ranks the targets of each source field. As in the product, a target has
// one owner: a source field that is not it has a weaker row only.
func (p pair) predict() [][]any {
	source := match.ProfilesOf(p.Source.fields())
	found := match.NewIndex([]schema.Entity{p.Target.entity()}).Match(source, 0, rankedFields)
	owners := owners(found)
	rows := [][]any{}
	for s, list := range found {
		for _, c := range list {
			score := c.Score
			if owners[c.Target] != s {
				score = min(score, 0.49)
			}
			rows = append(rows, []any{p.Source.Fields[s].Name, p.Target.Fields[c.Target].Name, score})
		}
	}
	return rows
}

// owners are the source fields that fit each target best.
func owners(found [][]match.Candidate) map[int]int {
	owner, best := make(map[int]int), make(map[int]float64)
	for s, list := range found {
		for _, c := range list {
			if c.Score > best[c.Target] {
				owner[c.Target], best[c.Target] = s, c.Score
			}
		}
	}
	return owner
}

func (c entityCase) predict(entities []table) [][]any {
	known := c.known(entities)
	rows := [][]any{}
	for _, hit := range match.NewIndex(known).Retrieve(match.ProfilesOf(c.Source.fields()), rankedEntities) {
		rows = append(rows, []any{known[hit.Entity].Name, hit.Score})
	}
	return rows
}

// known are the entities that the case may see.
func (c entityCase) known(entities []table) []schema.Entity {
	var known []schema.Entity
	for _, t := range entities {
		if !slices.Contains(c.Exclude, t.Name) {
			known = append(known, t.entity())
		}
	}
	return known
}
