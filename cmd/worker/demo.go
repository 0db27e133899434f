package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/schema/record"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

// demoPoll is how often the demo looks whether a run has ended.
const demoPoll = 20 * time.Millisecond

// demoPatience is how long the demo says nothing about a file that is not done: a model
// may be slow, or away.
const demoPatience = 15 * time.Second

// demo analyses the example files, one after the other, so that one can read along,
// and so that a source meets the entity that an earlier one created.
type demo struct {
	db       *store.Store
	producer *task.Producer
	folder   string
	audience *audience
	out      io.Writer
}

// analysed is one example at its end.
type analysed struct {
	file     string
	standing store.Standing
}

// run analyses all files. One that can not be read is told of and stops nothing.
func (d *demo) run(ctx context.Context) error {
	files, err := examples(d.folder)
	if err != nil {
		return err
	}
	began := time.Now()
	var results []analysed
	for i, file := range files {
		if i > 0 {
			d.audience.follow(ctx)
		}
		standing, err := d.analyse(ctx, file)
		switch {
		case err == nil:
			results = append(results, analysed{file: filepath.Base(file), standing: standing})
		case ctx.Err() == nil:
			say(d.out, "%s is left out: %s", filepath.Base(file), err)
		}
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // Ctrl-C is no failure
	}
	say(d.out, "\n%d of %d files analysed in %s:\n", len(results), len(files), time.Since(began).Round(time.Millisecond))
	return printSummary(d.out, results)
}

// examples lists the data files of a folder.
func examples(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("list the example files: %w; name their folder with --examples", err)
	}
	var files []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".csv", ".tsv", ".json", ".ndjson", ".jsonl", ".gz":
			files = append(files, filepath.Join(folder, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the folder %s has no CSV, JSON or NDJSON file; name another with --examples", folder)
	}
	return files, nil
}

// analyse stores a file's shape, queues it and waits for the end of its run.
func (d *demo) analyse(ctx context.Context, file string) (store.Standing, error) {
	shape, err := record.ReadFile(file)
	if err != nil {
		return store.Standing{}, err
	}
	stored, err := d.db.Add(ctx, store.NewSchema{
		TenantID: demoTenant, Name: shape.Name, Fields: shape.Fields, Encoded: shape.Encoded, Samples: shape.Samples,
		By: "demo", Again: true,
	})
	if err != nil {
		return store.Standing{}, err
	}
	payload := task.Payload{SchemaID: stored.SchemaID, TenantID: demoTenant}
	if _, err := d.producer.Enqueue(ctx, task.Request{Payload: payload}); err != nil {
		return store.Standing{}, err
	}
	ticker := time.NewTicker(demoPoll)
	defer ticker.Stop()
	began := time.Now()
	for told := began; ; {
		standing, err := d.db.Standing(ctx, stored.SchemaID, demoTenant)
		if err != nil || !standing.Open {
			return standing, err
		}
		if time.Since(told) >= demoPatience {
			told = time.Now()
			say(d.out, "%s", patience(filepath.Base(file), standing, told.Sub(began)))
		}
		select {
		case <-ctx.Done():
			return standing, ctx.Err()
		case <-ticker.C:
		}
	}
}

// patience says what a file waits for, and how it ended the last time.
func patience(file string, s store.Standing, took time.Duration) string {
	text := fmt.Sprintf("              %s is not done after %s, in attempt %d", file, took.Round(time.Second), s.Attempts)
	if !s.Owned {
		text = fmt.Sprintf("              %s waits since %s for attempt %d", file, took.Round(time.Second), s.Attempts+1)
	}
	if s.Failure.Text != "" {
		text += "; the last one: " + s.Failure.Text
	}
	return text
}

// eventLine makes one readable line of a broadcast event.
func eventLine(data []byte) string {
	var e struct {
		Status   string `json:"status"`
		SchemaID int64  `json:"schema_id"`
		Stage    string `json:"stage"`
		Data     struct {
			Name   string            `json:"name"`
			Fields []json.RawMessage `json:"detected_fields"`
			Schema struct {
				Name string `json:"name"`
			} `json:"bronze_schema"`
			Entity struct {
				Name string `json:"name"`
			} `json:"silver_entity"`
			Mappings int    `json:"mappings_count"`
			Error    string `json:"error"`
		} `json:"data"`
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return ""
	}
	clock := time.Now().Format("15:04:05.000")
	switch schema.EventKind(e.Status) {
	case schema.EventStarted:
		return fmt.Sprintf("%s  schema %-3d started    %s, %d fields", clock, e.SchemaID, e.Data.Name, len(e.Data.Fields))
	case schema.EventCompleted:
		return fmt.Sprintf("%s  schema %-3d completed  %s -> %s, %d mappings", clock, e.SchemaID, e.Data.Schema.Name, e.Data.Entity.Name, e.Data.Mappings)
	case schema.EventFailed:
		return fmt.Sprintf("%s  schema %-3d failed     %s", clock, e.SchemaID, e.Data.Error)
	default:
		return ""
	}
}

func printSummary(w io.Writer, results []analysed) error {
	table := tablewriter.NewTable(w,
		tablewriter.WithRendition(tw.Rendition{
			Borders: tw.BorderNone, Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		}),
		tablewriter.WithHeaderAlignment(tw.AlignLeft),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithPadding(tw.Padding{Left: "  ", Overwrite: true}),
	)
	table.Header("SOURCE", "ENTITY", "", "MAPPED", "CONFIDENCE", "A FORMULA")
	for _, r := range results {
		if err := table.Append(summaryRow(r)...); err != nil {
			return err
		}
	}
	return table.Render()
}

func summaryRow(a analysed) []any {
	s := a.standing
	if s.Failure.Code != "" || s.Recommendation == nil {
		return []any{a.file, "failed: " + s.Failure.Text, "", "", "", ""}
	}
	kind := "new"
	if s.Recommendation.Action == analysis.ActionMapToExisting {
		kind = "existing"
	}
	if s.Outcome == run.OutcomeKeptHuman {
		kind = "kept"
	}
	mapped, sum := map[string]bool{}, 0.0
	for _, m := range s.Recommendation.Mappings {
		sum += m.Confidence
		for _, source := range m.Sources {
			mapped[source] = true
		}
	}
	confidence := ""
	if n := len(s.Recommendation.Mappings); n > 0 {
		confidence = fmt.Sprintf("%.2f", sum/float64(n))
	}
	return []any{
		a.file, s.Recommendation.EntityName, kind, fmt.Sprintf("%d/%d", len(mapped), len(s.Schema.Fields)), confidence,
		tellingFormula(s.Recommendation.Mappings),
	}
}

// tellingFormula is the formula of the first mapping that does more than copy.
func tellingFormula(mappings []schema.Mapping) string {
	i := slices.IndexFunc(mappings, func(m schema.Mapping) bool { return m.Op != schema.OpDirect })
	if i < 0 {
		return ""
	}
	formula := []rune(mappings[i].Target + " = " + mappings[i].Formula)
	if len(formula) > 70 {
		return string(formula[:69]) + "…"
	}
	return string(formula)
}
