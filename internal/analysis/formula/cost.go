package formula

import (
	"math"
	"strings"
)

// The gate estimates the work of a run from above, in bytes made or read: every
// evaluation of a node counts. Without lambdas the number of evaluations follows
// from the sizes of values alone.
const (
	maxWork     = 16 << 20 // a run stays under 0.1 s and a few times as many bytes
	maxContexts = 6        // contexts within contexts; each doubles the estimating
	nodeWork    = 64
	itemWork    = 32
	blockWork   = 512
	callWork    = 256

	// maxAmplifiers is how many calls may give more than they get.
	maxAmplifiers = 2
)

// extent bounds a value: the values in it (itself, elements and members), the
// bytes of all its texts and keys, and those of its longest text.
type extent struct {
	items, bytes, text float64
	isText             bool // one text, or nothing
	isRecord           bool // the whole record
}

var scalar = extent{items: 1}

func textOf(bytes float64) extent {
	return extent{items: 1, bytes: bytes, text: bytes, isText: true}
}

func (e extent) plus(f extent) extent {
	return extent{items: e.items + f.items, bytes: e.bytes + f.bytes, text: max(e.text, f.text)}
}

func (e extent) times(n float64) extent {
	return extent{items: e.items * n, bytes: e.bytes * n, text: e.text}
}

func larger(e, f extent) extent {
	return extent{
		items: max(e.items, f.items), bytes: max(e.bytes, f.bytes), text: max(e.text, f.text),
		isText: e.isText && f.isText,
	}
}

// written bounds the value as text.
func (e extent) written() float64 {
	if e.isText {
		return e.bytes
	}
	return e.bytes*6 + e.items*32 // escapes, and numbers, quotes, commas
}

// cost adds up the work of an expression.
type cost struct {
	sources    []string
	patterns   map[string]pattern
	variables  map[string]extent
	work       float64
	amplifiers int
	contexts   int
	deepest    int
}

// of estimates one evaluation of n in a context. It stops when the answer is
// known, since estimating takes time as well.
func (c *cost) of(n *node, context extent) extent {
	if c.deepest > maxContexts || c.work > maxWork {
		return scalar
	}
	result := c.result(n, context)
	c.work += nodeWork + result.items*itemWork + result.bytes
	return result
}

func (c *cost) result(n *node, context extent) extent {
	switch n.kind {
	case nodeName:
		return c.field(n.text, context)
	case nodeString:
		return textOf(float64(len(n.text)))
	case nodeContext:
		return context
	case nodeRecord:
		return extent{isRecord: true}
	case nodeVariable:
		return c.variables[n.text]
	case nodeKeepArray:
		inner := c.of(n.kids[0], context)
		inner.isText = false
		return inner
	case nodePath:
		return c.path(n, context)
	case nodeSubscript:
		return c.subscript(n, context)
	case nodeCall:
		return c.call(n, context)
	case nodeBinary:
		return c.binary(n, context)
	case nodeArray, nodeObject:
		sum := scalar
		for _, kid := range n.kids {
			sum = sum.plus(c.of(kid, context))
		}
		return sum
	case nodeRange:
		return extent{items: n.number}
	case nodeBlock:
		return c.block(n, context)
	case nodeCondition:
		c.of(n.kids[0], context)
		result := c.of(n.kids[1], context)
		if len(n.kids) == 3 {
			result = larger(result, c.of(n.kids[2], context))
		}
		return result
	case nodeMinus:
		c.of(n.kids[0], context)
	}
	return scalar
}

// field bounds what a name gives: a source, or a part of the context.
func (c *cost) field(name string, context extent) extent {
	if !context.isRecord {
		context.isText = false
		return context
	}
	share := 0.0
	for _, source := range c.sources {
		if source == name || strings.HasPrefix(source, name+".") {
			share++
		}
	}
	share = max(share, 1)
	return extent{items: share * maxValueItems, bytes: share * maxValueBytes, text: maxTextBytes}
}

func (c *cost) path(n *node, context extent) extent {
	from := c.step(n.kids[0], context)
	switch n.kids[1].kind {
	case nodeName, nodeString, nodeContext, nodeRecord:
		return c.step(n.kids[1], from)
	}
	return c.each(from, n.kids[1])
}

// step is of for a step of a path, where a text is a name.
func (c *cost) step(n *node, context extent) extent {
	if n.kind == nodeString {
		return c.field(n.text, context)
	}
	return c.of(n, context)
}

// each estimates the evaluation of n once for every item of a value. What depends
// on the item grows at least as fast as the item, so that all items together cost
// no more than one that holds everything, and what does not depend on it is paid
// once an item: the estimate for an empty context, times the items.
func (c *cost) each(items extent, n *node) extent {
	if items.isRecord {
		return c.of(n, items)
	}
	c.contexts++
	c.deepest = max(c.deepest, c.contexts)
	defer func() { c.contexts-- }()
	if c.contexts > maxContexts {
		return scalar
	}
	before := c.work
	alone := c.of(n, extent{})
	c.work = before + (c.work-before)*items.items

	items.text, items.isText = items.bytes, false
	all := c.of(n, items)
	sum := alone.times(items.items).plus(all)
	sum.text = max(all.text, alone.text)
	return sum
}

func (c *cost) subscript(n *node, context extent) extent {
	from, predicate := c.of(n.kids[0], context), n.kids[1]
	if predicate.kind == nodeNumber {
		return from
	}
	indices := c.each(from, predicate)
	fallback := c.of(predicate, context) // where it fails on an item
	if indexes(predicate) {
		// A list of numbers picks items, the same one as often as it likes.
		return from.times(max(1, indices.items, fallback.items))
	}
	return from
}

// indexes says that a predicate may be a list of positions.
func indexes(n *node) bool {
	switch n.kind {
	case nodeNumber, nodeMinus, nodeString, nodeWord:
		return false
	case nodeBinary:
		return n.text == "?:" || n.text == "??"
	case nodeCall:
		return functions[n.text].growth != growsNot
	}
	return true
}

func (c *cost) binary(n *node, context extent) extent {
	left, right := c.of(n.kids[0], context), c.of(n.kids[1], context)
	switch n.text {
	case "&":
		return textOf(left.written() + right.written())
	case "?:", "??":
		return larger(left, right)
	case "=", "!=", "in":
		c.work += left.bytes + right.bytes
	}
	return scalar
}

func (c *cost) block(n *node, context extent) extent {
	c.work += blockWork
	outer := c.variables
	c.variables = make(map[string]extent, len(outer)+1)
	for name, value := range outer {
		c.variables[name] = value
	}
	defer func() { c.variables = outer }()
	last := scalar
	for _, statement := range n.kids {
		if statement.kind == nodeBind {
			last = c.of(statement.kids[0], context)
			c.variables[statement.text] = last
			continue
		}
		last = c.of(statement, context)
	}
	return last
}

// check tells whether the whole expression may run.
func (c *cost) check(n *node) error {
	c.of(n, extent{isRecord: true})
	switch {
	case c.deepest > maxContexts:
		return fail(CodeTooLarge, "paths and predicates are nested deeper than %d", maxContexts)
	case c.work > maxWork || math.IsNaN(c.work):
		return fail(CodeTooLarge, "a run could take more than %d million steps; use fewer lists in lists, ranges and repetitions", maxWork>>20)
	}
	return nil
}
