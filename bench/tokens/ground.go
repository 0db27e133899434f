package main

import (
	"encoding/json"
	"fmt"

	"github.com/schemacast/schemacast/internal/schema"
)

// things and parts make names of entities and fields as companies have them.
var (
	things = []string{
		"Customer", "Order", "Invoice", "Product", "Supplier", "Payment", "Shipment", "Employee", "Contract", "Ticket",
		"Booking", "Campaign", "Device", "Location", "Subscription",
	}
	parts = []string{
		"id", "name", "email", "phone_number", "created_at", "updated_at", "status", "amount", "currency", "street",
		"city", "postal_code", "country", "description", "is_active", "quantity", "start_date", "end_date",
		"category", "external_reference",
	}
	types = []string{
		"string", "string", "email", "phone", "datetime", "datetime", "string", "decimal", "string", "string",
		"string", "string", "string", "string", "boolean", "integer", "date", "date", "string", "string",
	}
	samples = []string{
		`"C-1001"`, `"Erika Mustermann"`, `"erika@example.com"`, `"+49 30 901820"`,
		`"2024-03-01T10:00:00Z"`, `"2024-03-02T11:30:00Z"`, `"active"`, `199.95`, `"EUR"`, `"Hauptstraße 5"`,
		`"Berlin"`, `"10115"`, `"DE"`, `"a few words about it"`, `true`, `3`, `"2024-01-01"`, `"2024-12-31"`,
		`"standard"`, `"REF-77"`,
	}
)

// strangers are things that no tenant here has an entity of.
var strangers = []string{"Glacier", "Orchestra", "Mushroom", "Asteroid", "Puppet", "Lantern", "Kettle", "Compass"}

// entitiesOf makes entities of 20 fields.
func entitiesOf(n int) []schema.Entity {
	entities := make([]schema.Entity, n)
	for i := range entities {
		name := things[i%len(things)]
		if i >= len(things) {
			name += fmt.Sprintf("%s%d", things[(i/len(things))%len(things)], i/len(things)/len(things))
		}
		entities[i] = schema.Entity{ID: int64(i + 1), TenantID: "t", Name: name, Fields: fieldsOf(20, name, false)}
	}
	return entities
}

// sourceOf makes a schema of which about a half has the names of the entity Customer.
func sourceOf(n int) schema.Schema {
	fields := fieldsOf(n, "Customer", true)
	row := make(map[string]json.RawMessage, n)
	for _, f := range fields {
		row[f.Name] = f.Sample
	}
	rows, err := json.Marshal([]any{row})
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return schema.Schema{ID: 1, TenantID: "t", Name: "crm_export", Fields: fields, RawSamples: rows}
}

func fieldsOf(n int, of string, sampled bool) []schema.Field {
	fields := make([]schema.Field, n)
	for i := range fields {
		part := i % len(parts)
		fields[i] = schema.Field{Name: snake(of) + "_" + parts[part], Type: types[part], Required: i%5 == 0}
		if i >= len(parts) {
			thing, suffix := strangers[i/len(parts)%len(strangers)], []string{"old", "raw", "ref"}[i%3]
			fields[i].Name = fmt.Sprintf("%s_%s_%s", snake(thing), parts[part], suffix)
			if i >= len(parts)*len(strangers) {
				fields[i].Name += fmt.Sprint(i / len(parts) / len(strangers))
			}
		}
		if sampled {
			fields[i].Sample = json.RawMessage(samples[part])
		}
	}
	return fields
}

func snake(name string) string {
	var out []rune
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				out = append(out, '_')
			}
			r += 'a' - 'A'
		}
		out = append(out, r)
	}
	return string(out)
}
