package formula

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/schemacast/schemacast/internal/schema"
)

// Render writes the expression of an operation. What the dots in names mean follows
// from the rows, see keysOf.
//
//   - direct: the bare path (company_6), with a cast where Compatible says so.
//     Casts give nothing for null, missing and blank values.
//   - format_conversion: see conversion. A value that is not written as InFormat
//     says gives nothing, never a wrong value.
//   - combine: the parts that have a value, joined by Separator.
//   - split: part Index, trimmed; negative counts from the end.
//   - constant: the literal in the target's type: a text, number or boolean.
//   - formula: args.Formula itself.
//
// The result passes Gate. The error is an *Error.
func (v *Verifier) Render(op schema.Op, sources []schema.Field, target schema.Field, args Args) (string, error) {
	names, paths := make([]string, len(sources)), make([]string, len(sources))
	for i, source := range sources {
		names[i] = source.Name
		paths[i] = path(keysOf(source.Name, v.samples))
	}
	if err := arity(op, len(sources)); err != nil {
		return "", err
	}
	var expr string
	var err error
	switch op {
	case schema.OpDirect:
		expr, _, err = castTo(sources[0], target, paths[0])
	case schema.OpFormatConversion:
		expr, err = conversion(sources[0], target, paths[0], args)
	case schema.OpCombine:
		expr, err = combine(paths, target, args)
	case schema.OpSplit:
		expr, err = split(paths[0], target, args)
	case schema.OpConstant:
		expr, err = constant(target, args.Literal)
	case schema.OpFormula:
		expr = strings.TrimSpace(args.Formula)
	}
	if err != nil {
		return "", err
	}
	if copies(expr, names) {
		return expr, nil // nothing in a name could be refused
	}
	return expr, Gate(expr, names)
}

// arity checks the number of sources.
func arity(op schema.Op, n int) error {
	want := ""
	switch op {
	case schema.OpDirect, schema.OpFormatConversion, schema.OpSplit:
		if n != 1 {
			want = "exactly one source"
		}
	case schema.OpConstant:
		if n != 0 {
			want = "no source"
		}
	case schema.OpCombine, schema.OpFormula:
		if n == 0 {
			want = "at least one source"
		}
	default:
		return fail(CodeBadArgs, "there is no operation %q; take direct, format_conversion, combine, split, constant or formula", clip(string(op)))
	}
	if want != "" {
		return fail(CodeBadArgs, "the operation %s takes %s, not %d", op, want, n)
	}
	return nil
}

// combine joins the parts that are neither missing, null nor blank.
func combine(paths []string, target schema.Field, args Args) (string, error) {
	switch familyOf(target.Type) {
	case familyText, familyTime, familyAny:
	default:
		return "", fail(CodeTypeMismatch, "combine gives a text, but the target %q wants %s", clip(target.Name), describe(target))
	}
	parts := "[" + strings.Join(paths, ", ") + "]"
	return fmt.Sprintf(`$join((%s[$ != null]).$trim($string($))[$ != ""], %s)`, parts, quote(args.Separator)), nil
}

func split(path string, target schema.Field, args Args) (string, error) {
	if args.Separator == "" {
		return "", fail(CodeBadArgs, "split needs a separator; give the text between the parts, such as \" \"")
	}
	part := fmt.Sprintf("$trim($split($string(%s), %s)[%d])", path, quote(args.Separator), args.Index)
	switch familyOf(target.Type) {
	case familyText, familyTime, familyAny:
	case familyNumber:
		part = "($v := " + part + `; $v != "" ? $number($v))`
	default:
		return "", fail(CodeTypeMismatch, "split gives a text, but the target %q wants %s", clip(target.Name), describe(target))
	}
	return notNull(path, part), nil
}

// constant writes the literal as the target's type has it.
func constant(target schema.Field, literal string) (string, error) {
	trimmed := strings.TrimSpace(literal)
	switch familyOf(target.Type) {
	case familyText, familyTime, familyAny:
		return quote(literal), nil
	case familyNumber:
		var n float64
		if json.Unmarshal([]byte(trimmed), &n) == nil && trimmed != "null" {
			if fit, _ := fits(target, n); fit == fitsWell {
				return trimmed, nil
			}
		}
	case familyBoolean:
		if b, err := strconv.ParseBool(strings.ToLower(trimmed)); err == nil {
			return strconv.FormatBool(b), nil
		}
	}
	return "", fail(CodeTypeMismatch, "the constant does not fit the target %q, which wants %s", clip(target.Name), describe(target))
}

// notNull guards an expression that would take null for the text "null".
func notNull(path, expr string) string { return path + " != null ? " + expr }

// trimmed is a value as text without spaces around it.
func trimmed(path string) string { return "$trim($string(" + path + "))" }

// castTo writes a source's value as the target's type. It tells whether that took
// more than the bare path.
func castTo(source, target schema.Field, path string) (expr string, cast bool, err error) {
	from, to := familyOf(source.Type), familyOf(target.Type)
	switch {
	case from == familyAny || to == familyAny:
		return path, false, nil
	case from == familyTime || to == familyTime:
		return castTime(source, target, path)
	case from == to:
		return path, false, nil
	case from == familyObject || from == familyList || to == familyObject:
	case to == familyList:
		return notNull(path, "["+path+"]"), true, nil
	case to == familyText:
		return notNull(path, "$string("+path+")"), true, nil
	case to == familyBoolean:
		return booleans(defaultWords, target, path, Args{}), true, nil
	case from == familyBoolean:
		return notNull(path, "$number("+path+")"), true, nil
	default: // a text to a number
		return fmt.Sprintf(`%s != null and %s != "" ? $number(%[2]s)`, path, trimmed(path)), true, nil
	}
	return "", false, incompatible(source, target, "use another source, or a formula")
}

// castTime casts where one side is a point in time.
func castTime(source, target schema.Field, path string) (expr string, cast bool, err error) {
	from, to := strings.ToLower(source.Type), strings.ToLower(target.Type)
	switch family := familyOf(to); {
	case from == to, from == "string", from == "text", from == "timestamp" && family == familyNumber, familyOf(from) == familyNumber && to == "timestamp":
		return path, false, nil
	case familyOf(from) == familyTime && family == familyText:
		if from == "timestamp" {
			return notNull(path, "$string("+path+")"), true, nil
		}
		return path, false, nil
	case familyOf(from) == familyTime && family == familyTime:
		if from != "date" && to != "date" {
			return path, false, nil
		}
		expr, err = times(source, target, path, Args{InFormat: "iso"})
		return expr, true, err
	case familyOf(from) == familyTime && family == familyList:
		return notNull(path, "["+path+"]"), true, nil
	}
	return "", false, incompatible(source, target, "use format_conversion and say the format of the source")
}

func incompatible(source, target schema.Field, cure string) error {
	return fail(CodeTypeMismatch, "the source %q is %s, but the target %q wants %s; %s",
		clip(source.Name), describe(source), clip(target.Name), describe(target), cure)
}
