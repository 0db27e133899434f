package formula

import (
	"fmt"
	"slices"
	"strings"

	"github.com/schemacast/schemacast/internal/schema"
)

// conversion writes a format_conversion. InFormat tells how the source is written,
// OutFormat how the target wants it; the fields' own formats stand in for an empty
// one. What is converted follows from them and the target's type:
//
//   - times: patterns of YYYY MM M DD D HH H hh h mm ss SSS A Z MMM MMMM, as
//     moment.js, Java, strftime (%d.%m.%Y) and PHP (d/m/Y) write them, "iso",
//     "epoch_s", "epoch_ms", "day_first", "month_first"
//   - numbers: "decimal_comma", "decimal_point", or an example: "1.234,56"
//   - booleans: two words, the true one first: "yes/no"
//   - texts: OutFormat "lower", "upper" or "trim"; e-mails are lowered
func conversion(source, target schema.Field, path string, args Args) (string, error) {
	in, out := strings.TrimSpace(args.InFormat), strings.TrimSpace(args.OutFormat)
	to := familyOf(target.Type)
	if to == familyObject || to == familyList {
		return "", incompatible(source, target, "only single values can be converted")
	}
	switch {
	case to == familyText && textCase(target, in, out) != "":
		return notNull(path, textCase(target, in, out)+"("+trimmed(path)+")"), nil
	case to == familyTime || familyOf(source.Type) == familyTime && to != familyBoolean || isTimeFormat(in) || isTimeFormat(out):
		return times(source, target, path, args)
	case to == familyBoolean || familyOf(source.Type) == familyBoolean || words(in) != nil:
		trues := defaultWords
		if pair := words(in); pair != nil {
			trues = pair
		}
		return booleans(trues, target, path, args), nil
	case to == familyNumber || decimalSign(in) != 0:
		return numbers(source, target, path, in)
	}
	return "", fail(CodeBadArgs, "the formats %q to %q are unknown; take a date pattern such as DD/MM/YYYY, iso, epoch_s, decimal_comma, yes/no, lower, upper or trim", clip(in), clip(out))
}

// textCase returns the function that OutFormat asks for, "" when it does not ask
// for one of texts.
func textCase(target schema.Field, in, out string) string {
	switch strings.ToLower(out) {
	case "lower", "lowercase", "email":
		return "$lowercase"
	case "upper", "uppercase":
		return "$uppercase"
	case "trim":
		return "$string"
	case "":
		if in != "" {
			return ""
		}
		if strings.EqualFold(target.Type, "email") {
			return "$lowercase"
		}
	}
	return ""
}

// defaultWords are what people write for true and false, in pairs.
var defaultWords = []string{"true", "false", "yes", "no", "y", "n", "1", "0", "t", "f", "on", "off"}

// words reads a pair such as "yes/no", nil when format is none.
func words(format string) []string {
	pair := strings.FieldsFunc(strings.ToLower(format), func(r rune) bool { return strings.ContainsRune("/|,", r) })
	if len(pair) != 2 || isTimeFormat(format) || decimalSign(format) != 0 {
		return nil
	}
	for i, word := range pair {
		if pair[i] = strings.TrimSpace(word); pair[i] == "" || len(word) > 32 {
			return nil
		}
	}
	return pair
}

// booleans reads words in pairs; every other value gives nothing.
func booleans(pairs []string, target schema.Field, path string, args Args) string {
	var trues, falses []string
	for i, word := range pairs {
		if i%2 == 0 {
			trues = append(trues, quote(word))
		} else {
			falses = append(falses, quote(word))
		}
	}
	yes, no := "true", "false"
	switch familyOf(target.Type) {
	case familyNumber:
		yes, no = "1", "0"
	case familyText:
		yes, no = quote(yes), quote(no)
		if pair := strings.FieldsFunc(args.OutFormat, func(r rune) bool { return r == '/' || r == '|' || r == ',' }); len(pair) == 2 {
			yes, no = quote(strings.TrimSpace(pair[0])), quote(strings.TrimSpace(pair[1]))
		}
	}
	return fmt.Sprintf("($v := $lowercase(%s); $v in [%s] ? %s : $v in [%s] ? %s)",
		trimmed(path), strings.Join(trues, ", "), yes, strings.Join(falses, ", "), no)
}

// decimalSign returns the decimal sign that a format of numbers means, 0 when it
// is none.
func decimalSign(format string) byte {
	switch strings.ToLower(strings.TrimSpace(format)) {
	case "decimal_comma", "comma", "european", "eu", "de":
		return ','
	case "decimal_point", "thousands_comma", "point", "english", "us", "en":
		return '.'
	}
	last := strings.LastIndexAny(format, ".,")
	if last < 0 || strings.Trim(format, "0123456789#., '") != "" {
		return 0
	}
	sign, other := format[last], byte('.')
	if sign == '.' {
		other = ','
	}
	// A single sign before three digits groups thousands, as does one that repeats.
	if strings.IndexByte(format, other) < 0 && (strings.Count(format, string(sign)) > 1 || len(format)-last == 4) {
		return other
	}
	return sign
}

// numbers reads a text with thousands and a currency into a number.
func numbers(source, target schema.Field, path, in string) (string, error) {
	sign := decimalSign(in)
	if sign == 0 && in == "" {
		if sign = decimalSign(source.Format); sign == 0 {
			sign = '.'
		}
	}
	if sign == 0 {
		return "", fail(CodeBadArgs, "the format %q is none of numbers; take decimal_comma, decimal_point or an example such as 1.234,56", clip(in))
	}
	// Only whole groups of three count as thousands, so that 1.5 is not read as 15
	// where the comma is the decimal sign, and a currency or unit is short. The last
	// two of the spaces are those that do not break a line.
	group, decimal := ",", `\.`
	if sign == ',' {
		group, decimal = `.`, ","
	}
	guard := fmt.Sprintf("/^[^0-9.,()-]{0,4}-?[^0-9.,()-]{0,4}[0-9]+([%s '\u00a0\u202f][0-9]{3})*(%s[0-9]+)?[^0-9.,()-]{0,8}$/", group, decimal)
	value := fmt.Sprintf(`$replace($v, /[^0-9%c-]/, "")`, sign)
	if sign == ',' {
		value = fmt.Sprintf(`$replace(%s, ",", ".")`, value)
	}
	value = "$number(" + value + ")"
	if familyOf(target.Type) == familyText {
		value = "$string(" + value + ")"
	}
	return fmt.Sprintf("($v := %s; $contains($v, %s) ? %s)", trimmed(path), guard, value), nil
}

// isTimeFormat says that a format is one of dates.
func isTimeFormat(format string) bool {
	if format == "" {
		return false
	}
	_, err := parsePattern(format)
	return err == nil
}

// times converts between ways to write a point in time.
func times(source, target schema.Field, path string, args Args) (string, error) {
	in, err := firstPattern(args.InFormat, source.Format)
	if err != nil {
		return "", err
	}
	out, err := firstPattern(args.OutFormat, target.Format)
	if err != nil {
		return "", err
	}
	if args.OutFormat == "" && (target.Format == "" || !isTimeFormat(target.Format)) {
		if out, err = defaultPattern(target, in); err != nil {
			return "", err
		}
	}
	if !out.writable() {
		return "", fail(CodeBadArgs, "the format of the target %q has a fraction that is not SSS; write milliseconds, or none", clip(target.Name))
	}
	r := in.read()
	value := out.write(r.millis)
	switch to := familyOf(target.Type); {
	case to == familyNumber && out.epoch == 0:
		return "", fail(CodeBadArgs, "the target %q is a number; give out_format epoch_s or epoch_ms", clip(target.Name))
	case to == familyText && out.epoch > 0:
		value = "$string(" + value + ")"
	}
	return fmt.Sprintf("($v := %s; %s%s ? %s)", trimmed(path), r.setup, r.condition, value), nil
}

// firstPattern reads the format that was asked for, else the field's own where it
// is one of dates, else ISO.
func firstPattern(asked, own string) (timePattern, error) {
	if asked != "" {
		return parsePattern(asked)
	}
	if p, err := parsePattern(own); err == nil && own != "" {
		return p, nil
	}
	return timePattern{}, nil
}

// defaultPattern is how a target wants a time when nobody says it.
func defaultPattern(target schema.Field, in timePattern) (timePattern, error) {
	word := strings.ToLower(target.Type)
	hasTime := slices.ContainsFunc(in.parts, func(p timePart) bool { return p.unit == 'H' || p.unit == 'h' })
	if word == "date" || familyOf(word) != familyTime && len(in.parts) > 0 && !hasTime {
		return parsePattern("YYYY-MM-DD")
	}
	return timePattern{}, nil
}
