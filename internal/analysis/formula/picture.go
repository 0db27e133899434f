package formula

import (
	"regexp"
	"strings"
	"time"
)

// A picture tells $fromMillis, $toMillis, $formatNumber and their like what to
// write. The engine believes every number in it, so that "[Y,1000000000]" asks for
// a gigabyte of zeros and "I" for a Roman number of a trillion letters; the gate
// takes literal, modest pictures only, and of these the ones that the engine and
// jsonata-js understand alike.
const maxPicture = 64

var (
	writtenToken = regexp.MustCompile(`^\[([YMDdFHhPmsZz][0-9#NnoP:]*(,[0-9]{1,2}(-[0-9]{1,2})?)?|f001)\]`)
	readToken    = regexp.MustCompile(`^\[([YMDHhmsf][0-9#]*|MNn(,3-3)?|P|PN|Pn|Z(01:01|0101)?)\]`)
	// A digit has to come before the point: for "#.##" the engine writes 0.5 and
	// jsonata-js .5.
	numberPicture  = regexp.MustCompile(`^[^0-9#,.;eE%‰]*[#,]*0[0,]*(\.0*#*)?[^0-9#,.;eE%‰]*$`)
	integerPicture = regexp.MustCompile(`^(#,##0|[#]*0+)$`)
)

func checkPicture(function string, picture *node) error {
	if picture.kind != nodeString {
		return fail(CodeUnsafe, "the second argument of $%s must be a text in quotes here", function)
	}
	text := picture.text
	if len(text) > maxPicture {
		return fail(CodeTooLarge, "the picture of $%s is longer than %d bytes", function, maxPicture)
	}
	switch function {
	case "formatInteger":
		if !integerPicture.MatchString(text) {
			return fail(CodeUnsafe, "the picture %q of $formatInteger may have digits only, as in \"0\", \"000\" or \"#,##0\"", clip(text))
		}
	case "formatNumber":
		if !numberPicture.MatchString(text) {
			return fail(CodeUnsafe, "the picture %q of $formatNumber needs a 0 before the point and may have one form only, as in \"0.00\" or \"#,##0.##\"", clip(text))
		}
	case "fromMillis":
		return checkTokens(text, writtenToken)
	case "toMillis":
		if !strings.Contains(text, "[Y") {
			return fail(CodeUnsafe, "the picture %q has no year, so the engine would take today's", clip(text))
		}
		if err := checkTokens(text, readToken); err != nil {
			return err
		}
		return checkLiterals(text)
	}
	return nil
}

func checkTokens(text string, token *regexp.Regexp) error {
	for rest := text; ; {
		open := strings.IndexByte(rest, '[')
		if open < 0 {
			return nil
		}
		found := token.FindString(rest[open:])
		if found == "" {
			return fail(CodeUnsafe, "the picture %q is not one of digits and names, as in \"[D01]/[M01]/[Y0001]\" or \"[D1] [MNn,3-3] [Y0001]\"", clip(text))
		}
		rest = rest[open+len(found):]
	}
}

// checkLiterals sees to it that what stands between the parts of a picture can not be
// taken for a part of them.
func checkLiterals(text string) error {
	name := false
	for rest := text; rest != ""; {
		token := readToken.FindString(rest)
		if token != "" {
			name = strings.HasPrefix(token, "[MN")
			rest = rest[len(token):]
			continue
		}
		isLetter := rest[0]|0x20 >= 'a' && rest[0]|0x20 <= 'z'
		if rest[0] >= '0' && rest[0] <= '9' || name && isLetter || rest[0] == ']' {
			return fail(CodeUnsafe, "the picture %q needs a separator between its parts that is neither digit nor letter", clip(text))
		}
		name = false
		rest = rest[1:]
	}
	return nil
}

// readsAs says whether jsonata-js would read text by a picture that passed the gate; the
// engine is content with less. The error is that of jsonata-js, or says that the two
// would read different times.
func readsAs(text, picture string) (bool, error) {
	var err error
	for picture != "" {
		token := readToken.FindString(picture)
		if token == "" {
			if text == "" || !strings.EqualFold(text[:1], picture[:1]) {
				return false, nil
			}
			text, picture = text[1:], picture[1:]
			continue
		}
		picture = picture[len(token):]
		size, bad := partSize(text, token, picture)
		if size == 0 {
			return false, nil
		}
		if bad != nil {
			err = bad
		}
		text = text[size:]
	}
	return text == "", err
}

// partSize returns how many bytes of text are the part that token stands for.
func partSize(text, token, after string) (size int, err error) {
	switch {
	case token[1] == 'P':
		size = span(text, isASCIILetter)
		switch text[:size] {
		case "am", "AM", "pm", "PM":
			return size, nil
		}
		return 0, nil
	case strings.HasPrefix(token, "[MN"):
		size = span(text, isASCIILetter)
		if !isMonth(text[:size], token) {
			err = errGap
		}
		return size, err
	case token[1] == 'Z':
		return zoneSize(text, token != "[Z0101]"), nil
	}
	size = span(text, isDigit)
	if next := readToken.FindString(after); next != "" && strings.IndexByte("YMDHhmsf", next[1]) >= 0 && !strings.HasPrefix(next, "[MN") {
		width := span(strings.TrimLeft(token[2:], "#"), isDigit)
		if size < width {
			return 0, nil
		}
		size = width
	}
	if size > 9 {
		err = errUnlike // no date
	}
	if token[1] == 'Y' && size > 0 && strings.Trim(text[:max(size-2, 0)], "0") == "" {
		err = errUnlike // jsonata-js takes the years 0 to 99 for those of the last century
	}
	return size, err
}

func zoneSize(text string, colon bool) int {
	if text == "" || text[0] != '+' && text[0] != '-' {
		return 0
	}
	size := 1 + span(text[1:], isDigit)
	switch {
	case size == 1:
		return 0
	case !colon:
		if size != 5 {
			return 0
		}
		return size
	case size != 3 || len(text) < 6 || text[3] != ':' || span(text[4:], isDigit) != 2:
		return 0
	}
	return 6
}

func isMonth(text, token string) bool {
	layout := "January"
	if strings.Contains(token, ",") {
		layout = "Jan"
	}
	month, err := time.Parse(layout, text)
	return err == nil && month.Format(layout) == text
}

func span(text string, in func(byte) bool) int {
	n := 0
	for n < len(text) && in(text[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isASCIILetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
