package schema

import "strings"

// isPhone knows three ways to write a number, since bare digits are as well an
// id, an article or a card:
//
//   - international: a plus sign, or 00 and separators, and 8 to 15 digits (the
//     limit of E.164); with dots only as +CC.NNN
//   - national: 0 and 9 to 12 digits in groups, at most one dash or slash
//   - North American: 3-3-4 digits in groups, the area code maybe in brackets,
//     and maybe 1 before it
//
// An extension ("x12", "ext. 12") may follow each.
func isPhone(s string) bool {
	s = cutExtension(s)
	if len(s) < 8 || len(s) > 32 {
		return false
	}
	plus := s[0] == '+'
	groups, separators, ok := digitGroups(strings.TrimPrefix(s, "+"))
	if !ok {
		return false
	}
	digits := strings.Join(groups, "")
	switch {
	case plus:
		return isInternational(digits, groups, separators)
	case strings.HasPrefix(digits, "00"):
		return separators != "" && isInternational(digits[2:], groups[1:], separators)
	case digits[0] == '0':
		return isNational(digits, separators)
	default:
		return isNorthAmerican(groups)
	}
}

func cutExtension(s string) string {
	i := strings.LastIndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i < 0 || len(s)-i-1 > 6 || i == len(s)-1 {
		return s
	}
	head := strings.TrimRight(s[:i+1], " ")
	for _, mark := range []string{"ext.", "ext", "x", "#"} {
		if rest, ok := strings.CutSuffix(strings.ToLower(head), mark); ok {
			return strings.TrimRight(s[:len(rest)], " ")
		}
	}
	return s
}

// digitGroups splits a number at its separators: single ones of space - . /, and
// brackets around one group. The separators come back in order, brackets as "(".
func digitGroups(s string) (groups []string, separators string, ok bool) {
	var seps strings.Builder
	opened, closed := false, false
	for i := 0; i < len(s); {
		end := i
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		if end > i {
			groups = append(groups, s[i:end])
			i = end
			continue
		}
		switch c := s[i]; {
		case c == '(' && !opened:
			opened = true
			seps.WriteByte('(')
		case c == ')' && opened && !closed && len(groups) > 0:
			closed = true
		case isSeparator(c) && i > 0 && i < len(s)-1 && !isSeparator(s[i-1]):
			seps.WriteByte(c)
		default:
			return nil, "", false
		}
		i++
	}
	return groups, seps.String(), len(groups) > 0 && opened == closed
}

func isSeparator(c byte) bool { return c == ' ' || c == '-' || c == '.' || c == '/' }

func isInternational(digits string, groups []string, separators string) bool {
	if len(digits) < 8 || len(digits) > 15 || digits[0] == '0' {
		return false
	}
	dotted := strings.Contains(separators, ".")
	return !dotted || (len(groups) > 0 && len(groups[0]) <= 3)
}

func isNational(digits, separators string) bool {
	if len(digits) < 9 || len(digits) > 12 || separators == "" || strings.Contains(separators, ".") {
		return false
	}
	return strings.Count(separators, "-")+strings.Count(separators, "/") <= 1
}

func isNorthAmerican(groups []string) bool {
	if len(groups) == 4 && groups[0] == "1" {
		groups = groups[1:]
	}
	return len(groups) == 3 && len(groups[0]) == 3 && len(groups[1]) == 3 && len(groups[2]) == 4
}
