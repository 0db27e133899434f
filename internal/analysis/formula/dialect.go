package formula

import (
	"cmp"
	"maps"
	"math"
	"strings"
)

// dialect refuses what the engine and jsonata-js read or run in different ways, and what
// jsonata-js can not run at all: a formula is verified here, and runs there.
type dialect struct {
	patterns  map[string]pattern
	variables map[string]*pattern // those that hold what $match gives
}

// result checks a whole expression.
func (d *dialect) result(n *node) error {
	p, err := d.check(n, true)
	if err == nil && p != nil {
		return fail(CodeUnsafe, "engines differ on what $match gives; take .match or .groups[0] of it")
	}
	return err
}

// check looks at a node and everything in it. whole says that the node's value is the
// result. It returns the pattern of a value that is what $match gives, else nil.
func (d *dialect) check(n *node, whole bool) (*pattern, error) {
	if n.kind == nodePath && whole && endsInKeptName(n.kids[1]) {
		return d.check(&node{kind: nodePath, kids: []*node{n.kids[0], n.kids[1].kids[0]}, pos: n.pos}, false)
	}
	if err := d.own(n); err != nil {
		return nil, err
	}
	if n.kind == nodeBlock {
		outer := d.variables
		d.variables = maps.Clone(outer)
		defer func() { d.variables = outer }()
	}
	kids := make([]*pattern, len(n.kids))
	for i, kid := range n.kids {
		var err error
		if kids[i], err = d.check(kid, whole && passesOn(n, i)); err != nil {
			return nil, err
		}
		if kids[i] != nil && !takesMatch(n, i, kids[i]) {
			return nil, fail(CodeUnsafe, "engines differ on what $match gives here (byte %d); take .match or .groups[0] of it, with groups that always match, or use $contains", kid.pos)
		}
	}
	return d.match(n, kids), nil
}

// match returns the pattern of a node whose value is what $match gives, else nil; kids
// are those of the node's kids.
func (d *dialect) match(n *node, kids []*pattern) *pattern {
	switch n.kind {
	case nodeCall:
		if n.text == "match" {
			p := d.patterns[n.kids[1].text]
			return &p
		}
	case nodeSubscript, nodeKeepArray:
		return kids[0]
	case nodeBlock:
		if len(kids) > 0 {
			return kids[len(kids)-1]
		}
	case nodeCondition:
		return cmp.Or(kids[1:]...)
	case nodeVariable:
		return d.variables[n.text]
	case nodeBind:
		d.variables[n.text] = kids[0]
		return kids[0]
	}
	return nil
}

// passesOn says that the value of kid i is the value of n.
func passesOn(n *node, i int) bool {
	switch n.kind {
	case nodeBlock:
		return i == len(n.kids)-1
	case nodeCondition:
		return i > 0
	case nodePath:
		return i == 1
	}
	return false
}

// own checks what a node is in itself.
func (d *dialect) own(n *node) error {
	switch n.kind {
	case nodeKeepArray:
		return fail(CodeUnsafe, "engines differ on [] here (byte %d); put it behind the last name of a path, as in items.sku[], or write [ ] around the value", n.pos)
	case nodePath:
		return checkPath(n)
	case nodeSubscript:
		return checkSubscript(n)
	case nodeBinary:
		return checkBinary(n)
	case nodeCall:
		return d.checkCall(n)
	}
	return nil
}

func checkPath(n *node) error {
	head, step := n.kids[0], firstOf(n.kids[1])
	switch {
	case step.kind == nodeArray:
		return fail(CodeUnsafe, "engines differ on a list as a step of a path (byte %d); put it into parentheses as in items.([sku, qty])", step.pos)
	case head.kind == nodeSubscript && listBelow(head):
		return fail(CodeUnsafe, "jsonata-js takes no step from a single element of a list (byte %d); put what stands before the . into parentheses", n.pos)
	case isEmptyList(head):
		return fail(CodeUnsafe, "engines differ on steps from an empty list (byte %d); leave them out", head.pos)
	}
	return nil
}

// endsInKeptName says that a step is a name with [] behind it.
func endsInKeptName(step *node) bool {
	return step.kind == nodeKeepArray && step.kids[0].kind == nodeName
}

// firstOf returns what comes first in a step, which may be a path of its own.
func firstOf(step *node) *node {
	for step.kind == nodePath || step.kind == nodeSubscript || step.kind == nodeKeepArray {
		step = step.kids[0]
	}
	return step
}

func checkSubscript(n *node) error {
	switch predicate := n.kids[1]; {
	case isEmptyList(n.kids[0]):
		return fail(CodeUnsafe, "engines differ on steps from an empty list (byte %d); leave them out", n.pos)
	case predicate.kind == nodeArray:
		return fail(CodeUnsafe, "engines differ on lists of positions (byte %d); take one position, or a condition", predicate.pos)
	}
	return nil
}

// listBelow says that subscripts select from a list that is written out.
func listBelow(n *node) bool {
	for n.kind == nodeSubscript || n.kind == nodeKeepArray {
		n = n.kids[0]
	}
	return n.kind == nodeArray
}

func isPosition(n *node) bool { return n.kind == nodeNumber || n.kind == nodeMinus }

func isEmptyList(n *node) bool {
	if n.kind != nodeArray {
		return false
	}
	for _, kid := range n.kids {
		if kid.kind != nodeRange || kid.number > 0 {
			return false
		}
	}
	return true
}

// checkBinary refuses what binds tighter in one than in the other, and regular
// expressions before ?: and ??, which jsonata-js copies in a way that breaks them; it then
// runs for ever.
func checkBinary(n *node) error {
	left, right := n.kids[0], n.kids[1]
	switch n.text {
	case "?:", "??":
		if left.kind == nodeBinary && (left.text == "and" || left.text == "or") {
			return fail(CodeSyntax, "engines differ on %s after %q (byte %d); put one of them into parentheses", n.text, left.text, n.pos)
		}
		if hasRegex(left) {
			return fail(CodeUnsafe, "jsonata-js never ends with a regular expression before %s (byte %d); write a ? a : b, or set a variable first", n.text, n.pos)
		}
	case "=", "!=", "<", ">", "<=", ">=", "in":
		if right.kind == nodeCall && right.chained {
			return fail(CodeSyntax, "engines differ on ~> after %q (byte %d); put one of them into parentheses", n.text, n.pos)
		}
	}
	return nil
}

func hasRegex(n *node) bool {
	if n.kind == nodeRegex {
		return true
	}
	for _, kid := range n.kids {
		if hasRegex(kid) {
			return true
		}
	}
	return false
}

// maxPad is the widest that $pad may make a text: there is no limit in jsonata-js, and
// 10,000 here.
const maxPad = 1000

func literalNumber(n *node) (float64, bool) {
	sign := 1.0
	if n.kind == nodeMinus {
		n, sign = n.kids[0], -1
	}
	return sign * n.number, n.kind == nodeNumber
}

// checkCall refuses patterns that match nothing at all, which is an error in one place
// and none in another, and texts where only a regular expression will do.
func (d *dialect) checkCall(n *node) error {
	if len(n.kids) < 2 && n.text == "match" {
		return fail(CodeSyntax, "$match takes a text and a regular expression, as in $match(code, /[0-9]+/)")
	}
	if len(n.kids) < 2 {
		return nil
	}
	second := n.kids[1]
	switch n.text {
	case "pad":
		if width, ok := literalNumber(second); !ok || math.Abs(width) > maxPad {
			return fail(CodeTooLarge, "$pad takes a width of at most %d that is written as a number, as in $pad(code, -8, \"0\")", maxPad)
		}
	case "match":
		if second.kind != nodeRegex {
			return fail(CodeSyntax, "$match takes a regular expression as its second argument, as in /[0-9]+/")
		}
	case "split", "replace":
	default:
		return nil
	}
	if second.kind == nodeRegex && d.patterns[second.text].least == 0 {
		return fail(CodeUnsafe, "the regular expression %q of $%s can match nothing at all; repeat with + for *, and leave out ?", clip(second.text), n.text)
	}
	return nil
}

// takesMatch says that n makes the same of a match as its kid i everywhere: of its
// members, match and those groups that are there in every match.
func takesMatch(n *node, i int, p *pattern) bool {
	switch n.kind {
	case nodePath:
		step := firstOf(n.kids[1])
		isName := step.kind == nodeName || step.kind == nodeString
		return i == 0 && isName && (step.text == "match" || step.text == "groups" && p.groups > 0 && !p.optional)
	case nodeSubscript:
		return i == 0 && isPosition(n.kids[1])
	case nodeKeepArray, nodeBind, nodeBlock, nodeCondition:
		return true
	case nodeCall:
		return strings.Contains(" exists count boolean not ", " "+n.text+" ")
	}
	return false
}
