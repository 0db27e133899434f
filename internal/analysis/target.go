package analysis

import (
	"slices"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// candidateFields is how many fields of an entity are considered for a source.
	candidateFields = 8
	// offlineFloor is the score under which the matcher maps nothing.
	offlineFloor = 0.5
	// misfitFloor is the score from which a pair whose types can not be reconciled is
	// reported: the same name has 0.3 then.
	misfitFloor = 0.15
)

// target is the entity that a schema is mapped to, an existing or a new one, with
// what the matcher thinks of it.
type target struct {
	action   Action
	id       int64 // 0 when it is new
	name     string
	score    float64 // of retrieval, absolute; of a new one how surely none exists
	lead     float64 // of the score over every other decision, see inquiry.lead
	matchers bool    // the matcher alone would have decided the same
	namesake bool    // an entity of the tenant has the name that a new one was to get
	fields   []schema.Field
	position map[string]int // name -> index into fields
	families []match.Family
	// candidates are the matcher's, by source field, best first.
	candidates [][]match.Candidate
	// picks is the matcher's own assignment: by source field an index into fields,
	// or -1.
	picks []int
}

// existing is an entity of the tenant as a target.
func (e *entities) existing(position int, score float64, src *source) *target {
	entity := e.list[position]
	t := &target{action: ActionMapToExisting, id: entity.ID, name: entity.Name, score: score, fields: entity.Fields}
	t.locate()
	t.candidates = e.index.Match(src.profiles, position, candidateFields)
	t.pick()
	return t
}

func (t *target) locate() {
	t.position = make(map[string]int, len(t.fields))
	t.families = make([]match.Family, len(t.fields))
	for i, f := range t.fields {
		t.position[f.Name] = i
		t.families[i] = match.FamilyOf(f.Type)
	}
}

// shared are the fields without what was only known to match them: names of other
// sources, and their values.
func (t *target) shared() []schema.Field {
	fields := slices.Clone(t.fields)
	for i := range fields {
		fields[i].Learned, fields[i].Aliases = nil, nil
	}
	return fields
}

// holdsTime says that a field of the target is a date or a point in time.
func (t *target) holdsTime(name string) bool {
	return t.families[t.position[name]] == match.FamilyTime
}

func (t *target) pick() {
	t.picks = make([]int, len(t.candidates))
	for i, choice := range match.Assign(t.candidates, offlineFloor) {
		t.picks[i] = -1
		if choice != match.Unassigned {
			t.picks[i] = t.candidates[i][choice].Target
		}
	}
}

// evidence is what the matcher says for a pair: its score, and how far it is above
// the best other target of the same source.
func (t *target) evidence(sourceField, field int) (score, margin float64) {
	if sourceField >= len(t.candidates) {
		return 0, 0
	}
	other := 0.0
	for _, c := range t.candidates[sourceField] {
		if c.Target == field {
			score = c.Score
		} else {
			other = max(other, c.Score)
		}
	}
	return score, max(0, score-other)
}

// rank is 1 for the matcher's first choice for a source, 1/2 for its second, ..., 0
// for a target that is not among its candidates.
func (t *target) rank(sourceField, field int) float64 {
	if sourceField < len(t.candidates) {
		for i, c := range t.candidates[sourceField] {
			if c.Target == field {
				return 1 / float64(1+i)
			}
		}
	}
	return 0
}

// clear is how clear the decision for the entity is, 0 to 1.
func (t *target) clear() float64 { return max(0, min(1, t.lead/clearLead)) }

// named says that a source field is called as a target, or as a field that was mapped
// to it before: the same words when they are spelled out.
func (t *target) named(src *source, sourceField, field int) bool {
	f := t.fields[field]
	for _, name := range append([]string{f.Name}, f.Aliases...) {
		if src.called(sourceField, name) {
			return true
		}
	}
	return false
}

// agrees says that the matcher alone would have made the same pair.
func (t *target) agrees(sourceField, field int) bool {
	return sourceField < len(t.picks) && t.picks[sourceField] == field
}
