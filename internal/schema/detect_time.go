package schema

import (
	"strconv"
	"strings"
	"time"
)

// Layouts with the name of a month, and the compact form of ISO 8601.
var (
	dateLayouts = []string{
		"2 Jan 2006", "2 January 2006", "02-Jan-2006", "Jan 2, 2006", "January 2, 2006",
	}
	datetimeLayouts = []string{
		time.RFC1123, time.RFC1123Z, time.ANSIC, time.UnixDate,
		"2 Jan 2006 15:04", "2 Jan 2006 15:04:05", "20060102T150405", "20060102T150405Z0700",
	}
)

// timeFormat says whether s is a date (bitDate), a date and a time of day
// (bitDatetime) or neither (0). Only days that the calendar has count.
//
//   - 2025-01-31, 2025/01/31, 2025.01.31
//   - 31/01/2025 and 01/31/2025, with / or -, and 31.01.2025 (day first), in the
//     years 1000 to 2999
//   - 31 Jan 2025, Jan 31, 2025
//   - any of the first two with T or a space and 10:15[:30[.5]], AM or PM or a
//     zone (Z, UTC, +02:00), and the forms of RFC 1123, ANSI C and UNIX
//
// A time without a date, and eight digits, are neither.
func timeFormat(s string) typeBits {
	if len(s) < 8 || len(s) > 40 {
		return 0
	}
	if rest, ok := cutDate(s); ok {
		switch {
		case rest == "":
			return bitDate
		case isClock(rest):
			return bitDatetime
		}
		return 0
	}
	if digits := strings.IndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' }); digits < 0 || digits > 8 {
		return 0 // spares most text the parsing: a weekday is the longest prefix
	}
	switch {
	case parsesAny(s, dateLayouts):
		return bitDate
	case parsesAny(s, datetimeLayouts):
		return bitDatetime
	}
	return 0
}

func parsesAny(s string, layouts []string) bool {
	for _, layout := range layouts {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

// cutDate reads a numeric date from the front of s and returns what follows it.
func cutDate(s string) (rest string, ok bool) {
	a, s := cutDigits(s, 4)
	if a == "" || s == "" {
		return "", false
	}
	sep := s[0]
	if sep != '-' && sep != '/' && sep != '.' {
		return "", false
	}
	b, s := cutDigits(s[1:], 2)
	if b == "" || s == "" || s[0] != sep {
		return "", false
	}
	c, rest := cutDigits(s[1:], 4)
	if c == "" || (rest != "" && isDigit(rest[0])) {
		return "", false
	}
	if len(a) == 4 {
		return rest, len(b) == 2 && len(c) == 2 && isDay(a, b, c)
	}
	if len(a) > 2 || len(c) != 4 || c[0] == '0' || c[0] > '2' {
		return "", false
	}
	return rest, isDay(c, b, a) || (sep != '.' && isDay(c, a, b))
}

func cutDigits(s string, limit int) (digits, rest string) {
	n := 0
	for n < len(s) && n < limit && isDigit(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

func isDay(year, month, day string) bool {
	y, _ := strconv.Atoi(year) // digits alone
	m, _ := strconv.Atoi(month)
	d, _ := strconv.Atoi(day)
	if y < 1 || m < 1 || m > 12 || d < 1 {
		return false
	}
	return d <= time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// isClock knows what follows a date: a T or a space, hours and minutes, maybe
// seconds with a fraction, and then AM, PM or a zone.
func isClock(s string) bool {
	if s[0] != 'T' && s[0] != 't' && s[0] != ' ' {
		return false
	}
	hour, s := cutDigits(s[1:], 2)
	minute, s, ok := cutPart(s, 59)
	if !ok || minute == "" || !atMost(hour, 23) {
		return false
	}
	_, s, ok = cutPart(s, 60) // 60 is a leap second
	if !ok {
		return false
	}
	if s != "" && (s[0] == '.' || s[0] == ',') {
		fraction, rest := cutDigits(s[1:], 9)
		if fraction == "" {
			return false
		}
		s = rest
	}
	return isZone(strings.TrimPrefix(s, " "), hour)
}

// cutPart reads a colon and two digits up to limit, or nothing where no colon is.
func cutPart(s string, limit int) (digits, rest string, ok bool) {
	if s == "" || s[0] != ':' {
		return "", s, true
	}
	digits, rest = cutDigits(s[1:], 2)
	return digits, rest, len(digits) == 2 && atMost(digits, limit)
}

func isZone(s, hour string) bool {
	switch strings.ToUpper(s) {
	case "", "Z", "UTC", "GMT":
		return true
	case "AM", "PM":
		return atMost(hour, 12) && strings.Trim(hour, "0") != ""
	}
	if s[0] != '+' && s[0] != '-' {
		return false
	}
	hours, s := cutDigits(s[1:], 2)
	minutes, s := cutDigits(strings.TrimPrefix(s, ":"), 2)
	return s == "" && len(hours) == 2 && atMost(hours, 14) && (minutes == "" || (len(minutes) == 2 && atMost(minutes, 59)))
}

func atMost(digits string, limit int) bool {
	n, err := strconv.Atoi(digits)
	return err == nil && n <= limit
}
