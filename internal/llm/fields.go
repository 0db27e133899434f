package llm

import (
	"bytes"
	"fmt"

	"github.com/schemacast/schemacast/internal/analysis"
)

// fieldsPrompt asks where the source fields belong in an entity that is decided.
func fieldsPrompt(q analysis.Question) string {
	var entity, source bytes.Buffer
	taken := takenTargets(q)
	p, _ := decisionOf(q) // Read refuses a question without one
	decision := decidedLines(&entity, q, p, taken)
	for s := range q.Source {
		sourceLine(&source, s, q.Source[s])
	}
	var out bytes.Buffer
	block(&out, "ENTITIES", entity.Bytes())
	block(&out, "SOURCE", source.Bytes())
	fmt.Fprintf(&out, "It is decided: %s. ", decision)
	if d := q.Decision; d != nil && d.Parts > 1 {
		fmt.Fprintf(&out, "The source is wide, and these fields are part %d of %d of it. ", d.Part, d.Parts)
	}
	fmt.Fprintf(&out, "Account for each of the %d fields. ", len(q.Source))
	out.WriteString(pinnedTask)
	if len(taken) > 0 {
		out.WriteString(takenTask)
	}
	return out.String()
}

// What a question with a decision says about the rest of the form.
const (
	pinnedTask = "Repeat the decision, and leave the name and description of new_entity empty and its fields an empty list.\n"
	takenTask  = "Do not use targets marked taken.\n"
)

// takenTargets are the targets that a question about fields must not fill again.
func takenTargets(q analysis.Question) map[string]bool {
	taken := map[string]bool{}
	if q.Decision != nil {
		for _, name := range q.Decision.Taken {
			taken[name] = true
		}
	}
	return taken
}

// decisionOf returns the decision that a question comes with, as a proposal without
// mappings: that of an answer to repair, or that of a question about fields.
func decisionOf(q analysis.Question) (analysis.Proposal, error) {
	p := analysis.Proposal{Action: analysis.ActionMapToExisting}
	switch {
	case q.Repair != nil:
		p = q.Repair.Proposal
		p.Mappings, p.Unmapped, p.Rejected = nil, nil, nil
	case q.Decision != nil && q.Decision.NewEntity != nil:
		p = analysis.Proposal{Action: analysis.ActionCreateNew, Entity: -1, NewEntity: q.Decision.NewEntity}
	}
	if p.Action == analysis.ActionMapToExisting && (p.Entity < 0 || p.Entity >= len(q.Entities)) ||
		p.Action != analysis.ActionMapToExisting && p.NewEntity == nil {
		return analysis.Proposal{}, errNoDecision
	}
	return p, nil
}

// decided says whether a question comes with its decision.
func decided(q analysis.Question) bool { return q.Repair != nil || q.Ask == analysis.AskFields }

// decidedLines writes the entity of a decision and returns the decision in words.
func decidedLines(out *bytes.Buffer, q analysis.Question, p analysis.Proposal, taken map[string]bool) string {
	if p.Action == analysis.ActionMapToExisting && p.Entity >= 0 && p.Entity < len(q.Entities) {
		entityLines(out, q, newNumbering(q), p.Entity, taken)
		return fmt.Sprintf("map_to_existing e%d", p.Entity+1)
	}
	if p.NewEntity != nil {
		out.WriteString("e0 | ")
		writeQuoted(out, p.NewEntity.Name, maxName)
		attribute(out, "about", p.NewEntity.Description, maxDescription)
		out.WriteByte('\n')
		for i, field := range p.NewEntity.Fields {
			head(out, 'n', i+1, field.Name, field.Type)
			attribute(out, "format", field.Format, maxFormat)
			mark(out, "required", field.Required)
			mark(out, "taken", taken[field.Name])
			attribute(out, "about", field.Description, maxDescription)
			out.WriteByte('\n')
		}
	}
	return "create_new with the fields n1, n2 ... under ENTITIES"
}
