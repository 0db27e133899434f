package llm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/schemacast/schemacast/internal/analysis"
)

// repairTask ends a repair prompt.
const repairTask = `Only what stands under FAILURES was wrong; all else is accepted and not asked again.
Answer in the same form: repeat the decision, leave the name and description of new_entity empty and its fields an empty list, ` +
	`give better mappings for the failures only, and list under unmapped the source fields of failures that have no right target. ` +
	`Do not use targets marked taken.
`

// repairPrompt asks again for what failed, and for nothing else: the entity that
// was decided, the source fields concerned, and each failure with what was answered.
// All ids are those of the first question.
func repairPrompt(q analysis.Question) string {
	r := newRepair(q)
	var entity, source, failures bytes.Buffer
	decision := decidedLines(&entity, q, q.Repair.Proposal, r.taken)
	for s := range q.Source {
		if r.concerned[s] {
			sourceLine(&source, s, q.Source[s])
		}
	}
	for i, failure := range q.Repair.Failures {
		r.failureLine(&failures, i, failure)
	}
	var out bytes.Buffer
	block(&out, "ENTITIES", entity.Bytes())
	block(&out, "SOURCE", source.Bytes())
	block(&out, "FAILURES", failures.Bytes())
	fmt.Fprintf(&out, "An earlier answer decided %s, which stays. ", decision)
	out.WriteString(repairTask)
	return out.String()
}

// repair is what a repair prompt and the reading of its answer have in common.
type repair struct {
	q         analysis.Question
	ids       numbering
	taken     map[string]bool // targets of mappings that stand
	targets   map[string]bool // targets of failures
	concerned map[int]bool    // source fields that may be used
}

func newRepair(q analysis.Question) repair {
	r := repair{q: q, ids: newNumbering(q), taken: takenTargets(q), targets: map[string]bool{}, concerned: map[int]bool{}}
	targetAlone := false
	for _, failure := range q.Repair.Failures {
		r.targets[failure.Target] = failure.Target != ""
		targetAlone = targetAlone || failure.Target != "" && len(failure.Sources) == 0
		for _, s := range failure.Sources {
			r.concerned[s] = true
		}
	}
	if targetAlone { // a target without a source can only be filled from what is left
		for _, s := range q.Repair.Proposal.Unmapped {
			r.concerned[s] = true
		}
	}
	for _, mapping := range q.Repair.Proposal.Mappings {
		if !r.failed(mapping) {
			r.taken[mapping.Target] = true
		}
	}
	return r
}

// failed says whether the mapping is one of the failures: the same target and the
// same sources. Of two mappings with one target only the loser is.
func (r repair) failed(m analysis.Proposed) bool {
	return slices.ContainsFunc(r.q.Repair.Failures, func(f analysis.Failure) bool {
		return f.Target == m.Target && slices.Equal(f.Sources, m.Sources)
	})
}

// asked says whether a mapping of the second answer is about one of the failures.
func (r repair) asked(m analysis.Proposed) bool {
	if r.targets[m.Target] {
		return true
	}
	return slices.ContainsFunc(r.q.Repair.Failures, func(f analysis.Failure) bool {
		return slices.ContainsFunc(f.Sources, func(s int) bool { return slices.Contains(m.Sources, s) })
	})
}

// failureLine writes one failure with the mapping that it is about. Also the words
// of an earlier answer are data: a field name may have talked the model into them.
func (r repair) failureLine(out *bytes.Buffer, i int, failure analysis.Failure) {
	fmt.Fprintf(out, "f%d | sources=%s | target=%s | code=%s", i+1,
		joinIDs(failure.Sources), r.targetID(failure.Target), word(failure.Code))
	attribute(out, "detail", failure.Detail, maxDescription)
	for _, mapping := range r.q.Repair.Proposal.Mappings {
		if mapping.Target != failure.Target || !slices.Equal(mapping.Sources, failure.Sources) {
			continue
		}
		args, err := json.Marshal(mapping.Args)
		if err == nil {
			fmt.Fprintf(out, " | was=%s", word(string(mapping.Op)))
			attribute(out, "args", string(args), maxDescription*2)
		}
		break
	}
	out.WriteByte('\n')
}

func (r repair) targetID(name string) string {
	proposal := r.q.Repair.Proposal
	if proposal.Action == analysis.ActionMapToExisting {
		if e := proposal.Entity; e >= 0 && e < len(r.q.Entities) {
			for f, field := range r.q.Entities[e].Fields {
				if field.Name == name {
					return fmt.Sprintf("t%d", r.ids.first[e]+f)
				}
			}
		}
		return "none"
	}
	if proposal.NewEntity != nil {
		for i, field := range proposal.NewEntity.Fields {
			if field.Name == name {
				return fmt.Sprintf("n%d", i+1)
			}
		}
	}
	return "none"
}

func joinIDs(sources []int) string {
	if len(sources) == 0 {
		return "none"
	}
	ids := make([]string, len(sources))
	for i, s := range sources {
		ids[i] = fmt.Sprintf("s%d", s+1)
	}
	return strings.Join(ids, ",")
}
