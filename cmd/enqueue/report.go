package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

// report prints every item, as text or as one JSON document a line.
func (a *app) report(items []*item) error {
	for _, i := range items {
		if a.json {
			if err := json.NewEncoder(a.stdout).Encode(i.document()); err != nil {
				return err
			}
			continue
		}
		if i.problem != nil {
			a.note("%s", i.named())
			continue
		}
		if err := a.print(i); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) print(i *item) error {
	if _, err := fmt.Fprintln(a.stdout, i.headline()); err != nil {
		return err
	}
	if i.standing == nil {
		return nil
	}
	return printStanding(a.stdout, *i.standing)
}

// named is the problem with the file that it is about.
func (i *item) named() string {
	if i.path == "" {
		return i.problem.Error()
	}
	return i.path + ": " + i.problem.Error()
}

// headline says what was done about a schema.
func (i *item) headline() string {
	var b strings.Builder
	if i.path != "" {
		fmt.Fprintf(&b, "%s: %s of %s: ", printable(i.path), counted(i.fields, "field", "fields"), counted(i.records, "record", "records"))
	}
	fmt.Fprintf(&b, "schema %d ", i.request.SchemaID)
	switch {
	case i.request.State == store.RequestRefused:
		b.WriteString("is known: " + i.request.Reason)
	case i.queued == task.Unknown:
		b.WriteString("waits in the database, not in Redis")
	case i.queued == task.AlreadyQueued || i.request.State == store.RequestAlreadyOpen:
		b.WriteString("waits or runs already")
		if i.request.Reason != "" {
			b.WriteString("; " + i.request.Reason)
		}
	case i.known:
		b.WriteString("is queued again")
	default:
		b.WriteString("is stored and queued")
	}
	return b.String()
}

func printStanding(w io.Writer, s store.Standing) error {
	if s.Failure.Code != "" {
		_, err := fmt.Fprintf(w, "  failed (%s): %s\n", s.Failure.Code, printable(s.Failure.Text))
		return err
	}
	r := s.Recommendation
	if r == nil {
		_, err := fmt.Fprintln(w, "  no result is stored")
		return err
	}
	if _, err := fmt.Fprintln(w, resultOf(s)); err != nil {
		return err
	}
	if s.Outcome == "kept_human" {
		if _, err := fmt.Fprintln(w, "  a human decided about this schema: the result is stored as a recommendation only; --force replaces the decision"); err != nil {
			return err
		}
	}
	return printMappings(w, *r)
}

// resultOf says in a line what the recommendation of a schema is.
func resultOf(s store.Standing) string {
	return fmt.Sprintf("  %s -> entity %s, %d of %d fields mapped, %s", orUnnamed(s.Schema.Name), entityOf(s),
		mappedSources(*s.Recommendation), len(s.Schema.Fields), decidedBy(*s.Recommendation))
}

// printMappings prints the mappings, and what has none. The last column is there when
// something needs a review.
func printMappings(w io.Writer, r analysis.Recommendation) error {
	columns := mappingColumns
	if !doubtful(r) {
		columns--
	}
	var text strings.Builder
	table := tablewriter.NewTable(&text,
		tablewriter.WithRendition(tw.Rendition{
			Borders: tw.BorderNone, Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		}),
		tablewriter.WithHeaderAlignment(tw.AlignLeft),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithPadding(tw.Padding{Left: "  ", Overwrite: true}),
	)
	table.Header([]any{"SOURCE", "TARGET", "HOW", "CONFIDENCE", "FORMULA", "REVIEW"}[:columns]...)
	for _, m := range r.Mappings {
		row := []any{
			short(strings.Join(m.Sources, ", "), 40), short(m.Target, 40), string(m.Op),
			fmt.Sprintf("%.2f", m.Confidence), short(m.Formula, 60), m.Review,
		}
		if err := table.Append(row[:columns]...); err != nil {
			return err
		}
	}
	for _, u := range r.Unmapped {
		err := table.Append(short(u.Source, 40), short(u.Target, 40), "unmapped", "", "", u.Code)
		if err != nil {
			return err
		}
	}
	if err := table.Render(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

const mappingColumns = 6

func doubtful(r analysis.Recommendation) bool {
	return len(r.Unmapped) > 0 || slices.ContainsFunc(r.Mappings, func(m schema.Mapping) bool { return m.Review != "" })
}

func entityOf(s store.Standing) string {
	name := orUnnamed(s.Recommendation.EntityName)
	if s.EntityID != 0 {
		name += fmt.Sprintf(" (%d)", s.EntityID)
	}
	if s.Recommendation.Action == analysis.ActionCreateNew {
		return name + ", new"
	}
	return name
}

func decidedBy(r analysis.Recommendation) string {
	text := "decided offline"
	if r.Engine == schema.EngineLLM {
		text = "decided by " + printable(r.Model)
	}
	if len(r.Review) > 0 {
		text += ", review: " + strings.Join(r.Review, ", ")
	}
	return text
}

func mappedSources(r analysis.Recommendation) int {
	mapped := make(map[string]bool)
	for _, m := range r.Mappings {
		for _, s := range m.Sources {
			mapped[s] = true
		}
	}
	return len(mapped)
}

// document is one line of --json.
type document struct {
	SchemaID int64             `json:"schema_id"`
	TenantID string            `json:"tenant_id,omitempty"`
	Path     string            `json:"path,omitempty"`
	Known    bool              `json:"known"`
	Request  string            `json:"request"`
	Queued   string            `json:"queued,omitempty"`
	Problem  string            `json:"problem,omitempty"`
	Standing *documentStanding `json:"standing,omitempty"`
}

type documentStanding struct {
	Name      string            `json:"name"`
	Status    string            `json:"status"`
	Analysis  string            `json:"ai_analysis_status"`
	RunID     string            `json:"run_id,omitempty"`
	Open      bool              `json:"open"`
	Attempts  int               `json:"attempts"`
	Outcome   string            `json:"outcome,omitempty"`
	ErrorCode string            `json:"error_code,omitempty"`
	Error     string            `json:"error,omitempty"`
	Action    string            `json:"action,omitempty"`
	EntityID  int64             `json:"entity_id,omitempty"`
	Entity    string            `json:"entity,omitempty"`
	Engine    string            `json:"engine,omitempty"`
	Review    []string          `json:"review,omitempty"`
	Mappings  []documentMapping `json:"mappings,omitempty"`
	Unmapped  []string          `json:"unmapped,omitempty"`
}

type documentMapping struct {
	Sources    []string `json:"sources"`
	Target     string   `json:"target"`
	Op         string   `json:"op"`
	Formula    string   `json:"formula"`
	Confidence float64  `json:"confidence"`
	Review     string   `json:"review,omitempty"`
}

func (i *item) document() document {
	d := document{
		SchemaID: i.request.SchemaID, TenantID: i.request.TenantID, Path: i.path, Known: i.known,
		Request: string(i.request.State), Queued: string(i.queued),
	}
	if i.problem != nil {
		d.Problem = i.problem.Error()
	}
	if i.standing != nil {
		d.Standing = standingDocument(*i.standing)
	}
	return d
}

func standingDocument(s store.Standing) *documentStanding {
	d := &documentStanding{
		Name: s.Schema.Name, Status: string(s.Schema.Status), Analysis: string(s.Schema.AnalysisStatus), RunID: s.RunID, Open: s.Open,
		Attempts: s.Attempts, Outcome: string(s.Outcome), ErrorCode: string(s.Failure.Code), Error: s.Failure.Text, EntityID: s.EntityID,
	}
	if r := s.Recommendation; r != nil {
		d.Action, d.Entity, d.Engine, d.Review = string(r.Action), r.EntityName, string(r.Engine), r.Review
		for _, m := range r.Mappings {
			d.Mappings = append(d.Mappings, documentMapping{
				Sources: append([]string{}, m.Sources...), Target: m.Target, Op: string(m.Op), Formula: m.Formula,
				Confidence: m.Confidence, Review: m.Review,
			})
		}
		for _, u := range r.Unmapped {
			if u.Source != "" {
				d.Unmapped = append(d.Unmapped, u.Source)
			}
		}
	}
	return d
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func orUnnamed(name string) string {
	if name == "" {
		return "(unnamed)"
	}
	return printable(name)
}

func short(text string, limit int) string {
	runes := []rune(printable(text))
	if len(runes) <= limit {
		return string(runes)
	}
	return string(runes[:limit-1]) + "…"
}

// printable keeps names that strangers chose from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, text)
}
