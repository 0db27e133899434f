package formula

import "math"

// This file reads what stands in brackets: calls, blocks, arrays and objects.

func (p *parser) call(callee *node, t token) (*node, error) {
	switch {
	case callee.kind == nodeName && (callee.text == "function" || callee.text == "λ"):
		return nil, fail(CodeUnsafe, "functions of one's own are not allowed (byte %d)", callee.pos)
	case callee.kind == nodeName:
		return nil, fail(CodeSyntax, "%q is called without a $ (byte %d)", clip(callee.text), callee.pos)
	case callee.kind == nodeVariable:
		return nil, fail(CodeUnknownFunction, "there is no function $%s", clip(callee.text))
	case callee.kind != nodeReference:
		return nil, fail(CodeSyntax, "only functions can be called (byte %d)", t.pos)
	}
	n := &node{kind: nodeCall, text: callee.text, pos: callee.pos}
	for !p.accept(")") {
		argument, err := p.argument()
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, argument)
		if !p.accept(",") && p.peek().text != ")" {
			return nil, p.unexpected(p.next())
		}
	}
	return n, nil
}

// argument is the only place for a regular expression.
func (p *parser) argument() (*node, error) {
	if t := p.peek(); t.kind == tokenRegex {
		p.next()
		return &node{kind: nodeRegex, text: t.text, pos: t.pos}, nil
	}
	return p.expression(0)
}

// block reads statements. Only a statement can set a variable: every run of the
// block starts with a scope of its own, and each of its statements runs once, so
// that a variable can not grow from one run to the next.
func (p *parser) block(pos int) (*node, error) {
	n := &node{kind: nodeBlock, pos: pos}
	for {
		if p.accept(")") {
			return n, nil
		}
		statement, err := p.statement()
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, statement)
		if !p.accept(";") {
			return n, p.expect(")")
		}
		n.text = ";"
	}
}

func (p *parser) statement() (*node, error) {
	if len(p.tokens) > 1 && p.peek().kind == tokenVariable && p.tokens[1].kind == tokenOp && p.tokens[1].text == ":=" {
		variable, err := p.variable(p.next())
		if err != nil {
			return nil, err
		}
		if variable.kind != nodeVariable {
			return nil, fail(CodeUnsafe, "$%s can not be set (byte %d); take another name", variable.text, variable.pos)
		}
		p.next()
		value, err := p.expression(9)
		variable.kind, variable.kids = nodeBind, []*node{value}
		return variable, err
	}
	return p.expression(0)
}

func (p *parser) array(pos int) (*node, error) {
	n := &node{kind: nodeArray, pos: pos}
	for !p.accept("]") {
		element, err := p.element()
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, element)
		if !p.accept(",") && p.peek().text != "]" {
			return nil, p.unexpected(p.next())
		}
	}
	return n, nil
}

// maxRange is the longest range.
const maxRange = 1000

// element reads an element of an array. A range is read from its tokens, so that
// nothing but two literal numbers can be its bounds.
func (p *parser) element() (*node, error) {
	rest := *p
	from, ok := rest.bound()
	if !ok || !rest.accept("..") {
		return p.expression(0)
	}
	to, ok := rest.bound()
	if t := rest.peek(); !ok || t.kind != tokenOp || (t.text != "," && t.text != "]") {
		return nil, p.misplaced(token{text: "..", pos: p.peek().pos})
	}
	length := to - from + 1
	if length > maxRange || math.Abs(from) > math.MaxInt32 || math.Abs(to) > math.MaxInt32 {
		return nil, fail(CodeTooLarge, "a range may have at most %d numbers", maxRange)
	}
	n := &node{kind: nodeRange, number: max(length, 0), pos: p.peek().pos}
	*p = rest
	return n, nil
}

// bound reads a whole number with an optional minus.
func (p *parser) bound() (float64, bool) {
	sign := 1.0
	if p.accept("-") {
		sign = -1
	}
	if p.peek().kind != tokenNumber {
		return 0, false
	}
	n, err := p.prefix()
	if err != nil || n.number != math.Trunc(n.number) {
		return 0, false
	}
	return sign * n.number, true
}

func (p *parser) object(pos int) (*node, error) {
	n := &node{kind: nodeObject, pos: pos}
	for !p.accept("}") {
		key, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		value, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, key, value)
		if !p.accept(",") && p.peek().text != "}" {
			return nil, p.unexpected(p.next())
		}
	}
	return n, nil
}
