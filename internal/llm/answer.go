package llm

import (
	"bytes"
	_ "embed" // for answer.schema.json
	"encoding/json"
	"errors"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/schema"
)

// answerSchema is the form of every answer. It is one text for all questions, since
// servers compile a schema at first sight and keep it, and it stays in the subset
// that all of them take: every key required, no extra keys, nothing nullable, no
// numeric or length keywords, no references. Ids are plain strings; Read checks
// them. The order of keys is the order in which a model writes: decisions first,
// explanations after what they explain.
//
//go:embed answer.schema.json
var answerSchema string

// answer is a decoded answer.
type answer struct {
	Decision   string          `json:"decision"`
	Entity     string          `json:"entity"`
	SourceName string          `json:"source_name"`
	NewEntity  answerEntity    `json:"new_entity"`
	Mappings   []answerMapping `json:"mappings"`
	Unmapped   []string        `json:"unmapped"`
	Reasoning  string          `json:"reasoning"`
}

type answerEntity struct {
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Fields      []answerField `json:"fields"`
}

type answerField struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Required    bool   `json:"required"`
	Description string `json:"description"`
}

// answerMapping has its args as a list, so that the many direct mappings, which
// have none, cost a few tokens less each.
type answerMapping struct {
	Sources []string         `json:"sources"`
	Target  string           `json:"target"`
	Op      string           `json:"op"`
	Args    []answerArgument `json:"args"`
	Band    string           `json:"band"`
	Why     string           `json:"why"`
}

type answerArgument struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func compileAnswerSchema() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(answerSchema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("answer.schema.json", document); err != nil {
		return nil, err
	}
	return compiler.Compile("answer.schema.json")
}

var (
	errUnknownEntity = errors.New("the answer maps to an entity that is not in the question")
	errNoNewEntity   = errors.New("the answer creates an entity without a name or without fields")
	errNoName        = errors.New("the answer creates an entity without a name")
	errNoDecision    = errors.New("the question comes with no decision, though it needs one")
)

// Read interprets a raw answer, as analysis.Model says. The answer to a repair, or to
// a question about fields, gives a proposal with the pinned decision; that to a repair
// has only the mappings and unmapped fields that were asked again.
func (c *Client) Read(q analysis.Question, raw []byte) (analysis.Proposal, error) {
	a, err := c.decode(raw)
	if err != nil {
		return analysis.Proposal{}, badAnswer(err)
	}
	proposal, err := decide(q, a)
	if err != nil {
		return analysis.Proposal{}, badAnswer(err)
	}
	if q.Repair != nil || q.Ask != analysis.AskEntity {
		resolve(q, a, &proposal)
	}
	return proposal, nil
}

// decode finds the object of an answer, checks its form and reads it.
func (c *Client) decode(raw []byte) (answer, error) {
	if len(raw) <= maxSuccessBody {
		// What may be the example of the rules is looked at more closely.
		if a, ok := readStrict(raw); ok && a.Reasoning != c.example.reasoning {
			return a, nil
		}
	}
	return c.search(raw)
}

// search is decode for all that an answer may be wrapped into, and for all that may be
// wrong with one. The example of the rules has the right form, and small models repeat it;
// it answers nothing.
func (c *Client) search(raw []byte) (answer, error) {
	object, err := extract(raw, c.schema)
	if err != nil {
		return answer{}, err
	}
	if sameJSON(object, c.example.object) {
		return answer{}, errEcho
	}
	var a answer
	if err := json.NewDecoder(bytes.NewReader(object)).Decode(&a); err != nil {
		return answer{}, errNotJSON
	}
	return a, nil
}

// example is the answer that stands in the rules.
type example struct {
	object    []byte
	reasoning string
}

func exampleAnswer() example {
	_, text, _ := strings.Cut(rules, "\n{")
	object, _, _ := firstObject([]byte("{" + text))
	a, _ := readStrict(object) // a test reads it
	return example{object, a.Reasoning}
}

// decide reads the decision, or takes over the one that the question came with.
func decide(q analysis.Question, a answer) (analysis.Proposal, error) {
	if decided(q) {
		return decisionOf(q)
	}
	proposal := analysis.Proposal{
		Action:     analysis.Action(a.Decision),
		Entity:     -1,
		SourceName: cut(a.SourceName, maxIdentifier),
		Reasoning:  cut(a.Reasoning, maxReasoning),
	}
	if proposal.Action == analysis.ActionMapToExisting {
		e, ok := parseID(a.Entity, 'e')
		if !ok || e >= len(q.Entities) {
			return analysis.Proposal{}, errUnknownEntity
		}
		proposal.Entity = e
		return proposal, nil
	}
	proposal.NewEntity = newEntity(a.NewEntity)
	if q.Ask == analysis.AskEntity {
		proposal.NewEntity.Fields = nil // not asked for
		if proposal.NewEntity.Name == "" {
			return analysis.Proposal{}, errNoName
		}
		return proposal, nil
	}
	if proposal.NewEntity.Name == "" || len(proposal.NewEntity.Fields) == 0 {
		return analysis.Proposal{}, errNoNewEntity
	}
	return proposal, nil
}

// newEntity cleans a proposed entity. Fields without a name stay until targets are
// resolved by position; see resolve.
func newEntity(a answerEntity) *analysis.NewEntity {
	entity := &analysis.NewEntity{Name: cut(a.Name, maxIdentifier), Description: cut(a.Description, maxReasoning)}
	seen := map[string]bool{}
	for _, field := range a.Fields {
		name := cut(field.Name, maxIdentifier)
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		entity.Fields = append(entity.Fields, schema.Field{
			Name: name, Type: field.Type, Required: field.Required, Description: cut(field.Description, maxReasoning),
		})
	}
	return entity
}
