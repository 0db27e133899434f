package formula

import (
	"regexp"
	"strings"
)

// A picture tells $fromMillis, $toMillis, $formatNumber and their like what to
// write. The engine believes every number in it, so that "[Y,1000000000]" asks for
// a gigabyte of zeros and "I" for a Roman number of a trillion letters; the gate
// takes literal, modest pictures only.
const maxPicture = 64

var pictureToken = regexp.MustCompile(`^\[[YMDdFWwXxCEHhPmsfZz][0-9#*NnotP:]*(,[0-9*]{1,2}(-[0-9*]{1,2})?)?\]`)

func checkPicture(function string, picture *node) error {
	if picture.kind != nodeString {
		return fail(CodeUnsafe, "the second argument of $%s must be a text in quotes here", function)
	}
	text := picture.text
	if len(text) > maxPicture {
		return fail(CodeTooLarge, "the picture of $%s is longer than %d bytes", function, maxPicture)
	}
	switch function {
	case "formatInteger", "parseInteger":
		if strings.HasPrefix(text, "i") || strings.HasPrefix(text, "I") {
			return fail(CodeUnsafe, "Roman numbers are not allowed in a picture; use digits as in \"0\"")
		}
	case "toMillis", "fromMillis":
		for rest := text; ; {
			open := strings.IndexByte(rest, '[')
			if open < 0 {
				break
			}
			found := pictureToken.FindString(rest[open:])
			if found == "" {
				return fail(CodeUnsafe, "the picture %q is not one of digits and names, as in \"[D01]/[M01]/[Y0001]\"", clip(text))
			}
			rest = rest[open+len(found):]
		}
		if function == "toMillis" && !strings.Contains(text, "[Y") {
			return fail(CodeUnsafe, "the picture %q has no year, so the engine would take today's", clip(text))
		}
	}
	return nil
}
