package main

import (
	"encoding/json"
	"strings"

	"github.com/tiktoken-go/tokenizer"

	"github.com/schemacast/schemacast/internal/schema"
)

// chained counts the four calls of the replaced system, one after the other: what the
// fields mean, what they are to be called, which entity they belong to, how they map. The
// entities of the tenant stand in the last two with all of their fields, as indented JSON;
// each call gets the answer of the one before. An answer has an object for every field
// with its words of explanation; the words are the shortest that make sense.
func chained(counter tokenizer.Codec, source schema.Schema, entities []schema.Entity) cost {
	var fields, meanings, names, mappings []map[string]any
	for _, f := range source.Fields {
		fields = append(fields, map[string]any{"name": f.Name, "type": f.Type, "sample_value": f.Sample, "required": f.Required})
		meanings = append(meanings, map[string]any{
			"name": f.Name, "semantic_type": f.Type, "confidence": 0.9,
			"description": "The " + strings.ReplaceAll(f.Name, "_", " ") + " of the record",
		})
		names = append(names, map[string]any{"original": f.Name, "normalized": f.Name, "confidence": 0.95})
		mappings = append(mappings, map[string]any{
			"source_field": f.Name, "target_field": f.Name, "mapping_type": "direct", "formula": f.Name, "confidence": 0.9,
			"reasoning": "Names and types of both fields are equal.",
		})
	}
	var known []map[string]any
	for _, e := range entities {
		var of []map[string]any
		for _, f := range e.Fields {
			of = append(of, map[string]any{"name": f.Name, "type": f.Type, "format": nil, "required": f.Required})
		}
		known = append(known, map[string]any{"id": e.ID, "name": e.Name, "fields": of})
	}
	decision := map[string]any{
		"action": "map_to_existing", "entity_id": 1, "confidence": 0.9, "alternatives": []any{},
		"reasoning": "Most of the fields describe a customer, and the entity Customer has fields of the same names and types.",
	}
	instructions := strings.Repeat("You are an expert in data integration. Analyse the schema and answer with JSON alone. ", 10)
	total := cost{calls: 4}
	for _, call := range []struct{ asked, answered []any }{
		{[]any{fields}, []any{meanings}},
		{[]any{meanings}, []any{names}},
		{[]any{names, meanings, known}, []any{decision}},
		{[]any{names, meanings, decision, known}, []any{mappings}},
	} {
		total.prompt += count(counter, instructions)
		for _, part := range call.asked {
			total.prompt += count(counter, indented(part))
		}
		for _, part := range call.answered {
			total.answer += count(counter, indented(part))
		}
	}
	return total
}

func indented(value any) string {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		panic(err) // maps of strings and numbers always encode
	}
	return string(raw)
}
