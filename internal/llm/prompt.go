package llm

import (
	"crypto/sha256"
	_ "embed" // for rules.txt
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/schemacast/schemacast/internal/analysis"
)

// rules is the static part of every prompt. It comes first and never changes within
// a version of the program, so that servers can keep it in their prompt cache.
//
//go:embed rules.txt
var rules string

// systemPrompt returns the rules; where no schema of the answer is enforced they end with
// it.
func systemPrompt(r rung) string {
	if r == rungStrict || r == rungTool {
		return rules
	}
	return rules + "\nThe JSON schema of the answer, all keys are required:\n" + answerSchema + "\n"
}

// userPrompt renders everything that differs between questions.
func userPrompt(q analysis.Question) string {
	switch {
	case q.Repair != nil:
		return repairPrompt(q)
	case q.Ask == analysis.AskFields:
		return fieldsPrompt(q)
	}
	var entities, source strings.Builder
	ids := newNumbering(q)
	for e := range q.Entities {
		entityLines(&entities, q, ids, e, nil)
	}
	for s := range q.Source {
		sourceLine(&source, s, q.Source[s])
	}
	var out strings.Builder
	block(&out, "ENTITIES", entities.String())
	block(&out, "SOURCE", source.String())
	if q.Ask == analysis.AskEntity {
		out.WriteString(entityTask)
	} else {
		fmt.Fprintf(&out, "Decide where the source belongs and account for each of its %d fields.\n", len(q.Source))
	}
	if len(q.Entities) == 0 {
		out.WriteString("There are no entities yet, so decision is create_new.\n")
	}
	return out.String()
}

// entityTask ends a question about the entity alone. Fields of a new entity are not
// asked for: the source may be a sketch.
const entityTask = `Decide where the source belongs, and nothing else: mappings and unmapped are empty lists, also the fields of new_entity.
`

// block delimits lines of data. The word on both ends is a hash of what is between:
// nobody can write a text that holds its own hash, and equal questions stay equal.
func block(out *strings.Builder, name, lines string) {
	if lines == "" {
		lines = "(none)\n"
	}
	sum := sha256.Sum256([]byte(lines))
	word := hex.EncodeToString(sum[:6])
	fmt.Fprintf(out, "BEGIN %s %s\n%sEND %s %s\n\n", name, word, lines, name, word)
}

// entityLines writes an entity and its fields, those with similar names side by side.
// Taken are the names of fields that an accepted mapping fills already.
func entityLines(out *strings.Builder, q analysis.Question, ids numbering, e int, taken map[string]bool) {
	entity := q.Entities[e]
	fmt.Fprintf(out, "e%d | %s | score=%s", e+1, quote(entity.Name, maxName), strconv.FormatFloat(entity.Score, 'f', 2, 64))
	attribute(out, "about", entity.Description, maxDescription)
	out.WriteByte('\n')
	for _, f := range sideBySide(entity.Fields) {
		field := entity.Fields[f]
		fmt.Fprintf(out, "t%d | %s | %s", ids.first[e]+f, quote(field.Name, maxName), word(field.Type))
		attribute(out, "format", field.Format, maxFormat)
		mark(out, "required", field.Required)
		mark(out, "taken", taken[field.Name])
		attribute(out, "about", field.Description, maxDescription)
		for _, alias := range field.Aliases[:min(len(field.Aliases), maxAliases)] {
			attribute(out, "also", alias, maxAlias)
		}
		out.WriteByte('\n')
	}
}

func sourceLine(out *strings.Builder, s int, field analysis.SourceField) {
	fmt.Fprintf(out, "s%d | %s | %s", s+1, quote(field.Name, maxName), word(field.Type))
	attribute(out, "format", field.Format, maxFormat)
	mark(out, "required", field.Required)
	attribute(out, "meaning", field.Semantic, maxType)
	attribute(out, "shape", field.Shape, maxShape)
	attribute(out, "about", field.Description, maxDescription)
	for _, sample := range field.Samples[:min(len(field.Samples), maxSamples)] {
		attribute(out, "sample", sample, maxSample)
	}
	out.WriteByte('\n')
}

func attribute(out *strings.Builder, name, value string, limit int) {
	if value != "" {
		out.WriteString(" | " + name + "=" + quote(value, limit))
	}
}

func mark(out *strings.Builder, name string, set bool) {
	if set {
		out.WriteString(" | " + name)
	}
}
