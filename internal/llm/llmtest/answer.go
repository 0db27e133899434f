package llmtest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Answer is an answer in the form that our prompts ask for.
type Answer struct {
	Decision   string    `json:"decision"`
	Entity     string    `json:"entity"`
	SourceName string    `json:"source_name"`
	NewEntity  NewEntity `json:"new_entity"`
	Mappings   []Mapping `json:"mappings"`
	Unmapped   []string  `json:"unmapped"`
	Reasoning  string    `json:"reasoning"`
}

// NewEntity is a proposed entity.
type NewEntity struct {
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Fields      []Field `json:"fields"`
}

// Field is a field of a proposed entity.
type Field struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Required    bool   `json:"required"`
	Description string `json:"description"`
}

// Mapping is a proposed mapping.
type Mapping struct {
	Sources []string   `json:"sources"`
	Target  string     `json:"target"`
	Op      string     `json:"op"`
	Args    []Argument `json:"args"`
	Band    string     `json:"band"`
	Why     string     `json:"why"`
}

// Argument is an argument of a mapping's operation.
type Argument struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// line is one line of data in a prompt: the id, the name, and what follows.
type line struct {
	id, name, rest string
}

var dataLine = regexp.MustCompile(`(?m)^([estn][1-9][0-9]*) \| ("(?:[^"\\]|\\.)*")(.*)$`)

// entity is an entity of a prompt with its fields.
type entity struct {
	id     string
	fields []line
}

// parsePrompt reads the entities and source fields of a prompt. Where a new entity is
// decided its fields, the n ids, make up an entity without an id.
func parsePrompt(prompt string) (entities []entity, source []line) {
	for _, match := range dataLine.FindAllStringSubmatch(prompt, -1) {
		l := line{id: match[1], rest: match[3]}
		if json.Unmarshal([]byte(match[2]), &l.name) != nil {
			continue
		}
		switch l.id[0] {
		case 'e':
			entities = append(entities, entity{id: l.id})
		case 's':
			source = append(source, l)
		default:
			if len(entities) == 0 {
				entities = append(entities, entity{})
			}
			last := &entities[len(entities)-1]
			last.fields = append(last.fields, l)
		}
	}
	return entities, source
}

// GoodAnswer is the text of a good answer to a question, the user's part of a prompt, for
// servers of a caller's own. It is deterministic.
func GoodAnswer(question string) string { return encode(goodAnswer(question)) }

// goodAnswer computes an answer from a prompt. It is deterministic.
func goodAnswer(prompt string) Answer {
	entities, source := parsePrompt(prompt)
	a := Answer{
		SourceName: "scripted_source",
		NewEntity:  NewEntity{Fields: []Field{}},
		Mappings:   []Mapping{},
		Unmapped:   []string{},
		Reasoning:  "Scripted answer by equal names.",
	}
	best, covered := bestEntity(entities, source)
	kind := kindOf(prompt)
	if best >= 0 && (kind == AsksRepair || kind == AsksFields || covered*2 >= len(source)) {
		a.Decision, a.Entity = "map_to_existing", entities[best].id
		if a.Entity == "" {
			a.Decision = "create_new"
		}
		if kind != AsksEntity {
			mapEqual(&a, entities[best], source)
		}
		return a
	}
	a.Decision = "create_new"
	createEntity(&a, source)
	if kind == AsksEntity {
		a.NewEntity.Fields, a.Mappings, a.Unmapped = []Field{}, []Mapping{}, []string{}
	}
	return a
}

// Kind is what a prompt asks for.
type Kind string

// The kinds of prompts.
const (
	AsksBoth   Kind = "both"   // the entity and the mappings
	AsksEntity Kind = "entity" // the entity alone
	AsksFields Kind = "fields" // the mappings to an entity that is decided
	AsksRepair Kind = "repair" // better mappings for failures
)

func kindOf(prompt string) Kind {
	switch {
	case strings.Contains(prompt, "\nBEGIN FAILURES "):
		return AsksRepair
	case strings.Contains(prompt, "\nIt is decided: "):
		return AsksFields
	case strings.Contains(prompt, ", and nothing else: mappings and unmapped are empty lists"):
		return AsksEntity
	}
	return AsksBoth
}

// bestEntity returns the index of the entity with most equal names, -1 without
// entities, and how many names those are.
func bestEntity(entities []entity, source []line) (best, covered int) {
	best = -1
	for i, candidate := range entities {
		names := map[string]bool{}
		for _, field := range candidate.fields {
			names[key(field.name)] = true
		}
		count := 0
		for _, s := range source {
			if names[key(s.name)] {
				count++
			}
		}
		if best < 0 || count > covered {
			best, covered = i, count
		}
	}
	return best, covered
}

func mapEqual(a *Answer, e entity, source []line) {
	free := map[string]string{}
	for _, field := range e.fields {
		if !strings.Contains(field.rest, " | taken") {
			free[key(field.name)] = field.id
		}
	}
	for _, s := range source {
		if target, ok := free[key(s.name)]; ok {
			delete(free, key(s.name))
			a.Mappings = append(a.Mappings, direct(s.id, target))
			continue
		}
		a.Unmapped = append(a.Unmapped, s.id)
	}
}

func createEntity(a *Answer, source []line) {
	a.NewEntity.Name, a.NewEntity.Description = entityName(source), "Made by the scripted model."
	seen := map[string]bool{}
	for _, s := range source {
		name := snake(s.name)
		if name == "" || seen[name] {
			a.Unmapped = append(a.Unmapped, s.id)
			continue
		}
		seen[name] = true
		a.NewEntity.Fields = append(a.NewEntity.Fields, Field{Name: name, Type: canonicalType(s.rest)})
		a.Mappings = append(a.Mappings, direct(s.id, fmt.Sprintf("n%d", len(a.NewEntity.Fields))))
	}
	if len(a.NewEntity.Fields) == 0 { // names without a letter or digit
		a.NewEntity.Fields = append(a.NewEntity.Fields, Field{Name: "value", Type: "string"})
	}
}

// entityName makes a name of the first field called something_id, else of the
// first field.
func entityName(source []line) string {
	name := "scripted_record"
	for i, s := range source {
		stem, isID := strings.CutSuffix(snake(s.name), "_id")
		if stem != "" && (isID || i == 0) {
			name = stem
		}
		if isID && stem != "" {
			break
		}
	}
	var out strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		if part != "" {
			out.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return out.String()
}

var firstWord = regexp.MustCompile(`^ \| ([a-z\[\]:]+)`)

// canonicalType takes the type of a source line over where an answer may hold it.
func canonicalType(rest string) string {
	match := firstWord.FindStringSubmatch(rest)
	if match == nil {
		return "string"
	}
	switch typ := match[1]; typ {
	case "integer", "decimal", "boolean", "date", "datetime", "timestamp", "email", "url", "uuid", "phone", "json", "object":
		return typ
	case "float", "number":
		return "decimal"
	default:
		if strings.HasPrefix(typ, "array[") {
			return "array[string]"
		}
		return "string"
	}
}

func direct(source, target string) Mapping {
	return Mapping{Sources: []string{source}, Target: target, Op: "direct", Args: []Argument{}, Band: "high", Why: "equal names"}
}

// key is what two names must have in common to be equal.
func key(name string) string { return strings.ReplaceAll(snake(name), "_", "") }

// snake makes customer_id of "Customer ID", customerId and customer.id; other than
// ASCII letters and digits are dropped.
func snake(name string) string {
	var out strings.Builder
	lower := false
	for _, r := range name {
		word := r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
		if out.Len() > 0 && (!word || unicode.IsUpper(r) && lower) && !strings.HasSuffix(out.String(), "_") {
			out.WriteByte('_')
		}
		if word {
			out.WriteRune(unicode.ToLower(r))
		}
		lower = word && !unicode.IsUpper(r)
	}
	return strings.Trim(out.String(), "_")
}

func encode(a Answer) string {
	raw, err := json.Marshal(a)
	if err != nil {
		panic(fmt.Sprintf("llmtest: encode an answer: %v", err)) // strings, bools and lists always encode
	}
	return string(raw)
}
