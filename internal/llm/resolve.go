package llm

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/schema"
)

// maxSplitIndex bounds the index of a split.
const maxSplitIndex = 1_000

// resolver turns the ids of one answer into indices and names.
type resolver struct {
	q        analysis.Question
	ids      numbering
	entity   int      // the chosen one, -1 with a new entity
	newNames []string // names of the new entity's fields by n id, empty where unusable
	taken    map[string]bool
}

// resolve fills the proposal with everything in the answer whose ids are part of
// the question, and lists the rest as rejected.
func resolve(q analysis.Question, a answer, proposal *analysis.Proposal) {
	r := resolver{q: q, ids: newNumbering(q), entity: proposal.Entity, taken: takenTargets(q)}
	asked := func(analysis.Proposed) bool { return true }
	if q.Repair != nil {
		asked = newRepair(q).asked
	}
	if proposal.Action == analysis.ActionCreateNew {
		r.entity = -1
		r.newNames = newNames(q, a, proposal)
	}
	for _, m := range a.Mappings {
		mapping, failure := r.mapping(m)
		switch {
		case failure != nil:
			proposal.Rejected = append(proposal.Rejected, *failure)
		case asked(mapping): // what was accepted before is not opened again
			proposal.Mappings = append(proposal.Mappings, mapping)
		}
	}
	seen := map[int]bool{}
	for _, id := range a.Unmapped {
		s, ok := parseID(id, 's')
		if !ok || s >= len(q.Source) {
			proposal.Rejected = append(proposal.Rejected, analysis.Failure{
				Code: analysis.CodeUnknownField, Detail: "unmapped names " + nameOf(id) + ", which is no source field of the question",
			})
			continue
		}
		if !seen[s] && asked(analysis.Proposed{Sources: []int{s}}) {
			seen[s] = true
			proposal.Unmapped = append(proposal.Unmapped, s)
		}
	}
}

// newNames lists the names that n1, n2, ... stand for: the fields as answered, or
// those that were pinned.
func newNames(q analysis.Question, a answer, proposal *analysis.Proposal) []string {
	if !decided(q) {
		names := make([]string, len(a.NewEntity.Fields))
		for i, field := range a.NewEntity.Fields {
			names[i] = cut(field.Name, maxIdentifier)
		}
		return names
	}
	names := make([]string, len(proposal.NewEntity.Fields))
	for i, field := range proposal.NewEntity.Fields {
		names[i] = field.Name
	}
	return names
}

// mapping resolves one mapping, or says why it is rejected.
func (r resolver) mapping(m answerMapping) (analysis.Proposed, *analysis.Failure) {
	target, targetProblem := r.target(m.Target)
	sources, sourceProblem := r.sources(m.Sources)
	rejected := func(code, detail string) *analysis.Failure {
		return &analysis.Failure{Sources: sources, Target: target, Code: code, Detail: detail}
	}
	if targetProblem != "" {
		return analysis.Proposed{}, rejected(analysis.CodeUnknownField, targetProblem)
	}
	if sourceProblem != "" {
		return analysis.Proposed{}, rejected(analysis.CodeUnknownField, sourceProblem)
	}
	if r.taken[target] {
		return analysis.Proposed{}, rejected(analysis.CodeTargetTaken, "another mapping fills this target already")
	}
	args, problem := arguments(m.Args)
	if problem != "" {
		return analysis.Proposed{}, rejected(analysis.CodeFormulaFailed, problem)
	}
	if schema.Op(m.Op) == schema.OpConstant {
		sources = nil // a constant has none; naming some would count them as used
	}
	return analysis.Proposed{
		Sources: sources,
		Target:  target,
		Op:      schema.Op(m.Op),
		Args:    args,
		Band:    analysis.Band(m.Band),
		Why:     cut(m.Why, maxWhy),
	}, nil
}

// target returns the name of the target field, or a sentence why there is none.
func (r resolver) target(id string) (name, problem string) {
	if r.entity < 0 {
		if n, ok := parseID(id, 'n'); ok && n < len(r.newNames) && r.newNames[n] != "" {
			return r.newNames[n], ""
		}
		return "", "target is " + nameOf(id) + ", but must be n1, n2 ... of the new entity"
	}
	t, ok := parseID(id, 't')
	fields := r.q.Entities[r.entity].Fields
	index := t + 1 - r.ids.first[r.entity]
	switch {
	case !ok || t >= r.ids.total:
		return "", "target is " + nameOf(id) + ", which is no field of the question"
	case index < 0 || index >= len(fields):
		return "", fmt.Sprintf("target %s belongs to another entity than e%d", id, r.entity+1)
	}
	return fields[index].Name, ""
}

// sources returns the indices of those that exist, and a sentence about the first
// that does not.
func (r resolver) sources(ids []string) (indices []int, problem string) {
	for _, id := range ids {
		s, ok := parseID(id, 's')
		if ok && s < len(r.q.Source) {
			indices = append(indices, s)
		} else if problem == "" {
			problem = "source is " + nameOf(id) + ", which is no source field of the question"
		}
	}
	return indices, problem
}

// arguments reads the args of an operation. Which of them the operation needs is
// for the renderer to say.
func arguments(list []answerArgument) (args formula.Args, problem string) {
	seen := map[string]bool{}
	for _, argument := range list {
		limit := maxArgument
		if argument.Name == "formula" {
			limit = maxFormula
		}
		switch {
		case seen[argument.Name]:
			return formula.Args{}, "argument " + argument.Name + " is given twice"
		case utf8.RuneCountInString(argument.Value) > limit:
			return formula.Args{}, fmt.Sprintf("argument %s is longer than %d characters", argument.Name, limit)
		case strings.ContainsRune(argument.Value, 0):
			return formula.Args{}, "argument " + argument.Name + " holds a NUL character"
		}
		seen[argument.Name] = true
		if problem = setArgument(&args, argument); problem != "" {
			return formula.Args{}, problem
		}
	}
	return args, ""
}

func setArgument(args *formula.Args, argument answerArgument) (problem string) {
	switch argument.Name {
	case "in_format":
		args.InFormat = argument.Value
	case "out_format":
		args.OutFormat = argument.Value
	case "separator":
		args.Separator = argument.Value
	case "literal":
		args.Literal = argument.Value
	case "formula":
		args.Formula = argument.Value
	case "index":
		n, err := strconv.Atoi(strings.TrimSpace(argument.Value))
		if argument.Value != "" && (err != nil || n < 0 || n > maxSplitIndex) {
			return fmt.Sprintf("index must be a whole number from 0 to %d", maxSplitIndex)
		}
		args.Index = n
	}
	return ""
}
