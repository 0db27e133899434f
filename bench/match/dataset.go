package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/schemacast/schemacast/internal/schema"
)

// dataset is a labelled set: of pairs of tables whose fields correspond, or of tables
// whose entity is known.
type dataset struct {
	Name     string           `json:"name"`
	Targets  map[string]table `json:"targets"` // shared by pairs that name one
	Pairs    []pair           `json:"pairs"`
	Entities []table          `json:"entities"`
	Cases    []entityCase     `json:"cases"`
}

// pair is two tables and the fields that correspond.
type pair struct {
	Source table
	Target table
	Truth  [][2]string // source field, target field
}

// entityCase is a table and the entity that it belongs to, "" for none of them.
type entityCase struct {
	Source  table    `json:"source"`
	Truth   string   `json:"truth"`
	Exclude []string `json:"exclude"` // entities that this case must not see
}

type table struct {
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Fields      []field `json:"fields"`
}

type field struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Description string   `json:"description"`
	Samples     []string `json:"samples"`
}

func readDataset(path string) (*dataset, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the file that the user names
	if err != nil {
		return nil, fmt.Errorf("read the dataset: %w", err)
	}
	var file struct {
		dataset
		Pairs []struct {
			Source table           `json:"source"`
			Target json.RawMessage `json:"target"` // a table, or the name of a shared one
			Truth  [][2]string     `json:"truth"`
		} `json:"pairs"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("read the dataset %s: %w", path, err)
	}
	d := file.dataset
	for i, p := range file.Pairs {
		target, err := d.target(p.Target)
		if err != nil {
			return nil, fmt.Errorf("read pair %d of the dataset %s: %w", i, path, err)
		}
		d.Pairs = append(d.Pairs, pair{Source: p.Source, Target: target, Truth: p.Truth})
	}
	if len(d.Pairs) == 0 && len(d.Cases) == 0 {
		return nil, fmt.Errorf("the dataset %s has neither \"pairs\" nor \"cases\"; see bench/match/main.go for the format", path)
	}
	return &d, nil
}

func (d *dataset) target(raw json.RawMessage) (table, error) {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		shared, ok := d.Targets[name]
		if !ok {
			return table{}, fmt.Errorf("the target %q is not among \"targets\"", name)
		}
		return shared, nil
	}
	var t table
	err := json.Unmarshal(raw, &t)
	return t, err
}

// fields are the table's fields as the product would have them.
func (t table) fields() []schema.Field {
	fields := make([]schema.Field, len(t.Fields))
	for i, f := range t.Fields {
		fields[i] = schema.Field{Name: f.Name, Type: f.Type, Description: f.Description}
		for j, sample := range f.Samples {
			value, err := json.Marshal(sample)
			if err != nil {
				continue // a string always has JSON
			}
			if j == 0 {
				fields[i].Sample = value
			} else {
				fields[i].Samples = append(fields[i].Samples, value)
			}
		}
	}
	return fields
}

func (t table) entity() schema.Entity {
	return schema.Entity{Name: t.Name, Description: t.Description, Fields: t.fields()}
}
