package llm

import "github.com/schemacast/schemacast/internal/analysis"

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
	source := make([]analysis.SourceField, len(q.Source))
	for i, f := range q.Source {
		f.Samples, f.Description = nil, about(f.Description, d)
		if d == detailLeast {
			f.Shape = ""
		}
		source[i] = f
	}
	entities := make([]analysis.QuestionEntity, len(q.Entities))
	for i, entity := range q.Entities {
		fields := make([]analysis.QuestionField, len(entity.Fields))
		for j, f := range entity.Fields {
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
	source := make([]analysis.SourceField, len(q.Source))
	any := false
	for i, f := range q.Source {
		any = any || len(f.Samples) > 0 || f.Description != ""
		f.Samples, f.Description = nil, ""
		source[i] = f
	}
	q.Source = source
	return q, any
}
