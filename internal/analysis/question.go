package analysis

import (
	"slices"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// sketchFields of a wide schema stand for it when only its entity is asked for.
	sketchFields = 40
	// fullEntities of a question show their fields, as far as fullFields goes; the
	// others are cards of cardFields.
	fullEntities = 3
	fullFields   = 120
	cardFields   = 10
	// entityCardFields of each entity are shown when only the entity is asked for.
	entityCardFields = 16
	// shownSamples of a field are put into a question, where the owner allows it.
	shownSamples = 3
	// shownAliases of a target are put into a question.
	shownAliases = 3
	// maxDescription bounds what a human wrote about a field, in characters.
	maxDescription = 200
)

// question puts the source fields against the best entities. It is the same for the
// same schema and entities, whatever else happens.
func (c *inquiry) question() Question {
	q := Question{TenantID: c.src.schema.TenantID}
	q.Source = make([]SourceField, len(c.src.fields))
	for s := range c.src.fields {
		q.Source[s] = c.sourceField(s)
	}
	for rank, hit := range c.shown() {
		limit := cardFields
		if rank < fullEntities {
			limit = fullFields
		}
		q.Entities = append(q.Entities, c.card(hit, c.src.profiles, limit))
	}
	return q
}

// entityQuestion shows the fields that tell most, and cards of the entities.
func (c *inquiry) entityQuestion() Question {
	q := Question{TenantID: c.src.schema.TenantID, Ask: AskEntity}
	var sketch []match.Profile
	for _, s := range c.entities.index.Telling(c.src.profiles, c.sketchSize()) {
		q.Source = append(q.Source, c.sourceField(s))
		sketch = append(sketch, c.src.profiles[s])
	}
	for _, hit := range c.shown() {
		q.Entities = append(q.Entities, c.card(hit, sketch, entityCardFields))
	}
	return q
}

// sketchSize is all fields where they fit into one question anyway.
func (c *inquiry) sketchSize() int {
	if len(c.src.fields) <= askedFields {
		return askedFields
	}
	return sketchFields
}

// partQuestion asks about the fields of a part: inside the entity that is decided,
// without what certain mappings fill already; or as fields of a new entity, which a
// model shapes best without any other in sight.
func (s *staged) partQuestion(p *part) Question {
	q := Question{TenantID: s.src.schema.TenantID, Ask: AskFields}
	fields := append(slices.Clone(p.context), p.own...)
	for _, position := range fields {
		field := s.sourceField(position)
		if g := s.groups[position]; g != nil {
			field = g.representative(field)
		}
		q.Source = append(q.Source, field)
	}
	if s.isNew() {
		q.Ask = AskBoth
		return q
	}
	if len(s.parts) > 1 {
		q.Decision = &Decision{Part: 1 + slices.Index(s.parts, p), Parts: len(s.parts)}
	}
	q.Entities = []QuestionEntity{s.entityOf(fields)}
	return q
}

// entityOf is the decided entity as the fields of one part need to see it.
func (s *staged) entityOf(fields []int) QuestionEntity {
	dst := s.draft.dst
	_, filled := s.draft.used()
	lists := make([][]match.Candidate, len(fields))
	for i, position := range fields {
		lists[i] = dst.candidates[position]
	}
	card := QuestionEntity{ID: dst.id, Name: dst.name, Score: hundredths(dst.score)}
	for _, position := range pickFields(lists, dst.fields, filled, fullFields) {
		card.Fields = append(card.Fields, questionField(dst.fields[position]))
	}
	return card
}

func (c *inquiry) sourceField(s int) SourceField {
	f, profile := c.src.fields[s], c.src.profiles[s]
	asked := SourceField{
		Name: f.Name, Type: f.Type, Format: f.Format, Required: f.Required,
		Description: plain(f.Description, maxDescription),
		Semantic:    string(profile.Semantic), Shape: profile.Shape,
	}
	if c.cfg.RawSamples(c.src.schema.TenantID) {
		asked.Samples = c.src.rows.values(f.Name, shownSamples)
		if len(asked.Samples) == 0 {
			asked.Samples = sampleValue(f)
		}
	}
	return asked
}

func (c *inquiry) card(hit match.Hit, profiles []match.Profile, limit int) QuestionEntity {
	entity := c.entities.list[hit.Entity]
	card := QuestionEntity{ID: entity.ID, Name: entity.Name, Score: hundredths(hit.Score)}
	var lists [][]match.Candidate
	if len(entity.Fields) > limit {
		lists = c.entities.index.Match(profiles, hit.Entity, candidateFields)
	}
	picked := pickFields(lists, entity.Fields, nil, limit)
	card.Fields = make([]QuestionField, len(picked))
	for i, position := range picked {
		card.Fields[i] = questionField(entity.Fields[position])
	}
	return card
}

func questionField(f schema.Field) QuestionField {
	return QuestionField{
		Name: f.Name, Type: f.Type, Format: f.Format, Required: f.Required,
		Description: plain(f.Description, maxDescription),
		Aliases:     f.Aliases[:min(len(f.Aliases), shownAliases)],
	}
}

// pickFields picks the fields of an entity that are shown: those that a source
// field may fill, then required ones, then the rest, all in the entity's order.
// Those in without are left out.
func pickFields(candidates [][]match.Candidate, fields []schema.Field, without map[int]bool, limit int) []int {
	positions := make([]int, 0, min(limit, len(fields)))
	taken := make([]bool, len(fields))
	take := func(position int) {
		if len(positions) < limit && !taken[position] && !without[position] {
			taken[position] = true
			positions = append(positions, position)
		}
	}
	for rank := range candidateFields {
		for _, list := range candidates {
			if rank < len(list) {
				take(list[rank].Target)
			}
		}
	}
	for i, f := range fields {
		if f.Required {
			take(i)
		}
	}
	for i := range fields {
		take(i)
	}
	slices.Sort(positions)
	return positions
}
