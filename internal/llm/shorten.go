package llm

import (
	"slices"

	"github.com/schemacast/schemacast/internal/analysis"
)

// How much of a question is shown. What is left out takes no line with it, so all ids
// stay what they are, and an answer means the same.
type detail int

const (
	detailAll    detail = iota
	detailShort         // no samples, short descriptions, one alias
	detailLeast         // names, types and formats alone
	shortAbout   = 48   // runes of a description
	shortAliases = 1
)

// shortened returns the question with less detail.
func shortened(q analysis.Question, d detail) analysis.Question {
	if d == detailAll {
		return q
	}
	source := slices.Clone(q.Source)
	for i, f := range source {
		f.Samples, f.Description = nil, about(f.Description, d)
		if d == detailLeast {
			f.Shape = ""
		}
		source[i] = f
	}
	entities := slices.Clone(q.Entities)
	for i, entity := range entities {
		fields := slices.Clone(entity.Fields)
		for j, f := range fields {
			f.Description, f.Aliases = about(f.Description, d), f.Aliases[:min(len(f.Aliases), shortAliases)]
			if d == detailLeast {
				f.Aliases = nil
			}
			fields[j] = f
		}
		entity.Fields, entity.Description = fields, about(entity.Description, d)
		entities[i] = entity
	}
	q.Source, q.Entities = source, entities
	return q
}

func about(text string, d detail) string {
	if d == detailLeast {
		return ""
	}
	return cut(text, shortAbout)
}

// masked returns the question without what people wrote or stored as a value: names,
// types and shapes stay. It is false when nothing of that was in it.
func masked(q analysis.Question) (analysis.Question, bool) {
	source, found := slices.Clone(q.Source), false
	for i, f := range source {
		found = found || len(f.Samples) > 0 || f.Description != ""
		source[i].Samples, source[i].Description = nil, ""
	}
	q.Source = source
	return q, found
}
