package schema

import (
	"encoding/json"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isUUID knows the canonical form alone: 8-4-4-4-12 hex digits in any case.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return true
}

// isTimestamp knows seconds and milliseconds since 1970 written as text, from
// September 2001 (10 and 13 digits) to the end of the 21st century. Digits alone
// prove nothing, so the name of the field has to speak of a time too.
func isTimestamp(s, name string) bool {
	const lastSeconds, lastMillis = "4102444799", "4102444799999"
	if !allDigits(s) || s[0] == '0' {
		return false
	}
	inRange := (len(s) == len(lastSeconds) && s <= lastSeconds) || (len(s) == len(lastMillis) && s <= lastMillis)
	return inRange && namesTime(name)
}

// isJSON knows objects and lists. A number or a word in quotes is text.
func isJSON(s string) bool {
	s = strings.TrimSpace(s)
	if len(s) < 2 {
		return false
	}
	first, last := s[0], s[len(s)-1]
	if (first != '{' || last != '}') && (first != '[' || last != ']') {
		return false
	}
	return json.Valid([]byte(s))
}

// isEmail knows name@host.tld, without display names and quoted parts.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > 254 || len(local) > 64 || !isDotted(local, isLocalRune) {
		return false
	}
	labels := strings.Split(domain, ".")
	if len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if !isLabel(label) {
			return false
		}
	}
	top := labels[len(labels)-1]
	return utf8.RuneCountInString(top) >= 2 && !allDigits(top)
}

// isDotted says that s has parts of allowed characters between single dots.
func isDotted(s string, allowed func(rune) bool) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return !allowed(r) }) {
			return false
		}
	}
	return true
}

func isLocalRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(label, func(r rune) bool {
		return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// isURL knows addresses with a scheme and a host. www.example.com could be a
// name, and mailto: has no host.
func isURL(s string) bool {
	if i := strings.Index(s, "://"); i < 2 || i > 20 || strings.ContainsFunc(s, unicode.IsSpace) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Hostname() != ""
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')
}
