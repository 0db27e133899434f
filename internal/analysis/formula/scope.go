package formula

import (
	"maps"
	"slices"
	"strings"
)

// place says what a value is with respect to the record. A field counts as
// declared whether a dot in a source's name stands for nesting or for itself.
type place struct {
	declared bool   // made of declared sources only
	path     string // otherwise the path from the record, "" for the record itself
}

var anywhere = place{declared: true}

// scope checks that an expression reads declared sources only, and sets variables
// before it reads them.
type scope struct {
	sources   []string
	variables map[string]bool
}

func (s *scope) step(from place, name string) (place, error) {
	if from.declared {
		return from, nil
	}
	path := name
	if from.path != "" {
		path = from.path + "." + name
	}
	begins := false
	for _, source := range s.sources {
		if source == path || strings.HasPrefix(path, source+".") {
			return anywhere, nil
		}
		begins = begins || strings.HasPrefix(source, path+".")
	}
	if !begins {
		return place{}, s.unknown(path)
	}
	return place{path: path}, nil
}

func (s *scope) unknown(path string) error {
	if len(s.sources) == 0 {
		return fail(CodeUnknownSource, "reads the field %q, but the mapping has no sources", clip(path))
	}
	names := s.sources
	if len(names) > 3 {
		names = slices.Concat(names[:3], []string{"..."})
	}
	return fail(CodeUnknownSource, "reads the field %q, which is not a source of this mapping (%s)", clip(path), clip(strings.Join(names, ", ")))
}

// values checks that each of nodes reads no more than declared fields.
func (s *scope) values(from place, nodes []*node) error {
	for _, n := range nodes {
		p, err := s.value(from, n)
		if err != nil {
			return err
		}
		if !p.declared {
			if p.path == "" {
				return fail(CodeUnknownSource, "reads the whole record (byte %d); name the source fields", n.pos)
			}
			return s.unknown(p.path)
		}
	}
	return nil
}

// value checks one expression whose context is from, and returns its place.
func (s *scope) value(from place, n *node) (place, error) {
	switch n.kind {
	case nodeName:
		return s.step(from, n.text)
	case nodeContext:
		return from, nil
	case nodeRecord:
		return place{}, nil
	case nodeKeepArray:
		return s.value(from, n.kids[0])
	case nodePath:
		left, err := s.pathStep(from, n.kids[0])
		if err != nil {
			return place{}, err
		}
		return s.pathStep(left, n.kids[1])
	case nodeSubscript:
		left, err := s.value(from, n.kids[0])
		if err != nil {
			return place{}, err
		}
		return left, s.values(left, n.kids[1:])
	case nodeBlock:
		return s.block(from, n)
	case nodeVariable:
		if !s.variables[n.text] {
			return place{}, fail(CodeSyntax, "the variable $%s is not set (byte %d)", clip(n.text), n.pos)
		}
		return anywhere, nil
	case nodeReference:
		return place{}, fail(CodeSyntax, "$%s is not called (byte %d); write $%s(...)", n.text, n.pos, n.text)
	case nodeCall:
		return s.call(from, n)
	}
	return anywhere, s.values(from, n.kids)
}

// pathStep is value for a step of a path, where a text is a name.
func (s *scope) pathStep(from place, n *node) (place, error) {
	if n.kind == nodeString {
		return s.step(from, n.text)
	}
	return s.value(from, n)
}

func (s *scope) block(from place, n *node) (place, error) {
	outer := s.variables
	s.variables = maps.Clone(outer)
	defer func() { s.variables = outer }()
	last := anywhere
	for _, statement := range n.kids {
		if statement.kind != nodeBind {
			var err error
			if last, err = s.value(from, statement); err != nil {
				return place{}, err
			}
			continue
		}
		if err := s.values(from, statement.kids); err != nil {
			return place{}, err
		}
		s.variables[statement.text] = true
		last = anywhere
	}
	return last, nil
}

// call also refuses calls that fall back on the record as their argument.
func (s *scope) call(from place, n *node) (place, error) {
	f := functions[n.text]
	switch {
	case len(n.kids) > f.most:
		return place{}, fail(CodeSyntax, "$%s takes at most %d arguments here", n.text, f.most)
	case len(n.kids) == 0 && !from.declared:
		return place{}, fail(CodeUnknownSource, "$%s() without an argument reads the whole record (byte %d); name the source field", n.text, n.pos)
	}
	if f.growth == growsMap {
		if len(n.kids) != 2 || n.kids[1].kind != nodeReference || !functions[n.kids[1].text].mappable {
			return place{}, fail(CodeUnsafe, "$%s takes a list and the name of a function of one argument here, as in $map(tags, $trim)", n.text)
		}
		return anywhere, s.values(from, n.kids[:1])
	}
	for i, argument := range n.kids {
		if argument.kind == nodeRegex && !(f.regex && i == 1) {
			return place{}, fail(CodeSyntax, "$%s takes no regular expression as argument %d", n.text, i+1)
		}
	}
	return anywhere, s.values(from, n.kids)
}
