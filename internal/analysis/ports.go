package analysis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/schema"
)

// Catalog gives the canonical entities that a schema may be mapped to.
type Catalog interface {
	// EntityVersion is another one whenever the entities of a tenant are, or what was learned about
	// them. An empty one says nothing.
	EntityVersion(ctx context.Context, tenantID string) (string, error)
	// Entities returns the confirmed entities of the tenant, ordered by id, and of
	// no other tenant. They are at least as new as a version that was read before.
	Entities(ctx context.Context, tenantID string) ([]schema.Entity, error)
}

// Model is a language model that answers a Question. Ask and Read are apart so
// that the raw answer, which was paid for, can be stored before it is interpreted.
type Model interface {
	// Name identifies the model in results.
	Name() string
	// Ask puts the question and returns the answer without interpreting it. Errors
	// are *ModelError, or the context's.
	Ask(ctx context.Context, q Question) (Answer, error)
	// Read interprets the raw answer to q. It is pure: the same arguments always
	// give the same proposal. An answer that can not be used as a whole is a
	// *ModelError of kind ModelBadAnswer; single items that name ids outside q are
	// left out of the proposal and listed in its Rejected.
	Read(q Question, raw []byte) (Proposal, error)
}

// Versioned is a Model that can tell which instructions its answers follow, so that
// results can be compared over time.
type Versioned interface {
	// PromptVersion changes whenever the instructions do.
	PromptVersion() string
}

func promptVersion(m Model) string {
	if v, ok := m.(Versioned); ok {
		return v.PromptVersion()
	}
	return ""
}

// Question is all that a model learns about one schema. The model sees short ids
// instead of database ids: s1, s2, ... for Source, e1, e2, ... for Entities, and
// t1, t2, ... counted through the fields of all entities. It is encoded to JSON
// for the checkpoint of a run, since an answer only means something together with
// its question.
type Question struct {
	TenantID string `json:"tenant_id"`
	// Ask says what the answer is to tell. Defaults to AskBoth.
	Ask      QuestionKind     `json:"ask,omitempty"`
	Source   []SourceField    `json:"source"`
	Entities []QuestionEntity `json:"entities"`
	// Repair is set in the second question of an analysis: only these items are
	// asked again.
	Repair *Repair `json:"repair,omitempty"`
	// Decision is what AskFields takes as decided, nil for nothing but that
	// Entities[0] is the entity. Other questions have none.
	Decision *Decision `json:"decision,omitempty"`
}

// QuestionKind says what the answer to a question is to tell.
type QuestionKind string

// The kinds of questions. All are answered in one form; a Proposal holds what its
// kind asks, and Read leaves out the rest, whatever a model wrote.
const (
	// AskBoth asks for the entity and the mapping of every source field.
	AskBoth QuestionKind = ""
	// AskEntity asks for the entity alone: the proposal has Action, Entity or
	// NewEntity without fields, SourceName and Reasoning, and neither Mappings nor
	// Unmapped. Source may be a sketch of a wide schema.
	AskEntity QuestionKind = "entity"
	// AskFields asks for the mappings of the source fields alone: to Entities[0], the
	// only one, or to Decision.NewEntity. The proposal has the given decision, Mappings
	// and Unmapped.
	AskFields QuestionKind = "fields"
)

// Decision pins the entity of a question about fields.
type Decision struct {
	// NewEntity is the entity to create. Nil maps to Question.Entities[0].
	NewEntity *NewEntity `json:"new_entity,omitempty"`
	// Part and Parts number the questions of a schema that is too wide for one, from
	// 1. Both are 0 when there is only one question.
	Part  int `json:"part,omitempty"`
	Parts int `json:"parts,omitempty"`
	// Taken are targets that other mappings fill already; the answer may not use them.
	Taken []string `json:"taken,omitempty"`
}

// SourceField is one field of the schema in a question.
type SourceField struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Format      string   `json:"format,omitempty"`
	Required    bool     `json:"required,omitempty"`
	Description string   `json:"description,omitempty"`
	Semantic    string   `json:"semantic,omitempty"` // e-mail, phone, date, money, id, ...
	Shape       string   `json:"shape,omitempty"`    // pattern of the value: aaa@aaa.aa, 9999-99-99
	Samples     []string `json:"samples,omitempty"`  // raw values, only where the owner opted in
}

// QuestionEntity is one candidate entity in a question.
type QuestionEntity struct {
	ID     int64           `json:"id"`
	Name   string          `json:"name"`
	Score  float64         `json:"score"` // of retrieval, absolute, 0 to 1
	Fields []QuestionField `json:"fields"`
	// Description says what an entity is, as far as it is known.
	Description string `json:"description,omitempty"`
}

// QuestionField is one field of a candidate entity.
type QuestionField struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Format      string `json:"format,omitempty"`
	Required    bool   `json:"required,omitempty"`
	Description string `json:"description,omitempty"`
	// Aliases are other names of the field, best first. The model is shown a few.
	Aliases []string `json:"aliases,omitempty"`
}

// Repair is what a second question asks to mend.
type Repair struct {
	Proposal Proposal  `json:"proposal"` // the first answer, decision pinned
	Failures []Failure `json:"failures"`
}

// Failure is one item of a proposal that did not pass verification.
type Failure struct {
	Sources []int  `json:"sources"` // indices into Question.Source
	Target  string `json:"target"`
	Code    string `json:"code"`   // as in Unmapped.Code
	Detail  string `json:"detail"` // for the model: codes and types, never sample values
}

// Answer is what a model said, uninterpreted.
type Answer struct {
	Raw   []byte
	Usage Usage
}

// Proposal is an interpreted answer that is not verified yet.
type Proposal struct {
	Action     Action     `json:"action"`
	Entity     int        `json:"entity"` // index into Question.Entities, -1 with ActionCreateNew
	NewEntity  *NewEntity `json:"new_entity,omitempty"`
	SourceName string     `json:"source_name"`
	Reasoning  string     `json:"reasoning"`
	Mappings   []Proposed `json:"mappings"`
	Unmapped   []int      `json:"unmapped"` // indices into Question.Source
	Rejected   []Failure  `json:"rejected,omitempty"`
}

// NewEntity is an entity that a model proposes to create.
type NewEntity struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Fields      []schema.Field `json:"fields"`
}

// Proposed is one proposed mapping.
type Proposed struct {
	Sources []int        `json:"sources"` // indices into Question.Source, none for a constant
	Target  string       `json:"target"`  // a field of the chosen or new entity
	Op      schema.Op    `json:"op"`
	Args    formula.Args `json:"args"`
	Band    Band         `json:"band"`
	Why     string       `json:"why"`
}

// Band is a model's own word on how sure it is. It is one feature of a mapping's
// confidence among others.
type Band string

// The bands.
const (
	BandHigh   Band = "high"
	BandMedium Band = "medium"
	BandLow    Band = "low"
)

// ModelErrorKind says what went wrong with a model, by what to do about it.
type ModelErrorKind string

// The kinds of model errors.
const (
	ModelUnavailable ModelErrorKind = "unavailable"  // network, 5xx, timeout: later
	ModelRateLimited ModelErrorKind = "rate_limited" // 429: after RetryAfter
	ModelQuota       ModelErrorKind = "quota"        // out of money: much later
	ModelBudget      ModelErrorKind = "budget"       // the day's budget is spent: after RetryAfter, or when it is raised
	ModelBadAnswer   ModelErrorKind = "bad_answer"   // not the asked JSON, or cut off
	ModelRefused     ModelErrorKind = "refused"      // refusal or content filter
	ModelTooLarge    ModelErrorKind = "too_large"    // the question does not fit the model
	ModelConfig      ModelErrorKind = "config"       // wrong key, model or address: an operator must act
)

// ModelError is a failure of a model. Its text is fit for logs and events: it has
// no prompt, no answer and no key.
type ModelError struct {
	Kind       ModelErrorKind
	Status     int           // HTTP status, 0 when there was none
	Code       string        // the server's own code, may be empty
	RetryAfter time.Duration // what the server asked for, 0 when nothing
	Detail     string        // one short sentence
	Err        error         // the cause, may be nil; not part of the text
}

func (e *ModelError) Error() string {
	text := "language model " + string(e.Kind)
	if e.Status != 0 {
		text += fmt.Sprintf(" (HTTP %d", e.Status)
		if e.Code != "" {
			text += ", " + e.Code
		}
		text += ")"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

func (e *ModelError) Unwrap() error { return e.Err }

// ModelErrorOf returns the ModelError in the chain of err, nil when there is none.
func ModelErrorOf(err error) *ModelError {
	var e *ModelError
	if errors.As(err, &e) {
		return e
	}
	return nil
}
