package formula

import "strconv"

type nodeKind uint8

const (
	nodeName      nodeKind = iota // text: a field
	nodeString                    // text
	nodeNumber                    // number
	nodeWord                      // true, false, null
	nodeRegex                     // text: the pattern
	nodeContext                   // $
	nodeRecord                    // $$
	nodeVariable                  // text: bound in a block
	nodePath                      // kids: from, step
	nodeSubscript                 // kids: from, predicate
	nodeKeepArray                 // kids: from
	nodeCall                      // text: function, kids: arguments; a ~> $f(b) is $f(a, b)
	nodeReference                 // text: function
	nodeBinary                    // text: operator, kids: both operands
	nodeMinus                     // kids: operand
	nodeArray                     // kids: elements
	nodeRange                     // kids: none, number: its length
	nodeObject                    // kids: key, value, key, value, ...
	nodeBlock                     // kids: statements, text: ";" where they are separated
	nodeCondition                 // kids: condition, then, else where there is one
	nodeBind                      // text: variable, kids: value; a statement of a block
)

type node struct {
	kind   nodeKind
	text   string
	number float64
	kids   []*node
	pos    int

	chained bool // a call that was written with ~>
}

// maxNesting is how deep brackets may stand in each other.
const maxNesting = 40

// powers are the binding powers of the engine's grammar. They have to be the same,
// since the gate judges the tree that it read itself.
var powers = map[string]int{
	"(": 80, "[": 80, ".": 75, "*": 60, "/": 60, "%": 60, "+": 50, "-": 50, "&": 50, "~>": 45,
	"!=": 40, "<=": 40, ">=": 40, "=": 40, "<": 40, ">": 40, "in": 40,
	"and": 30, "or": 25, "..": 20, "?": 20, "?:": 20, "??": 20, ":=": 10,
}

// refused are the operators that mappings do not need, with what they do.
var refused = map[string]string{
	"**": "the descendants of", "@": "a join of", "#": "a position variable in", "^": "a sort of",
	"|": "a transform of", "~": "a transform of", "{": "a grouping of",
}

type parser struct {
	tokens  []token
	nesting int
}

func parse(expr string) (*node, error) {
	tokens, err := lex(expr)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	n, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, p.unexpected(t)
	}
	return n, nil
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != tokenEnd {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) accept(op string) bool {
	if t := p.peek(); t.kind == tokenOp && t.text == op {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(op string) error {
	if !p.accept(op) {
		t := p.peek()
		return fail(CodeSyntax, "expected %q at byte %d", op, t.pos)
	}
	return nil
}

func (p *parser) unexpected(t token) error {
	if t.kind == tokenEnd {
		return fail(CodeSyntax, "the expression ends too early")
	}
	if what, ok := refused[t.text]; ok && t.kind == tokenOp {
		return fail(CodeUnsafe, "%s is not allowed (%q at byte %d)", what+" the data", t.text, t.pos)
	}
	if t.kind == tokenOp && t.text == "/" {
		return fail(CodeSyntax, "a regular expression may only be an argument of a function (byte %d)", t.pos)
	}
	return fail(CodeSyntax, "unexpected %q at byte %d", clip(t.text), t.pos)
}

// expression reads operators that bind tighter than power.
func (p *parser) expression(power int) (*node, error) {
	left, err := p.prefix()
	for err == nil {
		t := p.peek()
		if t.kind != tokenOp || powers[t.text] <= power {
			break
		}
		left, err = p.infix(left, p.next())
	}
	if t := p.peek(); err == nil && t.kind == tokenOp && powers[t.text] == 0 && !separates(t.text) {
		return nil, p.unexpected(t)
	}
	return left, err
}

// separates says that an operator ends an expression.
func separates(op string) bool {
	switch op {
	case ")", "]", "}", ",", ";", ":":
		return true
	}
	return false
}

func (p *parser) prefix() (*node, error) {
	t := p.next()
	n := &node{text: t.text, pos: t.pos}
	switch t.kind {
	case tokenName:
		n.kind = nodeName
	case tokenString:
		n.kind = nodeString
	case tokenWord:
		n.kind = nodeWord
	case tokenNumber:
		n.kind = nodeNumber
		n.number, _ = strconv.ParseFloat(t.text, 64) // the lexer tried it
	case tokenVariable:
		return p.variable(t)
	case tokenOp:
		return p.prefixOperator(t)
	default:
		return nil, p.unexpected(t)
	}
	return n, nil
}

func (p *parser) variable(t token) (*node, error) {
	n := &node{text: t.text, pos: t.pos}
	_, denied := deniedFunctions[t.text]
	_, known := functions[t.text]
	switch {
	case t.text == "":
		n.kind = nodeContext
	case t.text == "$":
		n.kind = nodeRecord
	case denied:
		return nil, fail(CodeUnsafe, "$%s is not allowed: %s", t.text, deniedFunctions[t.text])
	case known:
		n.kind = nodeReference
	default:
		n.kind = nodeVariable
	}
	return n, nil
}

func (p *parser) prefixOperator(t token) (*node, error) {
	switch t.text {
	case "-":
		operand, err := p.expression(70)
		return &node{kind: nodeMinus, kids: []*node{operand}, pos: t.pos}, err
	case "(":
		return p.nested(t, p.block)
	case "[":
		return p.nested(t, p.array)
	case "{":
		return p.nested(t, p.object)
	case "and", "or", "in": // the engine takes them for fields here
		return &node{kind: nodeName, text: t.text, pos: t.pos}, nil
	case "*":
		return nil, fail(CodeUnsafe, "the wildcard * is not allowed (byte %d); name the fields", t.pos)
	case "%":
		return nil, fail(CodeUnsafe, "the parent operator %% is not allowed (byte %d)", t.pos)
	case "?":
		return nil, fail(CodeUnsafe, "a partly applied function is not allowed (\"?\" at byte %d)", t.pos)
	}
	return nil, p.unexpected(t)
}

// nested reads what stands in a pair of brackets.
func (p *parser) nested(t token, read func(pos int) (*node, error)) (*node, error) {
	p.nesting++
	defer func() { p.nesting-- }()
	if p.nesting > maxNesting {
		return nil, fail(CodeTooLarge, "brackets are nested deeper than %d", maxNesting)
	}
	return read(t.pos)
}

func (p *parser) infix(left *node, t token) (*node, error) {
	switch t.text {
	case "(":
		return p.nested(t, func(int) (*node, error) { return p.call(left, t) })
	case "[":
		return p.nested(t, func(int) (*node, error) { return p.subscript(left) })
	case "?":
		return p.condition(left)
	case "~>":
		return p.chain(left)
	case "..", ":=":
		return nil, p.misplaced(t)
	case ".":
		step, err := p.expression(74)
		return &node{kind: nodePath, kids: []*node{left, step}, pos: t.pos}, err
	case "/":
		if hidesDivision(left) {
			return nil, fail(CodeSyntax, "the engine takes the / at byte %d for a regular expression; put what stands before it into parentheses", t.pos)
		}
	}
	power := powers[t.text]
	if t.text == "?:" || t.text == "??" {
		power-- // right-associative
	}
	right, err := p.expression(power)
	return &node{kind: nodeBinary, text: t.text, kids: []*node{left, right}, pos: t.pos}, err
}

// hidesDivision says that the engine's lexer, after reading left, no longer knows
// that it stands behind a value: a defect behind predicates and statements.
func hidesDivision(left *node) bool {
	switch left.kind {
	case nodeSubscript:
		return true
	case nodeBlock:
		return left.text == ";"
	case nodePath, nodeMinus:
		return hidesDivision(left.kids[len(left.kids)-1])
	}
	return false
}

func (p *parser) misplaced(t token) error {
	if t.text == ".." {
		return fail(CodeUnsafe, "a range (byte %d) may only stand in [ ] and between two whole numbers, as in [1..10]", t.pos)
	}
	return fail(CodeUnsafe, "a variable (byte %d) may only be set by a statement of its own, as in ($x := field; $x & \"!\")", t.pos)
}

func (p *parser) condition(condition *node) (*node, error) {
	then, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	n := &node{kind: nodeCondition, kids: []*node{condition, then}, pos: condition.pos}
	if p.accept(":") {
		otherwise, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, otherwise)
	}
	return n, nil
}

// chain reads the right side of ~> and turns it into a call.
func (p *parser) chain(left *node) (*node, error) {
	right, err := p.expression(powers["~>"] - 1) // right-associative
	if err != nil {
		return nil, err
	}
	return pipe(left, right)
}

// pipe makes value the first argument of a function. a ~> $f() ~> $g() arrives as
// a and the call $g($f()), and the engine runs it as $g($f(a)).
func pipe(value, into *node) (*node, error) {
	if into.chained {
		inner, err := pipe(value, into.kids[0])
		into.kids[0] = inner
		return into, err
	}
	if into.kind != nodeCall && into.kind != nodeReference {
		return nil, fail(CodeSyntax, "after ~> (byte %d) must come a function and nothing else, as in field ~> $trim() ~> $lowercase(); put the chain into parentheses to go on", into.pos)
	}
	call := &node{kind: nodeCall, text: into.text, pos: into.pos, chained: true}
	call.kids = append([]*node{value}, into.kids...)
	return call, nil
}

func (p *parser) subscript(left *node) (*node, error) {
	if p.accept("]") {
		return &node{kind: nodeKeepArray, kids: []*node{left}, pos: left.pos}, nil
	}
	predicate, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	return &node{kind: nodeSubscript, kids: []*node{left, predicate}, pos: left.pos}, p.expect("]")
}
