package analysis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// maxSources is how many fields one mapping may combine.
const maxSources = 16

// item is one mapping that somebody proposes, in terms of a source and a target.
type item struct {
	sources []int // into source.fields
	target  string
	op      schema.Op
	args    formula.Args
	expr    string // a formula that is rendered already, from an earlier decision
	band    Band   // empty when no model said anything
	why     string
	engine  schema.Engine
	derived bool // the target field was made from this source field
}

// verified is a mapping that passed, with the positions that it stands for.
type verified struct {
	mapping schema.Mapping
	item    item
	sources []int
	target  int
	// alternatives may take its place where another mapping gets its target.
	alternatives []*verified
}

// defect is why an item did not pass.
type defect struct {
	item   item
	code   string
	detail string
}

// verify checks an item; a direct one whose values are no good as they are, also as
// the conversion that mends that. The error is the context's; everything else is a
// defect.
func verify(ctx context.Context, src *source, dst *target, it item) (*verified, *defect, error) {
	v, bad, err := try(ctx, src, dst, it)
	if bad == nil || bad.code == CodeUnknownField {
		return v, bad, err
	}
	if conversion, ok := converted(src, dst, it); ok {
		if v, worse, err := try(ctx, src, dst, conversion); worse == nil {
			return v, nil, err
		}
	}
	return nil, bad, nil
}

// converted is a direct item as the conversion that its values need: from the way in
// which they write times, or to a text where some of them are numbers. Where day and
// month could change places, a model is asked again instead, since it may know, and
// a field of a new entity keeps the text.
func converted(src *source, dst *target, it item) (item, bool) {
	if it.op != schema.OpDirect || it.expr != "" || len(it.sources) != 1 {
		return it, false
	}
	s := it.sources[0]
	it.op = schema.OpFormatConversion
	if dst.holdsTime(it.target) {
		formats := src.timeFormats(s)
		if len(formats) == 0 || len(formats) > 1 && (it.derived || it.engine == schema.EngineLLM) {
			return it, false
		}
		it.args = formula.Args{InFormat: formats[0]}
		return it, true
	}
	it.args = formula.Args{OutFormat: "trim"}
	return it, src.profiles[s].Family == match.FamilyText && dst.families[dst.position[it.target]] == match.FamilyText
}

// try checks an item as it is, the cheapest first: the target exists, the sources
// exist, the types can fit, the formula renders, compiles and runs on the sample
// rows.
func try(ctx context.Context, src *source, dst *target, it item) (*verified, *defect, error) {
	fail := func(code, format string, args ...any) (*verified, *defect, error) {
		return nil, &defect{item: it, code: code, detail: clip(fmt.Sprintf(format, args...), maxWhy)}, nil
	}
	position, known := dst.position[it.target]
	if !known {
		return fail(CodeUnknownField, "the proposed target is not a field of the entity")
	}
	field := dst.fields[position]
	if detail := it.badOperation(); detail != "" {
		return fail(CodeFormulaFailed, "%s", detail)
	}
	if slices.ContainsFunc(it.sources, func(p int) bool { return p < 0 || p >= len(src.fields) }) {
		return fail(CodeUnknownField, "a proposed source is not a field of the schema")
	}
	if it.direct() && !fits(src.fields[it.sources[0]], field, it.op) {
		return fail(CodeTypeMismatch, "%s", mismatch(src.fields[it.sources[0]], field))
	}
	expr, report, err := run(ctx, src, it, field)
	if err == nil && (!utf8.ValidString(expr) || strings.ContainsRune(expr, 0)) {
		return fail(CodeFormulaFailed, "the formula has characters that can not be stored")
	}
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if err != nil {
		code, detail := formulaDefect(err)
		if it.engine == schema.EngineLLM { // whose formula may quote a value it was shown
			detail = src.withoutValues(detail, "the formula can not be used")
		}
		return fail(code, "%s", detail)
	}
	return accept(src, dst, it, position, expr, report), nil, nil
}

// badOperation says why an item's operation can not be meant, empty when it can.
func (it item) badOperation() string {
	switch it.op {
	case schema.OpConstant:
		if len(it.sources) > 0 {
			return "a constant has no source field"
		}
		return ""
	case schema.OpDirect, schema.OpFormatConversion, schema.OpSplit:
		if len(it.sources) != 1 {
			return fmt.Sprintf("%s needs exactly one source field, not %d", it.op, len(it.sources))
		}
	case schema.OpCombine, schema.OpFormula:
		if len(it.sources) == 0 || len(it.sources) > maxSources {
			return fmt.Sprintf("%s needs 1 to %d source fields, not %d", it.op, maxSources, len(it.sources))
		}
	default:
		return "the operation is unknown"
	}
	return ""
}

// direct says that the type lattice can judge an item beforehand. The operations
// that compute a value are judged by what comes out on the sample rows instead.
func (it item) direct() bool {
	return it.expr == "" && (it.op == schema.OpDirect || it.op == schema.OpFormatConversion)
}

// fits is the type lattice: what goes over as it is or by a plain cast and, for a
// conversion with a format, whatever is not hopeless.
func fits(from, to schema.Field, op schema.Op) bool {
	if op == schema.OpFormatConversion {
		return match.Fit(match.FamilyOf(from.Type), match.FamilyOf(to.Type)) > 0
	}
	ok, _ := formula.Compatible(from, to)
	return ok
}

func mismatch(from, to schema.Field) string {
	return fmt.Sprintf("%s can not become %s", typeName(from), typeName(to))
}

// run renders the formula of an item and runs it on the part of the sample rows
// that its sources name.
func run(ctx context.Context, src *source, it item, field schema.Field) (string, formula.Report, error) {
	names := src.names(it.sources)
	rows := src.rows.project(names)
	if len(names) == 0 {
		// A constant reads nothing, but must not be a value that stands in the rows.
		rows = src.rows.project(src.names(upTo(len(src.fields), quotedFields)))
	}
	verifier := formula.NewRowVerifier(rows)
	expr := it.expr
	if expr == "" {
		var err error
		if expr, err = verifier.Render(it.op, src.pick(it.sources), field, it.args); err != nil {
			return "", formula.Report{}, err
		}
	}
	report, err := verifier.Verify(ctx, expr, names, field)
	return expr, report, err
}

// quotedFields is among how many fields' values a constant is looked for.
const quotedFields = 200

// upTo are the positions below n, at most limit.
func upTo(n, limit int) []int {
	positions := make([]int, min(n, limit))
	for i := range positions {
		positions[i] = i
	}
	return positions
}

func formulaDefect(err error) (code, detail string) {
	var bad *formula.Error
	if !errors.As(err, &bad) {
		return CodeFormulaFailed, "the formula could not be run"
	}
	switch bad.Code {
	case formula.CodeTypeMismatch:
		return CodeTypeMismatch, bad.Detail
	case formula.CodeUnknownSource:
		return CodeUnknownField, bad.Detail
	default:
		return CodeFormulaFailed, bad.Code + ": " + bad.Detail
	}
}

func accept(src *source, dst *target, it item, position int, expr string, report formula.Report) *verified {
	op := it.op
	// The app stores a direct mapping without its formula, so one that has to cast
	// is a conversion.
	if op == schema.OpDirect && it.expr == "" {
		if _, cast := formula.Compatible(src.fields[it.sources[0]], dst.fields[position]); cast {
			op = schema.OpFormatConversion
		}
	}
	m := schema.Mapping{
		Sources: src.names(it.sources),
		Target:  dst.fields[position].Name,
		Op:      op,
		Formula: expr,
		Engine:  it.engine,
	}
	ev := evidenceFor(src, dst, it, position, report)
	m.Confidence = ev.confidence()
	m.Why = why(src, it, ev, report)
	m.Review = doubt(src, dst, it, m, ev, report)
	return &verified{mapping: m, item: it, sources: it.sources, target: position}
}

// doubt is why a mapping does not pass without a human, empty when it does: it ran on
// real values, or has nothing to compute, and it rests on more than one opinion.
func doubt(src *source, dst *target, it item, m schema.Mapping, ev evidence, report formula.Report) string {
	switch {
	case m.Op == schema.OpConstant:
		return ReviewMappingConstant
	case m.Confidence < doubtfulBelow:
		return ReviewMappingDoubtful
	case report.Ambiguous, it.op == schema.OpFormatConversion && dst.holdsTime(m.Target) && len(src.timeFormats(it.sources[0])) > 1:
		return ReviewMappingAmbiguous
	case report.Changed > 0, report.Imprecise > 0:
		return ReviewMappingInexact
	case m.Op != schema.OpDirect && !ev.checked, it.op == schema.OpFormula && report.Produced == 0:
		return ReviewMappingUnchecked
	case report.Constant:
		return ReviewMappingSame
	case ev.supported():
		return ""
	case ev.model:
		return ReviewMappingUnshared
	default:
		return ReviewMappingLikeness
	}
}

func typeName(f schema.Field) string {
	if f.Type == "" {
		return "a field without a type"
	}
	return plain(f.Type, 64)
}
