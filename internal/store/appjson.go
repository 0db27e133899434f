package store

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

// This file holds the JSON shapes that the app reads from its own columns. Keys,
// order and types are the app's; our additions come last.

// agentVersion is the version of the answer's shape, as the app stores it.
const agentVersion = "1.0.0"

type recommendationJSON struct {
	Action            string        `json:"action"`
	EntityID          *int64        `json:"entity_id"`
	EntityName        string        `json:"entity_name"`
	SourceSchemaName  string        `json:"source_schema_name"`
	SimilarityScore   *int          `json:"similarity_score"`
	Reasoning         string        `json:"reasoning"`
	CanonicalSchema   canonicalJSON `json:"canonical_schema"`
	FieldMappings     []mappingJSON `json:"field_mappings"`
	AnalysisTimestamp string        `json:"analysis_timestamp"`
	AgentVersion      string        `json:"agent_version"`

	RunID             string         `json:"run_id"`
	CanonicalEntityID *int64         `json:"canonical_entity_id"`
	Engine            string         `json:"engine"`
	Model             *string        `json:"model"`
	Review            []string       `json:"review"`
	Unmapped          []unmappedJSON `json:"unmapped"`
	NeedsReview       bool           `json:"needs_review"`
	Confidence        float64        `json:"confidence"`
	EntityConfidence  float64        `json:"entity_confidence"`
	VerifiedRows      int            `json:"verified_rows"`
	PromptVersion     *string        `json:"prompt_version"`
	Usage             usageJSON      `json:"usage"`
}

// usageJSON is what the whole run cost, over all its attempts.
type usageJSON struct {
	Calls            int  `json:"calls"`
	CachedCalls      int  `json:"cached_calls"`
	PromptTokens     int  `json:"prompt_tokens"`
	CompletionTokens int  `json:"completion_tokens"`
	TokensEstimated  bool `json:"tokens_estimated"`
}

type canonicalJSON struct {
	Fields []entityFieldJSON `json:"fields"`
}

type entityFieldJSON struct {
	Name        string          `json:"name"`
	Type        string          `json:"type"`
	Format      *string         `json:"format"`
	Required    bool            `json:"required"`
	Metadata    json.RawMessage `json:"metadata"`
	Description string          `json:"description,omitempty"`
}

type mappingJSON struct {
	SourceField    string   `json:"source_field"`
	TargetField    string   `json:"target_field"`
	Transformation string   `json:"transformation"`
	JSONataFormula *string  `json:"jsonata_formula"`
	Confidence     float64  `json:"confidence"`
	Explanation    string   `json:"explanation"`
	SourceFields   []string `json:"source_fields,omitempty"`
	Engine         string   `json:"engine"`
	Review         string   `json:"review,omitempty"`
}

type unmappedJSON struct {
	SourceField string `json:"source_field,omitempty"`
	TargetField string `json:"target_field,omitempty"`
	Code        string `json:"code"`
	Detail      string `json:"detail,omitempty"`
}

// costRow is what a run cost until a moment of the database's clock.
type costRow struct {
	Calls, CachedCalls, PromptTokens, CompletionTokens int
	TokensEstimated                                    bool
	NowMs                                              int64
}

func (t *tx) costOf(cost *costRow, runID string) question {
	return question{dest: cost, sql: "SELECT calls, cached_calls, prompt_tokens, completion_tokens, tokens_estimated, " + t.store.dialect.now +
		" AS now_ms FROM schemacast_runs WHERE id = ?", args: []any{runID}}
}

// encodeRecommendation renders the column ai_recommendations. entityID is 0 when
// the recommendation was stored without being carried out.
func (x *commitment) encodeRecommendation(entityID int64) (string, error) {
	r := x.recommendation
	out := recommendationJSON{
		Action:            string(r.Action),
		EntityID:          unlessZero(r.EntityID),
		EntityName:        r.EntityName,
		SourceSchemaName:  r.SourceName,
		SimilarityScore:   r.Similarity,
		Reasoning:         r.Reasoning,
		CanonicalSchema:   canonicalJSON{Fields: entityFields(r.Fields)},
		FieldMappings:     make([]mappingJSON, len(r.Mappings)),
		AnalysisTimestamp: time.UnixMilli(x.cost.NowMs).UTC().Format("2006-01-02T15:04:05.000000"),
		AgentVersion:      agentVersion,
		RunID:             x.run.ID,
		CanonicalEntityID: unlessZero(entityID),
		Engine:            string(r.Engine),
		Model:             unlessZero(r.Model),
		Review:            append([]string{}, r.Review...),
		Unmapped:          make([]unmappedJSON, len(r.Unmapped)),
		NeedsReview:       r.NeedsReview(),
		Confidence:        r.Confidence,
		EntityConfidence:  r.EntityConfidence,
		VerifiedRows:      r.VerifiedRows,
		PromptVersion:     unlessZero(r.PromptVersion),
		Usage: usageJSON{
			Calls: x.cost.Calls, CachedCalls: x.cost.CachedCalls, PromptTokens: x.cost.PromptTokens,
			CompletionTokens: x.cost.CompletionTokens, TokensEstimated: x.cost.TokensEstimated,
		},
	}
	for i, m := range r.Mappings {
		out.FieldMappings[i] = mappingJSON{
			SourceField: sourcePath(m), TargetField: m.Target, Transformation: string(m.Op), JSONataFormula: unlessZero(m.Formula),
			Confidence: m.Confidence, Explanation: m.Why, SourceFields: listedSources(m), Engine: string(m.Engine), Review: m.Review,
		}
	}
	for i, u := range r.Unmapped {
		out.Unmapped[i] = unmappedJSON{SourceField: u.Source, TargetField: u.Target, Code: u.Code, Detail: u.Detail}
	}
	return encodeJSON(out)
}

func entityFields(fields []schema.Field) []entityFieldJSON {
	list := make([]entityFieldJSON, len(fields))
	for i, f := range fields {
		list[i] = entityFieldJSON{
			Name: f.Name, Type: f.Type, Format: unlessZero(f.Format), Required: f.Required,
			Metadata: json.RawMessage("null"), Description: f.Description,
		}
	}
	return list
}

// encodeEntityFields renders the column detected_fields of an entity.
func encodeEntityFields(fields []schema.Field) (string, error) {
	return encodeJSON(entityFields(fields))
}

// encodeEntitySample renders the column sample_data of an entity: one made-up row,
// by the app's rule.
func encodeEntitySample(fields []schema.Field) (string, error) {
	var row bytes.Buffer
	row.WriteString("[{")
	for i, f := range fields {
		if i > 0 {
			row.WriteByte(',')
		}
		key, err := encodeJSON(f.Name)
		if err != nil {
			return "", err
		}
		value, err := encodeJSON(madeUpValue(f))
		if err != nil {
			return "", err
		}
		row.WriteString(key + ":" + value)
	}
	row.WriteString("}]")
	return row.String(), nil
}

func madeUpValue(f schema.Field) any {
	switch f.Type {
	case "string":
		return "sample_" + f.Name
	case "integer", "int", "float", "double", "decimal":
		return 0
	case "boolean", "bool":
		return false
	case "date":
		return "2025-01-01"
	case "datetime", "timestamp":
		return "2025-01-01T00:00:00Z"
	case "array":
		return []any{}
	case "object":
		return struct{}{}
	default:
		return nil
	}
}

type definitionJSON struct {
	SchemaMapping struct {
		Fields [1]definitionFieldJSON `json:"fields"`
	} `json:"schema_mapping"`
}

type definitionFieldJSON struct {
	SourcePath   string   `json:"sourcePath"`
	FieldName    string   `json:"fieldName"`
	SourceType   string   `json:"sourceType"`
	FieldType    string   `json:"fieldType"`
	SourceFields []string `json:"sourceFields,omitempty"`
}

// sideTypes are the types of fields by name on both sides of a mapping.
type sideTypes struct{ source, target map[string]string }

func fieldTypes(record *schemaRow, entity *entityRow) (sideTypes, error) {
	types := sideTypes{source: map[string]string{}, target: map[string]string{}}
	fields, err := schema.ParseFields(json.RawMessage(record.DetectedFields))
	if err != nil {
		return types, err
	}
	for _, f := range fields {
		types.source[f.Name] = f.Type
	}
	fields, err = schema.ParseFields(json.RawMessage(entity.DetectedFields))
	for _, f := range fields {
		types.target[f.Name] = f.Type
	}
	return types, err
}

func typeOf(types map[string]string, name string) string {
	if typ := types[name]; typ != "" {
		return typ
	}
	return "string"
}

func newMappingRow(m schema.Mapping, entityID int64, types sideTypes) (mappingRow, error) {
	path := sourcePath(m)
	var definition definitionJSON
	definition.SchemaMapping.Fields[0] = definitionFieldJSON{
		SourcePath: path, FieldName: m.Target, SourceFields: listedSources(m),
		SourceType: typeOf(types.source, path), FieldType: typeOf(types.target, m.Target),
	}
	encoded, err := encodeJSON(definition)
	if err != nil {
		return mappingRow{}, err
	}
	row := mappingRow{TargetSchemaID: entityID, FieldPath: clip(path, maxVarchar), MappingDefinition: &encoded, MappingType: "direct"}
	if m.Op != schema.OpDirect && m.Formula != "" {
		expression, language := m.Formula, "JSONata"
		if expression == "0" {
			expression = "(0)" // PHP takes the string "0" for an empty one
		}
		row.MappingType, row.FormulaExpression, row.FormulaLanguage = "formula", &expression, &language
	}
	return row, nil
}

// sourcePath names the sources as the app reads them: one path, or several with
// commas between them.
func sourcePath(m schema.Mapping) string { return strings.Join(m.Sources, ",") }

// listedSources names the sources once more, where the app would take the commas of
// sourcePath for the wrong ones: it splits there unless there is a list.
func listedSources(m schema.Mapping) []string {
	if len(m.Sources) < 2 && !strings.Contains(sourcePath(m), ",") {
		return nil
	}
	return m.Sources
}

// encodeJSON encodes without HTML escapes, and without NUL: PostgreSQL can not turn
// it into text, so the app's queries would fail on it.
func encodeJSON(v any) (string, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "", err
	}
	return withoutNUL(strings.TrimSuffix(buffer.String(), "\n")), nil
}

// withoutNUL removes the escapes of NUL from JSON. An escaped backslash before
// "u0000" is something else, so escapes are read in pairs.
func withoutNUL(encoded string) string {
	if !strings.Contains(encoded, `\u0000`) {
		return encoded
	}
	var out strings.Builder
	for i := 0; i < len(encoded); i++ {
		switch {
		case encoded[i] != '\\':
			out.WriteByte(encoded[i])
		case strings.HasPrefix(encoded[i:], `\u0000`):
			i += len(`u0000`)
		default:
			out.WriteString(encoded[i : i+2])
			i++
		}
	}
	return out.String()
}

func unlessZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// parseAppTime reads what dialect.time selected.
func parseAppTime(text *string) time.Time {
	if text == nil {
		return time.Time{}
	}
	at, err := time.Parse(appTime, *text)
	if err != nil {
		return time.Time{}
	}
	return at
}
