package formula

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/recolabs/gnata"

	"github.com/schemacast/schemacast/internal/schema"
)

const (
	maxRows    = 20
	runTimeout = 100 * time.Millisecond // of one run on one row
	maxChances = 4                      // after a run that was too slow
	maxSteps   = 500_000                // of one run; an honest one takes a few hundred
)

// Report says how an expression did on the sample rows.
type Report struct {
	Rows     int // rows run
	Produced int // rows that gave a value: not undefined, null or an empty text
	Absent   int // rows whose sources were all null, missing or blank
	// Misfits counts values of the right type that do not fit the target's format,
	// such as "n/a" for an e-mail address. They are at most half of Produced, or the
	// expression would have failed.
	Misfits int
	// Constant says that all values were the same, though the sources were not.
	Constant bool
	// Inputs counts the different values of the sources on the rows that gave a value, and
	// Distinct the different values that they gave.
	Inputs, Distinct int
	// Changed counts rows on which the value, read back, is another number than that of the
	// only source, or a time less than a day from it, as where units or zones are
	// converted. Times further away are an error.
	Changed int
	// Ambiguous says that the values of the only source can all be read in two ways, and
	// that the results are one of them: days and months that could change places, or signs
	// of decimals or thousands.
	Ambiguous bool
	// Imprecise counts rows whose sources hold whole numbers that are exact here, but not in
	// jsonata-js, which has 53 bits for them.
	Imprecise int
}

// Lossy says that different values of the sources became one, as where a split leaves
// out what made them different.
func (r Report) Lossy() bool { return r.Distinct < r.Inputs }

// Verifier writes expressions and runs them on the rows of one schema. It may be used
// by several goroutines.
type Verifier struct {
	samples []sample
}

// NewVerifier reads the rows, at most 20; those that are no objects are skipped.
func NewVerifier(rows []json.RawMessage) *Verifier {
	return &Verifier{samples: readSamples(rows, maxRows)}
}

// NewRowVerifier is NewVerifier for rows whose own keys are read already. Their values are
// as a decoder gives them, without blanks around.
func NewRowVerifier(rows []map[string]json.RawMessage) *Verifier {
	v := &Verifier{samples: make([]sample, 0, min(len(rows), maxRows))}
	for _, row := range rows[:min(len(rows), maxRows)] {
		v.samples = append(v.samples, row)
	}
	return v
}

// Verify gates and compiles expr and runs it twice on every row, of which it sees
// the sources alone, cut to 128 bytes a text. sources are field names as in
// schema.Field. An expression fails with an *Error when it fails on any row, is
// not stable, gives a value whose type is not target's, gives more values of a
// wrong format than of a right one, makes a time of another day of the only source's,
// copies a sample value into a literal, or gives nothing at all although its sources
// have values. Without rows it is only compiled, and the report is zero. Any other
// error is that of ctx.
//
// Everything runs in the caller's goroutine: what passes Gate ends soon by itself,
// and the limits on steps and time are a second line.
func (v *Verifier) Verify(ctx context.Context, expr string, sources []string, target schema.Field) (Report, error) {
	if copies(expr, sources) {
		if report, done, err := v.verifyCopy(expr, target); done {
			return report, err
		}
	}
	return v.verify(ctx, expr, sources, target)
}

// verify asks the engine.
func (v *Verifier) verify(ctx context.Context, expr string, sources []string, target schema.Field) (Report, error) {
	tree, err := gate(expr, sources)
	if err != nil {
		return Report{}, err
	}
	if quotesSample(literals(tree), v.samples) {
		return Report{}, fail(CodeCopiedSample, "a text of the expression is a value of a sample row; a mapping has to work for every record")
	}
	compiled, err := compile(expr)
	if err != nil {
		return Report{}, err
	}
	t := newTrial(compiled, target)
	if len(sources) == 1 {
		t.keys = keysOf(sources[0], v.samples)
	}
	for _, s := range v.samples {
		row, present := s.only(sources)
		if err := t.run(ctx, row, present || len(sources) == 0); err != nil {
			return t.report, err
		}
	}
	return t.report, t.verdict()
}

// compile turns the engine's refusals, and a panic if it has one, into an *Error.
func compile(expr string) (compiled *gnata.Expression, err error) {
	defer func() {
		if recover() != nil {
			compiled, err = nil, fail(CodeSyntax, "the engine broke on the expression")
		}
	}()
	compiled, err = gnata.Compile(expr)
	if err != nil {
		return nil, fail(CodeSyntax, "the expression is not valid JSONata (%s)", engineCode(err))
	}
	return compiled, nil
}

// trial is one expression on its way through the rows.
type trial struct {
	compiled *gnata.Expression
	target   schema.Field
	report   Report
	misfit   string // what the first misfit was

	inputs, values map[string]bool
	keys           []string // of the only source
	pairs          []pair
	patterned      bool // the target's format says how times are written; known where a field is copied
}

func newTrial(compiled *gnata.Expression, target schema.Field) *trial {
	return &trial{compiled: compiled, target: target, inputs: map[string]bool{}, values: map[string]bool{}}
}

func (t *trial) run(ctx context.Context, row json.RawMessage, present bool) error {
	data, err := gnata.DecodeJSON(row)
	if err != nil {
		return fail(CodeRuntime, "row %d is not valid JSON", t.report.Rows+1)
	}
	value, err := t.evaluate(ctx, data)
	if err != nil {
		return err
	}
	again, err := t.evaluate(ctx, data)
	if err != nil {
		return err
	}
	first, err := canonical(value)
	if err != nil {
		return err
	}
	if second, err := canonical(again); err != nil || !bytes.Equal(first, second) {
		return fail(CodeUnstable, "two runs on the same row gave different values")
	}
	t.report.Rows++
	if !present {
		t.report.Absent++
	}
	if imprecise(row) {
		t.report.Imprecise++
	}
	if isEmpty(value) {
		return nil
	}
	t.report.Produced++
	t.inputs[string(row)], t.values[string(first)] = true, true
	result := gnata.NormalizeValue(value)
	if err := t.fit(result); err != nil {
		return err
	}
	return t.readBack(row, result)
}

// fit holds a result against the target's type and format.
func (t *trial) fit(result any) error {
	switch fit, detail := fits(t.target, result); fit {
	case fitsNot:
		return fail(CodeTypeMismatch, "gives %s, but the target %q wants %s", detail, clip(t.target.Name), describe(t.target))
	case fitsType:
		t.report.Misfits++
		t.misfit = detail
	}
	return nil
}

var longNumber = regexp.MustCompile(`[:\[,](-?[0-9]{16,})[,}\]]`)

// imprecise says that a row has a whole number that jsonata-js rounds.
func imprecise(row []byte) bool {
	if !hasLongNumber(row) {
		return false
	}
	for _, found := range longNumber.FindAllSubmatch(row, -1) {
		text := string(found[1])
		if n, err := strconv.ParseFloat(text, 64); err == nil && strconv.FormatFloat(n, 'f', 0, 64) != text {
			return true
		}
	}
	return false
}

// hasLongNumber spares most rows the search for one.
func hasLongNumber(row []byte) bool {
	digits := 0
	for _, b := range row {
		if !isDigit(b) {
			digits = 0
		} else if digits++; digits == 16 {
			return true
		}
	}
	return false
}

// readBack compares a result with the value of the only source.
func (t *trial) readBack(row json.RawMessage, result any) error {
	if t.keys == nil || !couldBeRead(t.target, result) {
		return nil
	}
	source := textOfSource(row, t.keys)
	if source == "" {
		return nil
	}
	return t.compare(source, result)
}

func (t *trial) compare(source string, result any) error {
	t.pairs = append(t.pairs, pair{source, result})
	switch compare(source, t.target, result) {
	case changeForeign:
		return fail(CodeRoundTrip, "makes another day of the source's on row %d; check the format, and the order of day and month", t.report.Rows)
	case changeSmall:
		t.report.Changed++
	}
	return nil
}

func (t *trial) verdict() error {
	r := &t.report
	r.Inputs, r.Distinct = len(t.inputs), len(t.values)
	r.Constant = r.Inputs > 1 && r.Distinct == 1
	r.Ambiguous = ambiguous(t.target, t.pairs)
	if r.Produced == 0 && r.Rows > r.Absent {
		return fail(CodeAlwaysEmpty, "gave no value on any of %d rows, although the sources have values on %d", r.Rows, r.Rows-r.Absent)
	}
	if 2*r.Misfits > r.Produced {
		return fail(CodeTypeMismatch, "gives %s on %d of %d rows, but the target %q wants %s",
			t.misfit, r.Misfits, r.Produced, clip(t.target.Name), describe(t.target))
	}
	return nil
}

// evaluate runs the expression once. A run that was too slow gets further chances, with
// twice the time each: the clock also counts what else the machine had to do, and no
// honest formula may fail because of that. What is dear by itself runs out of steps.
func (t *trial) evaluate(ctx context.Context, data any) (any, error) {
	for chance := 0; ; chance++ {
		limit := &limit{Context: ctx, deadline: time.Now().Add(runTimeout << chance), steps: maxSteps}
		value, err := evaluate(limit, t.compiled, data) //nolint:contextcheck // limit is ctx, with a counter
		switch {
		case err == nil:
			return value, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("verify formula: %w", ctx.Err())
		case errors.Is(err, errSteps), errors.Is(err, errClock) && chance == maxChances:
			return nil, fail(CodeTimeout, "takes too long on row %d; make it simpler", t.report.Rows+1)
		case errors.Is(err, errClock):
			continue
		}
		return nil, fail(CodeRuntime, "fails on row %d: %s", t.report.Rows+1, explain(err))
	}
}

var (
	errSteps = errors.New("too many steps")
	errClock = errors.New("out of time")
)

// limit is the context that a run gets. The engine asks it for an error before
// every step, which makes it a counter of steps; it needs no timer and no goroutine.
type limit struct {
	context.Context
	deadline time.Time
	steps    int
}

func (l *limit) Deadline() (time.Time, bool) { return l.deadline, true }

func (l *limit) Err() error {
	l.steps--
	switch {
	case l.steps < 0:
		return errSteps
	case l.steps%64 != 0:
		return nil
	case time.Now().After(l.deadline):
		return errClock
	}
	return l.Context.Err()
}
