package formula

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// guessedDates are the formats that TimeFormats tries, each also with a time of
// day. Dots mean day first wherever they are used.
var guessedDates = []string{
	"YYYY-MM-DD", "YYYY/MM/DD", "YYYY.MM.DD", "D/M/YYYY", "M/D/YYYY", "D-M-YYYY", "M-D-YYYY", "D.M.YYYY",
	"D MMM YYYY", "D-MMM-YYYY", "D MMMM YYYY", "MMM D, YYYY", "MMMM D, YYYY",
}

var guessedClocks = []string{"", " H:mm", " H:mm:ss", " h:mm A", " h:mm:ss A"}

// TimeFormats returns the formats, fit for Args.InFormat, in which every sample
// value of a source can be read: none when it holds no dates, and two where day and
// month could as well change places (03/04/2024 on every row), so that a
// conversion rests on a guess which a human should confirm.
func (v *Verifier) TimeFormats(source string) []string {
	values := v.scalars(source)
	if len(values) == 0 {
		return nil
	}
	if format := epochFormat(values); format != "" {
		return []string{format}
	}
	var formats []string
	for _, clock := range guessedClocks {
		for _, date := range guessedDates {
			if slices.Contains(formats, strings.Replace(date, "MMMM", "MMM", 1)+clock) {
				continue // May is short and long
			}
			if p, err := parsePattern(date + clock); err == nil && allParse(values, p.layout()) {
				formats = append(formats, date+clock)
			}
		}
	}
	if len(formats) == 0 && (allParse(values, time.RFC3339) || allParse(values, "2006-01-02T15:04:05")) {
		return []string{"iso"}
	}
	return formats
}

// scalars returns the texts and numbers of a source, as text.
func (v *Verifier) scalars(source string) []string {
	var values []string
	for _, s := range v.samples {
		row, present := s.only([]string{source})
		if !present {
			continue
		}
		for _, key := range keysOf(source, []sample{s}) {
			var object map[string]json.RawMessage
			if json.Unmarshal(row, &object) != nil {
				return nil // inside a list
			}
			row = object[key]
		}
		var text string
		if json.Unmarshal(row, &text) != nil {
			if row[0] == '[' || row[0] == '{' {
				return nil
			}
			text = string(row)
		}
		values = append(values, text)
	}
	return values
}

func allParse(values []string, layout string) bool {
	for _, value := range values {
		t, err := time.Parse(layout, value)
		if err != nil || !strings.Contains(value, t.Format(monthName(layout))) {
			return false
		}
	}
	return true
}

// monthName is the part of a layout that names the month, which expressions read in its
// usual case only.
func monthName(layout string) string {
	for _, name := range []string{"January", "Jan"} {
		if strings.Contains(layout, name) {
			return name
		}
	}
	return ""
}

// epochFormat knows seconds and milliseconds of the years 2001 to 2286, which
// differ in their number of digits.
func epochFormat(values []string) string {
	digits := len(values[0])
	for _, value := range values {
		if _, err := strconv.ParseUint(value, 10, 64); err != nil || len(value) != digits {
			return ""
		}
	}
	switch digits {
	case 10:
		return "epoch_s"
	case 13:
		return "epoch_ms"
	}
	return ""
}
