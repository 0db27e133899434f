package record

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxIntegerDigits is how long a whole number may be before readers that know
// only float64 (JavaScript, JSONata) would change its last digits. Longer ones are
// mostly ids and cards, and stay text.
const maxIntegerDigits = 15

// appendValue writes a value of a CSV file as a JSON scalar: nothing is null, true
// and false in any case are booleans, and numbers are numbers as they stand when
// they are written as JSON writes them. The rest is text, among it 007, +5, 1,5,
// 1.000,00, 12E4 (but not 1.2E+4), whole numbers of more than 15 digits, and all
// digits of a text column.
func appendValue(dst []byte, value string, textColumn bool) []byte {
	switch {
	case value == "":
		return append(dst, "null"...)
	case strings.EqualFold(value, "true"):
		return append(dst, "true"...)
	case strings.EqualFold(value, "false"):
		return append(dst, "false"...)
	case !textColumn && isNumber(value):
		return append(dst, value...)
	}
	return appendString(dst, value)
}

func isNumber(s string) bool {
	if c := s[len(s)-1]; c < '0' || c > '9' || !json.Valid([]byte(s)) {
		return false // ends like no number, or is none
	}
	if s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return false
	}
	if !strings.ContainsAny(s, ".eE") {
		return len(strings.TrimPrefix(s, "-")) <= maxIntegerDigits
	}
	if !strings.Contains(s, ".") {
		return false // 12E4 is an article as well as a number
	}
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsInf(f, 0)
}

// isTextColumn knows the names of columns whose digits are no quantities: a phone
// number or a postal code loses nothing as text, and its zeros as a number.
func isTextColumn(name string) bool {
	lower := strings.ToLower(name)
	for _, part := range []string{"phone", "telefon", "mobile", "postal", "postcode", "zipcode", "iban", "isbn"} {
		if strings.Contains(lower, part) {
			return true
		}
	}
	words := strings.FieldsFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
	return slices.ContainsFunc(words, func(word string) bool {
		return slices.Contains([]string{"tel", "fax", "zip", "plz", "ssn", "ean", "gtin", "upc"}, word)
	})
}

func appendString(dst []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always has an encoding
	return append(dst, quoted...)
}
