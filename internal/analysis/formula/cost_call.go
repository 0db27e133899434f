package formula

import (
	"math"
	"strings"
)

// formatted bounds what the number and date formatters write for a modest picture.
const formatted = 1024

func (c *cost) call(n *node, context extent) extent {
	f := functions[n.text]
	c.work += callWork
	if f.growth == growsMap {
		list := c.of(n.kids[0], context)
		mapped := &node{kind: nodeCall, text: n.kids[1].text, kids: []*node{{kind: nodeContext}}}
		return larger(list, c.each(list, mapped))
	}
	arguments := make([]extent, len(n.kids))
	for i, kid := range n.kids {
		if kid.kind != nodeRegex {
			arguments[i] = c.of(kid, context)
		}
	}
	// Most functions take the context for a missing first argument.
	subject := context
	if len(arguments) > 0 {
		subject = larger(context, arguments[0])
		if len(arguments) > 1 || n.text == "string" || f.growth == growsNot {
			subject = arguments[0]
		}
		subject.isText = arguments[0].isText
	}
	switch f.growth {
	case growsSame:
		if f.text {
			return textOf(subject.text)
		}
		return c.list(n, subject)
	case growsSum:
		return c.sum(arguments)
	case growsString:
		return textOf(subject.written())
	case growsCoded:
		return textOf(subject.text * 3)
	case growsFormat:
		return textOf(formatted)
	case growsPad:
		return textOf(subject.text + 4*padWidth(n))
	case growsJoin:
		separator := 0.0
		if len(arguments) > 1 {
			separator = arguments[1].text
		}
		return textOf(subject.bytes + subject.items*separator)
	}
	return c.search(n, subject, arguments)
}

func (c *cost) list(n *node, subject extent) extent {
	if n.text == "distinct" {
		c.work += subject.items * subject.items / 8 // it compares objects pair by pair
	}
	subject.isText = false
	return subject
}

func (c *cost) sum(arguments []extent) extent {
	var sum extent
	for _, argument := range arguments {
		sum = sum.plus(argument)
	}
	return sum.times(2)
}

// padWidth is the width that a call of $pad asks for, a literal, see dialect.
func padWidth(n *node) float64 {
	if len(n.kids) < 2 {
		return 0
	}
	width, _ := literalNumber(n.kids[1])
	return math.Abs(width)
}

// search bounds the functions that look for a text or regular expression.
func (c *cost) search(n *node, subject extent, arguments []extent) extent {
	var p pattern
	isRegex := len(n.kids) > 1 && n.kids[1].kind == nodeRegex
	if isRegex {
		p = c.patterns[n.kids[1].text]
		if n.text == "contains" {
			c.work += subject.bytes * p.size
		} else {
			c.work += p.work(subject.text)
		}
	}
	size := subject.text
	switch functions[n.text].growth {
	case growsSplit:
		return extent{items: size + 2, bytes: size, text: size}
	case growsMatch:
		groups, matches := float64(p.groups), size+1
		if p.once {
			matches = 1
		}
		return extent{items: matches * (5 + groups), bytes: size*(1+groups) + matches*32, text: size}
	case growsReplace:
		if !amplifies(n, p) || len(arguments) < 3 {
			return textOf(size)
		}
		replacement := arguments[2].text
		grown := (size + 1) * replacement
		if isRegex {
			grown += size * replacement // every $0 in it repeats a match
		}
		return textOf(size + grown)
	}
	return scalar
}

// amplifies says that a call's result may be larger than its arguments. $replace
// does not when the replacement is a literal no longer than what it replaces.
func amplifies(n *node, p pattern) bool {
	switch n.text {
	case "pad", "join":
		return true
	case "replace":
		if len(n.kids) < 3 || n.kids[2].kind != nodeString {
			return true
		}
		replacement, least := n.kids[2].text, max(p.least, 1)
		if n.kids[1].kind == nodeString {
			least = len(n.kids[1].text)
		} else if strings.Contains(replacement, "$") {
			return true
		}
		return len(replacement) > least
	}
	return false
}
