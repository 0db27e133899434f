package formula

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/schemacast/schemacast/internal/schema"
)

// What a conversion makes of a value has to be the same time or number, read back. The
// check knows the value and the result, not how one became the other, so that it judges
// a model's formula like one that was rendered.

// change is how a result relates to the value of its only source.
type change uint8

const (
	changeNone    change = iota // the same, or nothing that can be compared
	changeSmall                 // another number, or a time less than a day away: units, zones
	changeForeign               // a time on another day
)

// day is how far a zone can move a time, and a bit.
const day = 26 * time.Hour

// couldBeRead says that a result may be a time or number, cheaply.
func couldBeRead(target schema.Field, result any) bool {
	if family := familyOf(target.Type); family == familyTime || family == familyNumber {
		return true
	}
	text, ok := result.(string)
	return ok && len(text) >= 8 && len(text) <= 40 && isDigit(text[0])
}

// compare tells what became of a source's text in a result of a time or number.
func compare(source string, target schema.Field, result any) change {
	switch familyOf(target.Type) {
	case familyTime:
		return compareTimes(source, target, result)
	case familyNumber:
		value, ok := number(result)
		if !ok {
			return changeNone
		}
		if p, err := parsePattern(target.Format); err == nil && p.epoch > 0 {
			return compareTimes(source, target, result)
		}
		readings := numbersIn(source)
		for _, reading := range readings {
			if math.Abs(reading-value) <= 1e-9*math.Abs(reading) {
				return changeNone
			}
		}
		if len(readings) > 0 {
			return changeSmall
		}
	}
	return changeNone
}

// dateForm is what looks like a date, be it one or not.
var dateForm = regexp.MustCompile(`^([0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{4}|[0-9]{4}[/.-][0-9]{1,2}[/.-][0-9]{1,2})$`)

func compareTimes(source string, target schema.Field, result any) change {
	readings, got := timesIn(source), timesOf(target, result)
	switch {
	case len(got) == 0:
		return changeNone
	case len(readings) == 0 && dateForm.MatchString(strings.TrimSpace(source)):
		return changeForeign // the 30th of February
	case len(readings) == 0:
		return changeNone
	}
	least := changeForeign
	for _, want := range readings {
		for _, t := range got {
			switch apart := t.Sub(want).Abs(); {
			case apart < time.Second || dayOf(t) == dayOf(want) && t.Equal(t.Truncate(24*time.Hour)):
				return changeNone
			case apart <= day:
				least = changeSmall
			}
		}
	}
	return least
}

func dayOf(t time.Time) string { return t.Format(time.DateOnly) }

// timesOf reads a result as its target has times.
func timesOf(target schema.Field, result any) []time.Time {
	if n, ok := number(result); ok {
		return epochs(n)
	}
	text, ok := result.(string)
	if !ok {
		return nil
	}
	layouts := append(dateLayouts[:1:1], datetimeLayouts...)
	if p, err := parsePattern(target.Format); err == nil && len(p.parts) > 0 {
		layouts = []string{p.layout()}
	}
	return parsed(text, layouts)
}

// sourceLayouts are all ways of TimeFormats to write a time, and those of targets.
var sourceLayouts = func() []string {
	layouts := append(dateLayouts[:1:1], datetimeLayouts...)
	for _, date := range guessedDates {
		for _, clock := range guessedClocks {
			if p, err := parsePattern(date + clock); err == nil {
				layouts = append(layouts, p.layout())
			}
		}
	}
	return append(layouts, "20060102", "20060102150405")
}()

// timesIn are the times that a source's text can mean, of which there may be two.
func timesIn(text string) []time.Time {
	text = strings.TrimSpace(text)
	if len(text) > 40 || strings.IndexFunc(text, unicode.IsDigit) < 0 {
		return nil
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return append(epochs(n), parsed(text, sourceLayouts[len(sourceLayouts)-2:])...)
	}
	return parsed(text, sourceLayouts)
}

func parsed(text string, layouts []string) []time.Time {
	var times []time.Time
	for _, layout := range layouts {
		if !resembles(text, layout) {
			continue
		}
		if t, err := time.Parse(layout, text); err == nil {
			times = append(times, t)
		}
	}
	return times
}

// resembles spares most of the parsing: a text and its layout have the same first
// separator, and both a clock or none.
func resembles(text, layout string) bool {
	a, b := strings.IndexAny(text, "-/. "), strings.IndexAny(layout, "-/. ")
	return (a < 0) == (b < 0) && (a < 0 || text[a] == layout[b]) && strings.Contains(text, ":") == strings.Contains(layout, ":")
}

// epochs reads seconds and milliseconds of the years that data is about.
func epochs(n float64) []time.Time {
	var times []time.Time
	for _, millis := range []float64{n, n * 1000} {
		if t := time.UnixMilli(int64(millis)).UTC(); millis > 0 && t.Year() > 1971 && t.Year() < 2200 {
			times = append(times, t)
		}
	}
	return times
}

// numberForms are how texts write numbers, by the decimal sign: as in numbers.
var numberForms = map[byte]*regexp.Regexp{
	'.': regexp.MustCompile(`^[^0-9.,()-]{0,4}(-?)[^0-9.,()-]{0,4}([0-9]+(?:[, '\x{a0}\x{202f}][0-9]{3})*(?:\.[0-9]+)?)[^0-9.,()-]{0,8}$`),
	',': regexp.MustCompile(`^[^0-9.,()-]{0,4}(-?)[^0-9.,()-]{0,4}([0-9]+(?:[. '\x{a0}\x{202f}][0-9]{3})*(?:,[0-9]+)?)[^0-9.,()-]{0,8}$`),
}

// readNumber reads a text whose decimal sign is known.
func readNumber(text string, sign byte) (float64, bool) {
	found := numberForms[sign].FindStringSubmatch(strings.TrimSpace(text))
	if found == nil {
		return 0, false
	}
	digits := strings.Map(func(r rune) rune {
		switch {
		case r == rune(sign):
			return '.'
		case r < '0' || r > '9':
			return -1
		}
		return r
	}, found[2])
	n, err := strconv.ParseFloat(found[1]+digits, 64)
	return n, err == nil
}

// numbersIn are the numbers that a source's text can mean, of which there may be two.
func numbersIn(text string) []float64 {
	var readings []float64
	for _, sign := range []byte(".,") {
		if n, ok := readNumber(text, sign); ok {
			readings = append(readings, n)
		}
	}
	return readings
}

// NumberFormats returns the formats, fit for Args.InFormat, in which every sample value
// of a source is a number: none when it holds others, "decimal_point" or "decimal_comma",
// and both where each value could mean either (1.234 on every row), so that a conversion
// rests on a guess which a human should confirm.
func (v *Verifier) NumberFormats(source string) []string {
	values := v.scalars(source)
	if len(values) == 0 {
		return nil
	}
	var formats []string
	differ := false
	for _, sign := range []byte(".,") {
		all := true
		for _, value := range values {
			n, ok := readNumber(value, sign)
			all = all && ok
			other, _ := readNumber(value, '.')
			differ = differ || ok && n != other
		}
		if all {
			formats = append(formats, map[byte]string{'.': "decimal_point", ',': "decimal_comma"}[sign])
		}
	}
	if len(formats) == 2 && !differ {
		return formats[:1] // no signs at all
	}
	return formats
}

var exchangeable = regexp.MustCompile(`^(0?[1-9]|1[0-2])[/-](0?[1-9]|1[0-2])[/-][0-9]{4}\b`)

// ambiguous says that every value of a source could be read in two ways, and that the
// results are one of them: days and months that could change places, and signs that
// could be of decimals or thousands.
func ambiguous(target schema.Field, pairs []pair) bool {
	twice := false
	for _, p := range pairs {
		switch {
		case p.result == nil:
		case familyOf(target.Type) == familyNumber:
			readings := numbersIn(p.source)
			if len(readings) < 2 || strings.IndexFunc(p.source, isSign) < 0 {
				return false
			}
			twice = twice || readings[0] != readings[1]
		default:
			found := exchangeable.FindStringSubmatch(strings.TrimSpace(p.source))
			if found == nil || p.result == p.source || len(timesOf(target, p.result)) == 0 {
				return false
			}
			twice = twice || strings.TrimLeft(found[1], "0") != strings.TrimLeft(found[2], "0")
		}
	}
	return twice
}

func isSign(r rune) bool { return r == '.' || r == ',' }

// pair is a source's text and what became of it, nil for nothing.
type pair struct {
	source string
	result any
}

// textOfSource returns the text or number of the only source in a row, "" when it holds
// anything else.
func textOfSource(row json.RawMessage, keys []string) string {
	for _, key := range keys {
		var object map[string]json.RawMessage
		if json.Unmarshal(row, &object) != nil {
			return ""
		}
		row = object[key]
	}
	var text string
	if json.Unmarshal(row, &text) == nil {
		return text
	}
	if len(row) > 0 && (row[0] == '-' || isDigit(row[0])) {
		return string(row)
	}
	return ""
}
