package formula

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// timePattern is a way to write a point in time. The zero value is ISO 8601.
type timePattern struct {
	epoch int // milliseconds of a unit: 1000 for seconds, 1 for milliseconds
	parts []timePart
}

// timePart is a unit or a literal text of a pattern.
type timePart struct {
	unit    byte // Y M D H h m s f A Z; 0 for a literal; N for a month's name
	size    int  // letters that the pattern spends on it
	literal string
}

var timeWords = map[string]timePattern{
	"iso": {}, "iso8601": {}, "iso_8601": {}, "iso-8601": {}, "rfc3339": {}, "datetime": {}, "date-time": {}, "timestamp": {},
	"epoch": {epoch: 1000}, "epoch_s": {epoch: 1000}, "epoch_seconds": {epoch: 1000}, "unix": {epoch: 1000},
	"unix_s": {epoch: 1000}, "unix_seconds": {epoch: 1000}, "unix_timestamp": {epoch: 1000},
	"epoch_ms": {epoch: 1}, "epoch_millis": {epoch: 1}, "unix_ms": {epoch: 1}, "unix_millis": {epoch: 1},
}

var timeAliases = map[string]string{
	"date": "YYYY-MM-DD", "day_first": "DD/MM/YYYY", "month_first": "MM/DD/YYYY",
}

var (
	strftime = strings.NewReplacer("%Y", "YYYY", "%m", "MM", "%d", "DD", "%e", "D", "%H", "HH", "%I", "hh",
		"%M", "mm", "%S", "ss", "%f", "SSS", "%p", "A", "%z", "Z", "%b", "MMM", "%B", "MMMM", "%y", "YY",
		"%F", "YYYY-MM-DD", "%T", "HH:mm:ss", "%%", "%")
	phpForm = regexp.MustCompile(`^[dDjmnMFYyHGhgisAaPT \-/.,:\\]+$`)
	phpDate = strings.NewReplacer("d", "DD", "j", "D", "m", "MM", "n", "M", "M", "MMM", "F", "MMMM", "Y", "YYYY",
		"y", "YY", "H", "HH", "G", "H", "h", "hh", "g", "h", "i", "mm", "s", "ss", "A", "A", "a", "A", "P", "Z", `\T`, "T")
	doubled = regexp.MustCompile(`dd|mm|MM|yy|YY|HH|hh|ss|DD`)
)

// parsePattern reads a format of points in time. The error is an *Error.
func parsePattern(format string) (timePattern, error) {
	text := strings.TrimSpace(format)
	for _, prefix := range []string{"date:", "datetime:", "timestamp:"} {
		text = strings.TrimPrefix(text, prefix)
	}
	word := strings.ReplaceAll(strings.ToLower(text), " ", "_")
	if p, ok := timeWords[word]; ok {
		return p, nil
	}
	if alias, ok := timeAliases[word]; ok {
		text = alias
	}
	switch {
	case strings.Contains(text, "%"):
		text = strftime.Replace(text)
	case phpForm.MatchString(text) && !doubled.MatchString(text):
		text = phpDate.Replace(text)
	}
	if len(text) > maxPicture {
		return timePattern{}, fail(CodeBadArgs, "the date format is longer than %d bytes", maxPicture)
	}
	p := timePattern{}
	for rest := strings.ReplaceAll(text, "'", ""); rest != ""; {
		run := len(rest) - len(strings.TrimLeft(rest, rest[:1]))
		part, err := p.part(rest[0], run, format)
		if err != nil {
			return timePattern{}, err
		}
		if part.unit == 0 {
			part.literal = rest[:run]
		}
		p.parts = append(p.parts, part)
		rest = rest[run:]
	}
	if !p.has('Y') || !p.has('D') || !p.has('M') && !p.has('N') {
		return timePattern{}, fail(CodeBadArgs, "the date format %q lacks a year, month or day; write it as in DD/MM/YYYY", clip(format))
	}
	if p.has('Z') && p.parts[len(p.parts)-1].unit != 'Z' {
		return timePattern{}, fail(CodeBadArgs, "the date format %q has a zone that is not last; write it as in DD/MM/YYYY HH:mm:ss Z", clip(format))
	}
	return p.settled(), nil
}

func (p timePattern) has(unit byte) bool {
	for _, part := range p.parts {
		if part.unit == unit {
			return true
		}
	}
	return false
}

// part reads a run of one letter. Minutes and months share a letter in too many
// conventions: it is a minute when an hour came before.
func (p timePattern) part(letter byte, run int, format string) (timePart, error) {
	hour := p.has('H') || p.has('h')
	part := timePart{size: run}
	switch letter {
	case 'Y', 'y':
		part.unit = 'Y'
		if run != 4 {
			return part, fail(CodeBadArgs, "the date format %q needs four digits for the year; the century is unknown otherwise", clip(format))
		}
	case 'M', 'm':
		part.unit = 'M'
		if hour && (letter == 'm' || p.has('M') || p.has('N')) {
			part.unit = 'm'
		} else if run > 2 {
			part.unit = 'N'
		}
	case 'D', 'd':
		part.unit = 'D'
	case 'H', 'k':
		part.unit = 'H'
	case 'h', 'K':
		part.unit = 'h'
	case 's', 'S':
		part.unit = 's'
		if p.has('s') {
			part.unit = 'f'
		}
	case 'A', 'a':
		part.unit = 'A'
	case 'Z', 'X', 'z', 'x':
		part.unit = 'Z'
	default:
		isLetter := letter >= 'a' && letter <= 'z' || letter >= 'A' && letter <= 'Z' && letter != 'T'
		if isLetter || letter >= 0x80 || strings.IndexByte(`[](){}\`, letter) >= 0 {
			return part, fail(CodeBadArgs, "the date format %q is unknown; write it as in DD/MM/YYYY HH:mm:ss, or iso, epoch_s, epoch_ms", clip(format))
		}
		return part, nil
	}
	if p.has(part.unit) || run > 4 || run > 2 && strings.IndexByte("DHhms", part.unit) >= 0 {
		return part, fail(CodeBadArgs, "the date format %q names a part twice, or too long", clip(format))
	}
	return part, nil
}

// settled takes hours without AM and PM for those of the day.
func (p timePattern) settled() timePattern {
	if p.has('A') {
		return p
	}
	for i := range p.parts {
		if p.parts[i].unit == 'h' {
			p.parts[i].unit = 'H'
		}
	}
	return p
}

// fixed says that part i has no separator on one of its sides, so that only its
// width tells where it ends.
func (p timePattern) fixed(i int) bool {
	return i > 0 && p.parts[i-1].unit != 0 || i+1 < len(p.parts) && p.parts[i+1].unit != 0
}

// reading is how an expression gets the milliseconds of a time in $v.
type reading struct {
	setup     string // statements
	condition string // holds where $v is written so, and a day of the calendar
	millis    string
}

const (
	zoneForm  = `Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9]`
	clockForm = `(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?`
	isoDay    = `"[Y0001]-[M01]-[D01]"`
	isoClock  = `"[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001]"`
)

// read writes the reading. A regular expression looks at the form first, since the
// implementations read more than they should, and each in its own way; and since they
// take the 30th of February for the 1st of March, the day has to come out again.
func (p timePattern) read() reading {
	switch {
	case p.epoch == 1:
		return reading{condition: `$contains($v, /^-?[0-9]{1,14}(\.[0-9]+)?$/)`, millis: "$number($v)"}
	case p.epoch > 1:
		return reading{condition: `$contains($v, /^-?[0-9]{1,11}(\.[0-9]+)?$/)`, millis: fmt.Sprintf("$number($v) * %d", p.epoch)}
	case len(p.parts) == 0:
		return reading{
			setup:     fmt.Sprintf(`$d := $match($v, /^([1-9][0-9]{3}-[01][0-9]-[0-3][0-9])(?:[T ]%s(?:%s)?)?$/).groups[0]; `, clockForm, zoneForm),
			condition: fmt.Sprintf("$fromMillis($toMillis($d, %s), %[1]s) = $d", isoDay),
			// Without a zone, jsonata-js would take the zone of whoever runs it.
			millis: `$toMillis($replace($v, " ", "T") & ($contains($v, /^[^ T]+[ T][0-9:.]+$/) ? "Z" : ""))`,
		}
	}
	r := reading{
		setup:     fmt.Sprintf("$d := $match($v, /%s/).groups[0]; $t := $d ? $toMillis($v, %s); ", p.form(), quote(p.picture(true))),
		condition: `$number($fromMillis($t, "[D1]")) = $number($d)`,
		millis:    "$t",
	}
	if p.has('Z') {
		// No picture reads both Z and +0200, but ISO 8601 has them.
		r.setup = fmt.Sprintf("$m := $match($v, /%s/); $d := $m.groups[0]; $z := $m.groups[1]; "+
			"$t := $d ? $toMillis($trim($substring($v, 0, $length($v) - $length($z))), %s); ", p.form(), quote(p.picture(true)))
		r.millis = fmt.Sprintf("$toMillis($fromMillis($t, %s) & $z)", isoClock)
	}
	return r
}

// writable says that times can be written so: the implementations agree on whole seconds
// and on milliseconds.
func (p timePattern) writable() bool {
	for _, part := range p.parts {
		if part.unit == 'f' && part.size != 3 {
			return false
		}
	}
	return true
}

// form is the pattern as a regular expression, whose groups are the day and, behind it, the zone.
func (p timePattern) form() string {
	var b strings.Builder
	b.WriteByte('^')
	for i, part := range p.parts {
		b.WriteString(part.expression(p.fixed(i)))
	}
	b.WriteByte('$')
	return b.String()
}

// write returns an expression that writes milliseconds. The caller has seen to writable.
func (p timePattern) write(millis string) string {
	switch {
	case p.epoch == 1:
		return millis
	case p.epoch > 1:
		return fmt.Sprintf("$floor(%s / %d)", millis, p.epoch)
	case len(p.parts) == 0:
		return "$fromMillis(" + millis + ")"
	}
	return "$fromMillis(" + millis + ", " + quote(p.picture(false)) + ")"
}

func (part timePart) expression(fixed bool) string {
	optional := "?"
	if fixed {
		optional = ""
	}
	switch part.unit {
	case 'Y':
		return "[1-9][0-9]{3}"
	case 'M', 'h':
		return "(?:0" + optional + "[1-9]|1[0-2])"
	case 'D':
		return "(0" + optional + "[1-9]|[12][0-9]|3[01])"
	case 'H':
		return "(?:[01]" + optional + "[0-9]|2[0-3])"
	case 'm', 's':
		return "[0-5][0-9]"
	case 'f':
		return fmt.Sprintf("[0-9]{%d}", part.size)
	case 'N':
		return monthForm(part.size)
	case 'A':
		return "(?:AM|PM|am|pm)"
	case 'Z':
		return "(" + zoneForm + ")"
	}
	return strings.ReplaceAll(regexp.QuoteMeta(part.literal), "/", `\/`)
}

// monthForm is any of the months' names, which jsonata-js knows in this case only.
func monthForm(size int) string {
	names := make([]string, 12)
	for i := range names {
		names[i] = time.Month(i + 1).String()
		if size <= 3 {
			names[i] = names[i][:3]
		}
	}
	return "(?:" + strings.Join(names, "|") + ")"
}

// picture writes the pattern as JSONata has it; for reading without the zone.
func (p timePattern) picture(reading bool) string {
	if reading && p.has('Z') {
		p.parts = p.parts[:len(p.parts)-1]
		if last := len(p.parts) - 1; strings.TrimSpace(p.parts[last].literal) == "" && p.parts[last].unit == 0 {
			p.parts = p.parts[:last]
		}
	}
	var b strings.Builder
	for i, part := range p.parts {
		width := "01"
		if part.size == 1 || reading && !p.fixed(i) {
			width = "1"
		}
		switch part.unit {
		case 'Y':
			b.WriteString("[Y0001]")
		case 'M', 'D', 'H', 'h':
			b.WriteString("[" + string(part.unit) + width + "]")
		case 'm', 's':
			b.WriteString("[" + string(part.unit) + "01]")
		case 'f':
			b.WriteString("[f" + strings.Repeat("0", part.size-1) + "1]")
		case 'N':
			if part.size > 3 {
				b.WriteString("[MNn]")
			} else {
				b.WriteString("[MNn,3-3]")
			}
		case 'A':
			b.WriteString("[PN]")
		case 'Z':
			b.WriteString("[Z01:01]")
		default:
			b.WriteString(part.literal)
		}
	}
	return b.String()
}

// layout writes the pattern as package time has it, for judging results.
func (p timePattern) layout() string {
	words := map[byte]string{
		'Y': "2006", 'M': "1", 'D': "2", 'H': "15", 'h': "3", 'm': "04", 's': "05", 'A': "PM", 'Z': "Z07:00",
	}
	var b strings.Builder
	for _, part := range p.parts {
		word := words[part.unit]
		switch {
		case part.unit == 0:
			word = part.literal
		case part.unit == 'f':
			word = strings.Repeat("0", part.size)
		case part.unit == 'N' && part.size > 3:
			word = "January"
		case part.unit == 'N':
			word = "Jan"
		case part.size == 2 && strings.IndexByte("MDh", part.unit) >= 0:
			word = "0" + word
		}
		b.WriteString(word)
	}
	return b.String()
}
