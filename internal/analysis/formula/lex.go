package formula

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenVariable // text without the $: "" is the context, "$" the record
	tokenString
	tokenNumber
	tokenWord // true, false, null
	tokenRegex
	tokenOp // also and, or, in
)

type token struct {
	kind   tokenKind
	text   string
	quoted bool // a name in backticks
	pos    int
}

// lexer reads tokens as the engine does, except where the engine looks at its
// parser's state to tell a regular expression from a division. Here a slash opens
// a regular expression only right after "(" or ",", where the engine's state
// admits nothing else; everywhere else it divides. Should the engine see a regular
// expression there, it has no rule for one after a value and refuses to compile.
// So no code can hide from the gate in what it takes for a text.
type lexer struct {
	src  string
	pos  int
	last token
}

// lex splits expr into tokens, the last one being tokenEnd.
func lex(expr string) ([]token, error) {
	l := &lexer{src: expr}
	var tokens []token
	for {
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		if t.kind == tokenEnd {
			return tokens, nil
		}
		l.last = t
	}
}

func (l *lexer) next() (token, error) {
	for l.pos < len(l.src) && strings.IndexByte(" \t\n\r\v", l.src[l.pos]) >= 0 {
		l.pos++
	}
	if l.pos == len(l.src) {
		return token{kind: tokenEnd, pos: l.pos}, nil
	}
	rest := l.src[l.pos:]
	if strings.HasPrefix(rest, "/*") {
		return token{}, fail(CodeUnsafe, "comments are not allowed (at byte %d); leave them out", l.pos)
	}
	if rest[0] == '/' && l.last.kind == tokenOp && (l.last.text == "(" || l.last.text == ",") {
		return l.regex()
	}
	if op := operatorAt(rest); op != "" {
		return l.take(tokenOp, op, len(op)), nil
	}
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		return l.text(c)
	case c >= '0' && c <= '9':
		return l.number()
	case c == '`':
		return l.quotedName()
	}
	return l.word()
}

func (l *lexer) take(kind tokenKind, text string, size int) token {
	t := token{kind: kind, text: text, pos: l.pos}
	l.pos += size
	return t
}

// operatorAt returns the operator that s begins with; of two the longer one.
func operatorAt(s string) string {
	if len(s) >= 2 {
		switch two := s[:2]; two {
		case "..", ":=", "!=", ">=", "<=", "**", "~>", "?:", "??":
			return two
		}
	}
	if strings.IndexByte(".[]{}(),@#;:?+-*/%|=<>^&!~", s[0]) >= 0 {
		return s[:1]
	}
	return ""
}

// regex reads up to the first slash outside of brackets. Like the engine it counts
// brackets behind a backslash too.
func (l *lexer) regex() (token, error) {
	depth := 0
	for i := l.pos + 1; i < len(l.src); i++ {
		switch l.src[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case '/':
			pattern := l.src[l.pos+1 : i]
			backslashes := len(pattern) - len(strings.TrimRight(pattern, `\`))
			if depth != 0 || backslashes%2 == 1 {
				continue
			}
			if err := sharedRegex(pattern, l.src[l.pos+1:]); err != nil {
				return token{}, err
			}
			flags := len(l.src[i+1:]) - len(strings.TrimLeft(l.src[i+1:], "im"))
			text := pattern
			if flags > 0 {
				text = "(?" + l.src[i+1:i+1+flags] + ")" + pattern
			}
			return l.take(tokenRegex, text, i+1+flags-l.pos), nil
		}
	}
	return token{}, fail(CodeSyntax, "the regular expression at byte %d has no end; every bracket in it must have its partner, also an escaped one", l.pos)
}

func (l *lexer) text(quote byte) (token, error) {
	var b strings.Builder
	for i := l.pos + 1; i < len(l.src); i++ {
		switch c := l.src[i]; c {
		case quote:
			return l.take(tokenString, b.String(), i+1-l.pos), nil
		case '\\':
			r, size := unescape(l.src[i:])
			if size == 0 {
				return token{}, fail(CodeSyntax, "the text at byte %d has an unknown escape", l.pos)
			}
			b.WriteRune(r)
			i += size - 1
		default:
			b.WriteByte(c)
		}
	}
	return token{}, fail(CodeSyntax, "the text at byte %d has no closing quote", l.pos)
}

// unescape reads one escape from the front of s. Halves of surrogate pairs become
// the replacement character: of a text only its length and a few letters count.
func unescape(s string) (r rune, size int) {
	if len(s) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(`"'\/bfnrt`, s[1]); i >= 0 {
		return rune("\"'\\/\b\f\n\r\t"[i]), 2
	}
	if s[1] != 'u' || len(s) < 6 {
		return 0, 0
	}
	code, err := strconv.ParseUint(s[2:6], 16, 32)
	if err != nil {
		return 0, 0
	}
	return rune(code), 6
}

func (l *lexer) number() (token, error) {
	i := l.pos
	digits := func() {
		for i < len(l.src) && l.src[i] >= '0' && l.src[i] <= '9' {
			i++
		}
	}
	if l.src[i] == '0' {
		i++
	} else {
		digits()
	}
	if i+1 < len(l.src) && l.src[i] == '.' && l.src[i+1] >= '0' && l.src[i+1] <= '9' {
		i++
		digits()
	}
	if i < len(l.src) && (l.src[i] == 'e' || l.src[i] == 'E') {
		i++
		if i < len(l.src) && (l.src[i] == '+' || l.src[i] == '-') {
			i++
		}
		digits()
	}
	text := l.src[l.pos:i]
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return token{}, fail(CodeSyntax, "%q is not a number", clip(text))
	}
	return l.take(tokenNumber, text, i-l.pos), nil
}

func (l *lexer) quotedName() (token, error) {
	end := strings.IndexByte(l.src[l.pos+1:], '`')
	if end < 0 {
		return token{}, fail(CodeSyntax, "the name at byte %d has no closing backtick", l.pos)
	}
	t := l.take(tokenName, l.src[l.pos+1:l.pos+1+end], end+2)
	t.quoted = true
	return t, nil
}

// word reads a name, a variable or a keyword. The engine takes any character but
// operators and spaces into a name, quotes included; here a name has letters,
// digits and underscores, and everything else wants backticks.
func (l *lexer) word() (token, error) {
	rest := l.src[l.pos:]
	size := 0
	for size < len(rest) {
		r, n := utf8.DecodeRuneInString(rest[size:])
		if r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) {
			break
		}
		size += n
	}
	if size < len(rest) && strings.IndexByte(" \t\n\r\v", rest[size]) < 0 && operatorAt(rest[size:]) == "" {
		r, _ := utf8.DecodeRuneInString(rest[size:])
		return token{}, fail(CodeSyntax, "unexpected %q at byte %d; put names with such characters into backticks", r, l.pos+size)
	}
	text := rest[:size]
	if name, ok := strings.CutPrefix(text, "$"); ok {
		return l.take(tokenVariable, name, size), nil
	}
	switch text {
	case "and", "or", "in":
		return l.take(tokenOp, text, size), nil
	case "true", "false", "null":
		return l.take(tokenWord, text, size), nil
	}
	return l.take(tokenName, text, size), nil
}
