package llm

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for rules.txt
	"encoding/hex"
	"fmt"
	"strconv"

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

// bytesPerLine is what a line of a prompt has, or a little more, so that most prompts are
// written without copying.
const bytesPerLine = 64

// aroundBlocks is what a prompt has beside the lines of its blocks.
const aroundBlocks = 512

// userPrompt renders everything that differs between questions.
func userPrompt(q analysis.Question) string {
	switch {
	case q.Repair != nil:
		return repairPrompt(q)
	case q.Ask == analysis.AskFields:
		return fieldsPrompt(q)
	}
	var entities, source bytes.Buffer
	ids := newNumbering(q)
	entities.Grow(bytesPerLine * (ids.total + len(q.Entities)))
	source.Grow(bytesPerLine * len(q.Source))
	for e := range q.Entities {
		entityLines(&entities, q, ids, e, nil)
	}
	for s := range q.Source {
		sourceLine(&source, s, q.Source[s])
	}
	var out bytes.Buffer
	out.Grow(entities.Len() + source.Len() + aroundBlocks)
	block(&out, "ENTITIES", entities.Bytes())
	block(&out, "SOURCE", source.Bytes())
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
func block(out *bytes.Buffer, name string, lines []byte) {
	if len(lines) == 0 {
		lines = []byte("(none)\n")
	}
	sum := sha256.Sum256(lines)
	word := hex.EncodeToString(sum[:6])
	out.WriteString("BEGIN " + name + " " + word + "\n")
	out.Write(lines)
	out.WriteString("END " + name + " " + word + "\n\n")
}

// entityLines writes an entity and its fields, those with similar names side by side.
// Taken are the names of fields that an accepted mapping fills already.
func entityLines(out *bytes.Buffer, q analysis.Question, ids numbering, e int, taken map[string]bool) {
	entity := q.Entities[e]
	id(out, 'e', e+1)
	out.WriteString(" | ")
	writeQuoted(out, entity.Name, maxName)
	out.WriteString(" | score=")
	out.Write(strconv.AppendFloat(out.AvailableBuffer(), entity.Score, 'f', 2, 64))
	attribute(out, "about", entity.Description, maxDescription)
	out.WriteByte('\n')
	for _, f := range sideBySide(entity.Fields) {
		field := entity.Fields[f]
		head(out, 't', ids.first[e]+f, field.Name, field.Type)
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

func sourceLine(out *bytes.Buffer, s int, field analysis.SourceField) {
	head(out, 's', s+1, field.Name, field.Type)
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

func attribute(out *bytes.Buffer, name, value string, limit int) {
	if value != "" {
		out.WriteString(" | ")
		out.WriteString(name)
		out.WriteByte('=')
		writeQuoted(out, value, limit)
	}
}

func mark(out *bytes.Buffer, name string, set bool) {
	if set {
		out.WriteString(" | ")
		out.WriteString(name)
	}
}

// head begins the line of a field: id, name and type.
func head(out *bytes.Buffer, letter byte, number int, name, typ string) {
	id(out, letter, number)
	out.WriteString(" | ")
	writeQuoted(out, name, maxName)
	out.WriteString(" | ")
	out.WriteString(word(typ))
}

func id(out *bytes.Buffer, letter byte, number int) {
	out.WriteByte(letter)
	out.Write(strconv.AppendInt(out.AvailableBuffer(), int64(number), 10))
}
