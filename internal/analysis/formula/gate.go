package formula

import (
	"strings"
	"unicode/utf8"
)

// maxExpression is the longest expression, in bytes.
const maxExpression = 2000

// Gate says whether an expression may be compiled and run, without doing either.
// sources are the names of the fields that it may read. It refuses what DESIGN
// calls unsafe (lambdas, $eval and its like, results that change from run to run,
// look-around, transforms), unknown functions and fields, ranges over 1,000, more
// than two amplifiers, and everything whose run could take more than a fixed amount
// of work on rows as Verify cuts them. Its error is an *Error.
//
// A variable may be set, but only by a statement of a block: such a statement runs
// once in a scope of its own, so its size is known. $replace counts as amplifier
// unless its replacement is a literal no longer than what it replaces.
func Gate(expr string, sources []string) error {
	_, err := gate(expr, sources)
	return err
}

// gate also returns the tree of an expression that passes.
func gate(expr string, sources []string) (*node, error) {
	switch {
	case strings.TrimSpace(expr) == "":
		return nil, fail(CodeSyntax, "the expression is empty")
	case len(expr) > maxExpression:
		return nil, fail(CodeTooLarge, "the expression has %d bytes, more than %d", len(expr), maxExpression)
	case !utf8.ValidString(expr):
		return nil, fail(CodeSyntax, "the expression is not valid UTF-8")
	}
	tree, err := parse(expr)
	if err != nil {
		return nil, err
	}
	s := &scope{sources: sources, variables: map[string]bool{}}
	if err := s.values(place{}, []*node{tree}); err != nil {
		return nil, err
	}
	c := &cost{sources: sources, patterns: map[string]pattern{}}
	for _, text := range literals(tree) {
		if n := utf8.RuneCountInString(text); n > maxLiteral {
			return nil, fail(CodeTooLarge, "a text of %d characters, more than %d; a mapping needs no longer ones", n, maxLiteral)
		}
	}
	if err := c.inspect(tree); err != nil {
		return nil, err
	}
	if err := (&dialect{patterns: c.patterns, variables: map[string]*pattern{}}).result(tree); err != nil {
		return nil, err
	}
	return tree, c.check(tree)
}

// inspect reads the regular expressions and pictures of a tree, and counts the
// calls that amplify.
func (c *cost) inspect(n *node) error {
	if n.kind == nodeRegex {
		p, err := readPattern(n.text)
		if err != nil {
			return err
		}
		c.patterns[n.text] = p
	}
	for _, kid := range n.kids {
		if err := c.inspect(kid); err != nil {
			return err
		}
	}
	if n.kind != nodeCall {
		return nil
	}
	if functions[n.text].picture && len(n.kids) > 1 {
		if err := checkPicture(n.text, n.kids[1]); err != nil {
			return err
		}
	}
	var p pattern
	if len(n.kids) > 1 {
		p = c.patterns[n.kids[1].text]
	}
	if amplifies(n, p) {
		c.amplifiers++
	}
	if c.amplifiers > maxAmplifiers {
		return fail(CodeTooLarge, "more than %d calls of $join, $pad or a growing $replace; combine the parts with & instead", maxAmplifiers)
	}
	return nil
}
