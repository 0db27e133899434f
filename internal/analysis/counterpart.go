package analysis

import (
	"cmp"
	"strings"
)

// counterpart is the name that a member's target has, given that of the group's
// first one: its varying parts replaced by the member's. False when the target does
// not tell the members apart.
func (g *group) counterpart(target string, member int) (string, bool) {
	from, to := g.varying[0], g.varying[member]
	name, rest := "", target
	for i, part := range from {
		begin, end := findPart(rest, part)
		if begin < 0 {
			return "", false
		}
		name += rest[:begin] + written(to[i], part, rest[begin:end])
		rest = rest[end:]
	}
	return name + rest, len(from) > 0
}

// findPart finds a number by its value, and words by their letters, at the borders
// of words. begin is -1 when the text has no such part.
func findPart(text, part string) (begin, end int) {
	if digits(part) {
		return findNumber(text, strings.TrimLeft(part, "0"))
	}
	lower, wanted := strings.ToLower(text), strings.ToLower(underscored(part))
	if wanted == "" || len(lower) != len(text) {
		return -1, -1
	}
	for from := 0; ; {
		i := strings.Index(lower[from:], wanted)
		if i < 0 {
			return -1, -1
		}
		begin, end := from+i, from+i+len(wanted)
		if border(text, begin) && border(text, end) {
			return begin, end
		}
		from = begin + 1
	}
}

func findNumber(text, value string) (begin, end int) {
	for begin < len(text) {
		end := begin
		for end < len(text) && text[end] >= '0' && text[end] <= '9' {
			end++
		}
		if end > begin && strings.TrimLeft(text[begin:end], "0") == value {
			return begin, end
		}
		begin = max(end, begin+1)
	}
	return -1, -1
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// border says that no word goes on over a position.
func border(text string, at int) bool {
	return at == 0 || at == len(text) || !letterOrDigit(text[at-1]) || !letterOrDigit(text[at])
}

func letterOrDigit(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}

// written is a member's varying part in the way in which the target writes that of
// the first one: as wide, when it has leading zeros.
func written(part, first, was string) string {
	switch {
	case !digits(part):
		return underscored(part)
	case was == first:
		return part // in the source's own way
	case strings.HasPrefix(was, "0"):
		bare := strings.TrimLeft(part, "0")
		return strings.Repeat("0", max(0, len(was)-len(bare))) + bare
	default:
		return cmp.Or(strings.TrimLeft(part, "0"), "0")
	}
}
