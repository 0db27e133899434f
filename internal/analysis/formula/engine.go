package formula

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/recolabs/gnata"
)

// The engine forgives what jsonata-js, in which customers run their formulas, does not:
// spaces around a number, an argument of a wrong type where another is missing, text
// behind a date. This file makes it as strict, so that what passes on the sample rows
// passes there too.

// environment has the engine's functions, put right. It never changes.
var environment = strict(gnata.NewCustomEnv(nil))

// evaluate runs an expression as jsonata-js would.
func evaluate(ctx context.Context, e *gnata.Expression, row any) (any, error) {
	return e.EvalWithCustomFuncs(ctx, row, environment)
}

// bindings is what is needed of the engine's environment, whose type has no name here.
type bindings interface {
	Bind(name string, value any)
	Lookup(name string) (any, bool)
}

// strict replaces every known function by one that checks its arguments first. The
// engine tells functions by their types, which have no names here either, so that the
// replacements are made by reflection.
func strict[E bindings](env E) E {
	for name, f := range functions {
		original, _ := env.Lookup(name)
		call := reflect.ValueOf(original)
		if call.Kind() != reflect.Func {
			call = cases(env, name)
		}
		env.Bind(name, reflect.MakeFunc(call.Type(), func(in []reflect.Value) []reflect.Value {
			args, _ := in[0].Interface().([]any)
			special := specials[name]
			if special != nil && len(args) == 0 {
				args = []any{in[1].Interface()} // the context
			} else if special != nil {
				args = slices.Clone(args)
			}
			err := checkTypes(f.takes, args)
			var done bool
			var result any
			if special != nil && err == nil {
				result, done, err = special(args)
			}
			if done || err != nil {
				return []reflect.Value{valueOf(call.Type().Out(0), result), valueOf(call.Type().Out(1), err)}
			}
			in[0] = reflect.ValueOf(args)
			return call.Call(in)
		}).Interface())
	}
	return env
}

// cases makes $uppercase and $lowercase, which the engine has in another form.
func cases[E bindings](env E, name string) reflect.Value {
	trim, _ := env.Lookup("trim")
	return reflect.MakeFunc(reflect.TypeOf(trim), func(in []reflect.Value) []reflect.Value {
		args, _ := in[0].Interface().([]any)
		subject := in[1].Interface()
		if len(args) > 0 {
			subject = args[0]
		}
		var result any
		var err error
		switch text, ok := subject.(string); {
		case subject == nil:
		case !ok:
			err = errArgument
		case name == "uppercase":
			result = strings.ToUpper(upper.Replace(text))
		case strings.ContainsAny(text, "Σİ"): // jsonata-js looks at what stands around them
			err = errUnlike
		default:
			result = strings.ToLower(text)
		}
		out := reflect.TypeOf(trim)
		return []reflect.Value{valueOf(out.Out(0), result), valueOf(out.Out(1), err)}
	})
}

func valueOf(typ reflect.Type, value any) reflect.Value {
	if value == nil {
		return reflect.Zero(typ)
	}
	return reflect.ValueOf(value)
}

// The errors that the checks give, by the codes that jsonata-js has for them.
var (
	errArgument = errors.New("T0410")
	errNumber   = errors.New("D3030")
	errPower    = errors.New("D3061")
	errISO      = errors.New("D3110")
	errGap      = errors.New("D3136")
	errUnlike   = errors.New("D3137") // ours: the implementations would differ
)

// checkTypes compares arguments with the types that a function takes, in the letters of
// jsonata-js: s text, n number, b boolean, f function or regular expression, x anything.
// What is missing fits everywhere.
func checkTypes(takes []string, args []any) error {
	for i, letters := range takes {
		if i >= len(args) || args[i] == nil || letters == "x" {
			continue
		}
		if strings.IndexByte(letters, letterOf(args[i])) < 0 {
			return errArgument
		}
	}
	return nil
}

func letterOf(value any) byte {
	switch v := value.(type) {
	case string:
		return 's'
	case float64, json.Number:
		return 'n'
	case bool:
		return 'b'
	case map[string]any:
		if _, regex := v["pattern"]; regex && len(v) == 2 {
			return 'f'
		}
		return 'o'
	case []any:
		return 'a'
	}
	if reflect.TypeOf(value).Kind() == reflect.Func {
		return 'f'
	}
	return 'o' // objects and null, which no function with a type takes
}

// specials are functions that need more than the check of types. They get one argument
// at least, may answer themselves (done), or change args for the engine.
var specials = map[string]func(args []any) (result any, done bool, err error){
	"number":        strictNumber,
	"power":         strictPower,
	"substring":     strictSubstring,
	"formatInteger": strictFormatInteger,
	"formatNumber":  strictFormatNumber,
	"round":         strictRound,
	"split":         strictSplit,
	"toMillis":      strictToMillis,
	"trim":          strictTrim,
	"base64encode":  strictASCII,
	"base64decode":  strictASCII,
}

var (
	numberForm = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?$`)
	hexForm    = regexp.MustCompile(`^(0[xX][0-9A-Fa-f]+|0[oO][0-7]+|0[bB][01]+)$`)
)

func strictNumber(args []any) (any, bool, error) {
	if text, ok := args[0].(string); ok && !numberForm.MatchString(text) && !hexForm.MatchString(text) {
		return nil, false, errNumber
	}
	return nil, false, nil
}

func strictPower(args []any) (any, bool, error) {
	if len(args) == 2 && args[0] != nil && args[1] == nil {
		return nil, false, errPower
	}
	return nil, false, nil
}

// strictSubstring cuts as jsonata-js does, also with fractions and huge lengths.
func strictSubstring(args []any) (any, bool, error) {
	if len(args) < 2 {
		return nil, false, nil
	}
	text, ok := args[0].(string)
	start, isNumber := number(args[1])
	if !ok || !isNumber {
		return nil, false, nil
	}
	runes := []rune(text)
	n := float64(len(runes))
	if n+start < 0 {
		start = 0
	}
	end := n
	if len(args) > 2 && args[2] != nil {
		length, _ := number(args[2])
		if length <= 0 {
			return "", true, nil
		}
		end = start + length
		if start < 0 {
			end += n
		}
	}
	from, to := slicePosition(start, n), slicePosition(end, n)
	if from >= to {
		return "", true, nil
	}
	return string(runes[from:to]), true, nil
}

// slicePosition is where JavaScript's slice begins or ends.
func slicePosition(at, n float64) int {
	at = math.Trunc(at)
	if at < 0 {
		at = max(n+at, 0)
	}
	return int(min(at, n))
}

// exact is where jsonata-js begins to confuse whole numbers with their neighbours.
const exact = 1 << 52

// strictFormatInteger rounds down, where the engine cuts fractions off.
func strictFormatInteger(args []any) (any, bool, error) {
	n, ok := number(args[0])
	if ok && math.Abs(n) >= exact {
		return nil, false, errUnlike
	}
	if ok && n != math.Floor(n) {
		args[0] = math.Floor(n)
	}
	return nil, false, nil
}

// strictFormatNumber rounds as $round does first, and refuses numbers that jsonata-js
// writes in other digits.
func strictFormatNumber(args []any) (any, bool, error) {
	n, ok := number(args[0])
	if !ok || len(args) < 2 {
		return nil, false, nil
	}
	picture, _ := args[1].(string)
	_, fraction, _ := strings.Cut(picture, ".")
	digits := len(fraction) - len(strings.TrimLeft(fraction, "0#"))
	if math.Abs(n) >= exact/math.Pow10(digits) || math.IsNaN(n) {
		return nil, false, errUnlike
	}
	rounded := roundEven(n, digits)
	if rounded == 0 && n < 0 {
		return nil, false, errUnlike // one writes the sign of -0, the other does not
	}
	args[0] = rounded
	return nil, false, nil
}

// strictRound also gives 0 for -0.
func strictRound(args []any) (any, bool, error) {
	n, ok := number(args[0])
	if !ok || math.IsInf(n, 0) || math.IsNaN(n) {
		return nil, false, nil
	}
	digits := 0.0
	if len(args) > 1 && args[1] != nil {
		digits, _ = number(args[1])
	}
	if digits != math.Trunc(digits) || math.Abs(digits) > 300 {
		return nil, false, errUnlike
	}
	return roundEven(n, int(digits)), true, nil
}

// roundEven rounds halves to the even digit, as the number is written in decimals.
func roundEven(n float64, digits int) float64 {
	rounded := math.RoundToEven(shift(n, digits))
	if rounded == 0 {
		return 0
	}
	return shift(rounded, -digits)
}

// shift moves the decimal point of a number as it is written.
func shift(n float64, digits int) float64 {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(n, 'e', -1, 64), "e")
	e, _ := strconv.Atoi(exponent)
	shifted, _ := strconv.ParseFloat(mantissa+"e"+strconv.Itoa(e+digits), 64)
	return shifted
}

// upper has the letters of which the engine's $uppercase leaves one too few.
var upper = strings.NewReplacer("ß", "SS", "ŉ", "ʼN", "ﬀ", "FF", "ﬁ", "FI", "ﬂ", "FL", "ﬃ", "FFI", "ﬄ", "FFL", "ﬅ", "ST", "ﬆ", "ST")

// strictSplit refuses to split what JavaScript takes for two characters into letters.
func strictSplit(args []any) (any, bool, error) {
	if len(args) < 2 || args[1] != "" {
		return nil, false, nil
	}
	if text, ok := args[0].(string); ok && strings.ContainsFunc(text, func(r rune) bool { return r > 0xFFFF }) {
		return nil, false, errUnlike
	}
	return nil, false, nil
}

// strictTrim leaves spaces that do not break a line alone.
func strictTrim(args []any) (any, bool, error) {
	text, ok := args[0].(string)
	if !ok {
		return nil, false, nil
	}
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n\r", r) }), " "), true, nil
}

// strictASCII refuses what the implementations encode in different ways.
func strictASCII(args []any) (any, bool, error) {
	if text, ok := args[0].(string); ok && strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
		return nil, false, errUnlike
	}
	return nil, false, nil
}

// zoneless is a time of day without a zone: jsonata-js takes it for the local time of
// whoever runs it.
var (
	isoForm  = regexp.MustCompile(`^[0-9]{4}(-[01][0-9])?(-[0-3][0-9])?(T[0-2][0-9]:[0-5][0-9]:[0-5][0-9])?(\.[0-9]+)?([+-][0-2][0-9]:?[0-5][0-9]|Z)?$`)
	zoneless = regexp.MustCompile(`T[0-9:.]+$`)
)

func strictToMillis(args []any) (any, bool, error) {
	text, ok := args[0].(string)
	switch {
	case !ok:
		return nil, false, nil
	case len(args) > 1 && args[1] != nil:
		picture, _ := args[1].(string)
		fits, err := readsAs(text, picture)
		return nil, !fits, err
	case !isoForm.MatchString(text):
		return nil, false, errISO
	case zoneless.MatchString(text):
		return nil, false, errUnlike
	}
	return nil, false, nil
}
