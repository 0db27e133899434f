package analysis

import "github.com/schemacast/schemacast/internal/schema"

// Action is the decision about a schema.
type Action string

// The two decisions. The words are those that the app stores.
const (
	ActionCreateNew     Action = "create_new"
	ActionMapToExisting Action = "map_to_existing"
)

// Recommendation is the verified result of an analysis: every mapping names
// existing source fields, a field of Fields, and a formula that compiled and ran
// on the sample rows.
type Recommendation struct {
	Action     Action
	EntityID   int64  // the entity mapped to, 0 with ActionCreateNew
	EntityName string // of the entity mapped to, or the new one's
	SourceName string // a readable name for the schema itself, snake_case
	Similarity *int   // 0 to 100, how well the entity fits; nil with ActionCreateNew
	Reasoning  string // one or two sentences for a reviewer
	// Fields are those of the entity: as stored with ActionMapToExisting, as
	// proposed with ActionCreateNew.
	Fields   []schema.Field
	Mappings []schema.Mapping
	Unmapped []Unmapped
	// Review lists why a human should look at the decision itself, as codes; empty
	// when nothing is doubtful. Doubts about one mapping stand on the mapping.
	Review []string
	Engine schema.Engine
	Model  string // name of the LLM, empty with EngineOffline
	// PromptVersion identifies the model's instructions, as far as it tells. Empty with
	// EngineOffline.
	PromptVersion string
	// EntityConfidence is how sure the decision for the entity is, 0 to 1.
	EntityConfidence float64
	// Confidence is the whole result's: the smaller of EntityConfidence and that of the
	// mappings that matter, which are those of required fields where there are any.
	Confidence float64
	// VerifiedRows is the number of sample rows that the formulas ran on.
	VerifiedRows int
}

// Unmapped is a source field that no mapping uses, or a required field of the
// entity that no mapping fills.
type Unmapped struct {
	Source string // empty when it is the target that lacks a source
	Target string // empty when nothing was proposed
	Code   string // one of the Code constants
	Detail string // one short sentence without sample values
}

// The codes of Unmapped and Failure.
const (
	CodeNoTarget        = "no_target"        // nothing in the entity fits, or the engine left it out
	CodeUnknownField    = "unknown_field"    // the proposal names a field that does not exist
	CodeTypeMismatch    = "type_mismatch"    // the value can not become what the target holds
	CodeFormulaFailed   = "formula_failed"   // the formula was refused, or failed on the sample rows
	CodeTargetTaken     = "target_taken"     // a surer mapping fills the target
	CodeRequiredMissing = "required_missing" // a required target that nothing fills
)

// The codes of Recommendation.Review.
const (
	ReviewNearDuplicate    = "near_duplicate"   // the new entity looks like one that exists
	ReviewAmbiguousEntity  = "ambiguous_entity" // another decision was nearly as good
	ReviewEntityAppeared   = "entity_appeared"  // decided again at commit, onto an entity made meanwhile
	ReviewFallbackOffline  = "fallback_offline" // the model failed, the offline engine decided
	ReviewRepairFailed     = "repair_failed"    // the model could not mend what failed verification
	ReviewPartUnanswered   = "part_unanswered"  // the model had no usable answer about a part of the fields
	ReviewBeyondLimit      = "beyond_limit"     // more fields than questions: the matcher mapped the rest
	ReviewRequiredMissing  = "required_missing" // a required field of the entity stays empty
	ReviewTruncatedFields  = "truncated_fields" // fields were left out that can not be mapped
	ReviewNothingMapped    = "nothing_mapped"   // no field has a mapping
	ReviewMappingConstant  = "constant"         // of a mapping: the value comes from no field
	ReviewMappingUnchecked = "not_executed"     // of a mapping: no sample row had a value to run on
	ReviewMappingAmbiguous = "ambiguous_date"   // of a mapping: day and month, or signs of a number, could change places on every sample row
	ReviewMappingInexact   = "inexact"          // of a mapping: a number or a time is not quite what it was
	ReviewMappingSame      = "same_result"      // of a mapping: every sample row gave the same value, though the sources differ
	ReviewMappingDoubtful  = "low_confidence"   // of a mapping: the evidence is thin
	ReviewMappingUnshared  = "unshared"         // of a mapping: the model's word alone, the matcher would have mapped otherwise or not at all
	ReviewMappingLikeness  = "likeness"         // of a mapping: the matcher's alone, from names that are alike and not the same
)

// NeedsReview says whether anything in the recommendation is doubtful.
func (r Recommendation) NeedsReview() bool {
	if len(r.Review) > 0 {
		return true
	}
	for _, m := range r.Mappings {
		if m.Review != "" {
			return true
		}
	}
	return false
}

// Usage is what an analysis cost.
type Usage struct {
	Calls            int // requests that reached the model
	CachedCalls      int // answers that came from the cache or a checkpoint instead
	PromptTokens     int
	CachedTokens     int // of PromptTokens, those that the server still knew
	CompletionTokens int
	ReasoningTokens  int  // of CompletionTokens, those that the model thought with
	Estimated        bool // the server reported no tokens; they were estimated
	// CostMicros are millionths of a US dollar, for PricedCalls of the Calls. What the
	// others cost is not known, see Cost.
	CostMicros  int64
	PricedCalls int
}

// Cost returns what all calls cost together, in millionths of a US dollar, and false
// when that is not known, since no price of the model is.
func (u Usage) Cost() (micros int64, known bool) {
	return u.CostMicros, u.PricedCalls >= u.Calls
}

// Add returns the sum of both.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		Calls:            u.Calls + v.Calls,
		CachedCalls:      u.CachedCalls + v.CachedCalls,
		PromptTokens:     u.PromptTokens + v.PromptTokens,
		CachedTokens:     u.CachedTokens + v.CachedTokens,
		CompletionTokens: u.CompletionTokens + v.CompletionTokens,
		ReasoningTokens:  u.ReasoningTokens + v.ReasoningTokens,
		Estimated:        u.Estimated || v.Estimated,
		CostMicros:       u.CostMicros + v.CostMicros,
		PricedCalls:      u.PricedCalls + v.PricedCalls,
	}
}
