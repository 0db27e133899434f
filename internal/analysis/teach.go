package analysis

import "github.com/schemacast/schemacast/internal/schema"

// Teaches says whether a mapping that is committed may stand for its kind: whether
// the name of its source becomes an alias of its target in this tenant. What the
// matcher guessed from likeness would only confirm itself, and what is doubtful would
// spread. A human who confirms or corrects it overrides that.
func Teaches(m schema.Mapping) bool {
	switch m.Review {
	case ReviewMappingConstant, ReviewMappingDoubtful, ReviewMappingLikeness:
		return false
	}
	return len(m.Sources) == 1 && m.Op != schema.OpSplit && m.Confidence >= doubtfulBelow
}
