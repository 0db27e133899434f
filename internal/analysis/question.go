package analysis

import (
	"slices"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// askedFields is how many source fields one question holds.
	askedFields = 60
	// fullEntities of a question show their fields, as far as fullFields goes; the
	// others are cards of cardFields.
	fullEntities = 3
	fullFields   = 120
	cardFields   = 10
	// shownSamples of a field are put into a question, where the owner allows it.
	shownSamples = 3
	// maxDescription bounds what a human wrote about a field, in characters.
	maxDescription = 200
)

// question puts the most telling source fields against the best entities. It is
// the same for the same schema and entities, whatever else happens.
func (c *inquiry) question() Question {
	q := Question{TenantID: c.src.schema.TenantID}
	for _, s := range c.entities.index.Telling(c.src.profiles, askedFields) {
		q.Source = append(q.Source, c.sourceField(s))
	}
	for rank, hit := range c.shown() {
		limit := cardFields
		if rank < fullEntities {
			limit = fullFields
		}
		q.Entities = append(q.Entities, c.card(hit, limit))
	}
	return q
}

// shown are the candidates of a question. A tenant with few entities has all of
// them shown: a model sees what they mean where no word is shared.
func (c *inquiry) shown() []match.Hit {
	hits := slices.Clone(c.hits)
	if len(c.entities.list) > topEntities {
		return hits
	}
	for position := range c.entities.list {
		if !slices.ContainsFunc(hits, func(h match.Hit) bool { return h.Entity == position }) {
			hits = append(hits, match.Hit{Entity: position})
		}
	}
	return hits
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

func (c *inquiry) card(hit match.Hit, limit int) QuestionEntity {
	entity := c.entities.list[hit.Entity]
	card := QuestionEntity{ID: entity.ID, Name: entity.Name, Score: hundredths(hit.Score)}
	for _, position := range c.cardFields(hit.Entity, entity.Fields, limit) {
		f := entity.Fields[position]
		card.Fields = append(card.Fields, QuestionField{
			Name: f.Name, Type: f.Type, Format: f.Format, Required: f.Required,
			Description: plain(f.Description, maxDescription),
		})
	}
	return card
}

// cardFields picks the fields of an entity that are shown: those that a source
// field may fill, then required ones, then the rest, all in the entity's order.
func (c *inquiry) cardFields(entity int, fields []schema.Field, limit int) []int {
	positions := make([]int, 0, min(limit, len(fields)))
	if len(fields) <= limit {
		for i := range fields {
			positions = append(positions, i)
		}
		return positions
	}
	taken := make(map[int]bool)
	take := func(position int) {
		if len(positions) < limit && !taken[position] {
			taken[position] = true
			positions = append(positions, position)
		}
	}
	candidates := c.entities.index.Match(c.src.profiles, entity, candidateFields)
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
