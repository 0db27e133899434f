package llm

import (
	"slices"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/schema"
)

// customerQuestion has two entities; the source fits the second one, up to a field.
func customerQuestion() analysis.Question {
	return analysis.Question{
		TenantID: "a0000001-5eed-4000-8000-000000000001",
		Source: []analysis.SourceField{
			{Name: "email", Type: "string", Format: "email", Required: true, Semantic: "e-mail", Shape: "aaa@aaa.aa"},
			{
				Name: "Full Name", Type: "string", Description: "first name, then last",
				Shape: "Aaaaa Aaaaaaaaaa", Samples: []string{secretSample},
			},
			{Name: "e_mail.opt-in", Type: "array[string]"},
		},
		Entities: []analysis.QuestionEntity{
			{ID: 7, Name: "Order", Score: 0.125, Fields: []analysis.QuestionField{
				{Name: "order_id", Type: "decimal", Required: true},
				{Name: "placed_at", Type: "datetime", Format: "iso8601"},
			}},
			{ID: 31, Name: "Customer", Score: 0.8234, Fields: []analysis.QuestionField{
				{Name: "email", Type: "email", Required: true, Description: "where invoices go"},
				{Name: "full_name", Type: "string", Required: true},
				{Name: "birth_date", Type: "date"},
			}},
		},
	}
}

// repairQuestion asks customerQuestion again for one bad formula and one target
// without a source.
func repairQuestion() analysis.Question {
	q := customerQuestion()
	q.Repair = &analysis.Repair{
		Proposal: analysis.Proposal{
			Action: analysis.ActionMapToExisting, Entity: 1, SourceName: "crm_contacts", Reasoning: "Both are customers.",
			Mappings: []analysis.Proposed{
				{Sources: []int{0}, Target: "email", Op: schema.OpDirect, Band: analysis.BandHigh},
				{
					Sources: []int{1}, Target: "full_name", Op: schema.OpFormula,
					Args: formula.Args{Formula: "$substring(("}, Band: analysis.BandLow,
				},
			},
			Unmapped: []int{2},
		},
		Failures: []analysis.Failure{
			{Sources: []int{1}, Target: "full_name", Code: "formula_failed", Detail: "syntax error at 12"},
			{Target: "birth_date", Code: "required_missing", Detail: "no source"},
		},
	}
	return q
}

// wideQuestions are the questions about a wide schema: first for its entity, then for
// the second part of its fields, in an entity that exists or in a new one.
func wideQuestions() (entity, fields, newFields analysis.Question) {
	entity = customerQuestion()
	entity.Ask = analysis.AskEntity
	entity.Entities[1].Description = "a person who buys"
	entity.Entities[1].Fields[0].Aliases = []string{"mail", "kontakt\u202e_mail", "e_adr", "one more than is shown"}
	fields = entity
	fields.Ask, fields.Entities = analysis.AskFields, slices.Clone(fields.Entities[1:])
	fields.Entities[0].Fields = append([]analysis.QuestionField{
		{Name: "billing_city", Type: "string"}, {Name: "billing_zip", Type: "string"}, {Name: "shippingCity2", Type: "string"},
	}, fields.Entities[0].Fields...)
	fields.Decision = &analysis.Decision{Part: 2, Parts: 5, Taken: []string{"birth_date"}}
	newFields = customerQuestion()
	newFields.Ask, newFields.Entities = analysis.AskFields, nil
	newFields.Decision = &analysis.Decision{NewEntity: &analysis.NewEntity{Name: "Lead", Description: "A person who may buy", Fields: []schema.Field{
		{Name: "email", Type: "email", Required: true}, {Name: "full_name", Type: "string", Description: "as the lead writes it"},
	}}}
	return entity, fields, newFields
}
