package formula

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// maxRegexSize bounds the steps of a regular expression per byte of its input.
// What mappings use has 5 to 60; the engine's own bound is about 30,000.
const maxRegexSize = 500

// pattern is what the gate has to know of a regular expression.
type pattern struct {
	size   float64 // instructions, with repetitions written out
	least  int     // bytes of the shortest match
	groups int
	// optional says that a group may be left out of a match.
	optional bool
	once     bool    // it matches at the front, or not at all
	linear   bool    // finding all matches never reads a byte twice
	longest  float64 // bytes of the longest match, 0 when there is no bound
}

// sharedRegex refuses what RE2 and JavaScript read differently. rest begins with the
// pattern: jsonata-js, which does not count brackets behind a backslash, has to find its
// end at the same place.
func sharedRegex(pattern, rest string) error {
	if pattern == "" {
		return fail(CodeSyntax, "a regular expression is empty")
	}
	if end := endInReference(rest); end != len(pattern) {
		return fail(CodeSyntax, "engines find different ends of the regular expression %q; give every bracket in it its partner", clip(pattern))
	}
	for _, found := range foreignRegex.FindAllString(pattern, -1) {
		if found[0] == '\\' && len(found) > 1 && strings.Contains(`dDwWsSbBnrtfv`, found[1:2]) || !isASCIILetter(found[1]) && !isDigit(found[1]) && found[0] == '\\' {
			continue
		}
		return fail(CodeUnsafe, "engines differ on %q in a regular expression; take plain classes as in [0-9A-Za-z] and groups as in (?:x)", clip(found))
	}
	return nil
}

// foreignRegex finds every escape, and what begins like a class or group of one kind of
// regular expressions only.
var foreignRegex = regexp.MustCompile(`\\[\s\S]|\(\?[^:=!<]|\(\?<[^=!]|\[\^?\]|\[:`)

// endInReference is where jsonata-js ends a regular expression.
func endInReference(src string) int {
	depth := 0
	for i := range len(src) {
		escaped := i > 0 && src[i-1] == '\\'
		switch src[i] {
		case '(', '[', '{':
			if !escaped {
				depth++
			}
		case ')', ']', '}':
			if !escaped {
				depth--
			}
		case '/':
			backslashes := i - len(strings.TrimRight(src[:i], `\`))
			if depth == 0 && backslashes%2 == 0 {
				return i
			}
		}
	}
	return -1
}

// readPattern parses a regular expression without compiling it. The engine's
// expressions are RE2's: they have no look-around, and run in linear time.
func readPattern(text string) (pattern, error) {
	for _, around := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
		if strings.Contains(text, around) {
			return pattern{}, fail(CodeUnsafe, "regular expressions have no look-around (%q) here; use groups with $match or $replace instead", around)
		}
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return pattern{}, fail(CodeSyntax, "the regular expression %q is not valid RE2, which has no look-around and no back-references", clip(text))
	}
	p := pattern{size: regexSize(tree), groups: tree.MaxCap(), least: shortest(tree), longest: longest(tree)}
	if p.size > maxRegexSize {
		return pattern{}, fail(CodeTooLarge, "the regular expression %q takes %.0f steps a character, more than %d; repeat less", clip(text), p.size, maxRegexSize)
	}
	p.once = anchored(tree)
	p.linear = p.once || oneClass(tree)
	p.optional = hasOptional(tree, false)
	return p, nil
}

// work is what finding all matches in a text of n bytes can take.
func (p pattern) work(n float64) float64 {
	switch {
	case p.linear:
		return n * p.size
	case p.longest > 0:
		return n * min(n, p.longest+1) * p.size / 4
	}
	return n * n * p.size / 4
}

func regexSize(re *syntax.Regexp) float64 {
	size := 1.0
	switch re.Op {
	case syntax.OpLiteral:
		size = float64(len(re.Rune))
	case syntax.OpCharClass:
		size = 1 + float64(len(re.Rune))/64
	}
	for _, sub := range re.Sub {
		size += regexSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size *= float64(max(re.Max, re.Min+1, 1))
	}
	return size
}

// shortest returns a lower bound of the length of a match.
func shortest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return shortest(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min * shortest(re.Sub[0])
	case syntax.OpConcat:
		sum := 0
		for _, sub := range re.Sub {
			sum += shortest(sub)
		}
		return sum
	case syntax.OpAlternate:
		least := shortest(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			least = min(least, shortest(sub))
		}
		return least
	}
	return 0
}

// hasOptional says that some group may be left out of a match.
func hasOptional(re *syntax.Regexp, optional bool) bool {
	switch re.Op {
	case syntax.OpCapture:
		if optional {
			return true
		}
	case syntax.OpAlternate, syntax.OpStar, syntax.OpQuest:
		optional = true
	case syntax.OpRepeat:
		optional = optional || re.Min == 0
	}
	for _, sub := range re.Sub {
		if hasOptional(sub, optional) {
			return true
		}
	}
	return false
}

// longest returns an upper bound of the length of a match, 0 when there is none.
func longest(re *syntax.Regexp) float64 {
	bounded := true
	var length func(re *syntax.Regexp) float64
	length = func(re *syntax.Regexp) float64 {
		sum, most := 0.0, 0.0
		for _, sub := range re.Sub {
			n := length(sub)
			sum, most = sum+n, max(most, n)
		}
		switch re.Op {
		case syntax.OpStar, syntax.OpPlus:
			bounded = false
		case syntax.OpRepeat:
			bounded = bounded && re.Max >= 0
			return sum * float64(re.Max)
		case syntax.OpAlternate:
			return most
		case syntax.OpLiteral:
			return 4 * float64(len(re.Rune))
		case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
			return 4
		}
		return sum
	}
	n := length(re)
	if !bounded {
		return 0
	}
	return max(n, 1)
}

// anchored says that a match can only begin at the front.
func anchored(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginText:
		return true
	case syntax.OpConcat, syntax.OpCapture:
		return anchored(re.Sub[0])
	}
	return false
}

// oneClass says that a match is one character or a run of one class, such as \s+
// or [^0-9]: a search for the next match never looks ahead of it.
func oneClass(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpPlus, syntax.OpCapture:
		return oneClass(re.Sub[0])
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpLiteral:
		return len(re.Rune) == 1
	}
	return false
}
