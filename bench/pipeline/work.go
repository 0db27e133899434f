package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/schemacast/schemacast/internal/schema"
)

// work is what there is to do in a trial.
type work struct {
	tenants  int
	entities int // of each tenant
	fields   int // of a schema; its entity has as many less one
	schemas  int
}

// usual is a schema of ten fields that have a counterpart and one that has none, among twenty
// entities.
var usual = work{tenants: 8, entities: 20, fields: 11}

func (w work) of(schemas int) work { w.schemas = schemas; return w }

// site is a database with that work in it.
type site struct {
	work
	database string
	db       *pgx.Conn
	tenants  []string
	first    int64 // id of the first schema; the others follow
}

func (s *site) last() int64 { return s.first + int64(s.schemas) - 1 }

func (s *site) tenantOf(id int64) string { return s.tenants[int(id-s.first)%len(s.tenants)] }

// newSite makes the database. Its tenants have names of their own, so that nobody hears what
// is sent for another site.
func (g *ground) newSite(ctx context.Context, w work) (*site, error) {
	database, err := g.createDatabase(ctx, g.template)
	if err != nil {
		return nil, err
	}
	s := &site{work: w, database: database}
	if s.db, err = pgx.Connect(ctx, g.dsn(database)); err != nil {
		return nil, err
	}
	for i := range w.tenants {
		s.tenants = append(s.tenants, fmt.Sprintf("bench-%d-%d", g.databases, i))
	}
	return s, s.fill(ctx)
}

func (g *ground) closeSite(ctx context.Context, s *site) error {
	_ = s.db.Close(context.WithoutCancel(ctx))
	return g.dropDatabase(ctx, s.database)
}

func (s *site) fill(ctx context.Context) error {
	for _, tenant := range s.tenants {
		if _, err := s.db.Exec(ctx, "INSERT INTO tenants (id, name, created_at) VALUES ($1, $1, now())", tenant); err != nil {
			return err
		}
	}
	s.first = int64(len(s.tenants)*s.entities) + 1
	columns := strings.Fields("id created_at updated_at hash name tenant_id sample_data detected_fields status type ai_analysis_status")
	now := "2026-01-01 00:00:00"
	entities := pgx.CopyFromSlice(len(s.tenants)*s.entities, func(i int) ([]any, error) {
		name := entityName(i / len(s.tenants))
		fields := fieldsOf(name, s.fields-1)
		return []any{
			int64(i + 1), now, now, fmt.Sprintf("entity-%d", i), name, s.tenants[i%len(s.tenants)], "[]", encode(fields), "confirmed", "struct", "completed",
		}, nil
	})
	schemas := pgx.CopyFromSlice(s.schemas, func(i int) ([]any, error) {
		id := s.first + int64(i)
		fields := append(fieldsOf(entityName(i/len(s.tenants)%s.entities), s.fields-1),
			schema.Field{Name: fmt.Sprintf("legacy_ref_%d", i), Type: "string", Sample: json.RawMessage(fmt.Sprintf(`"R-%d"`, i))})
		return []any{
			id, now, now, fmt.Sprintf("input-%d", i), nil, s.tenantOf(id), encode(sampleOf(fields)), encode(fields), "pending", "input", "pending",
		}, nil
	})
	for _, rows := range []pgx.CopyFromSource{entities, schemas} {
		if _, err := s.db.CopyFrom(ctx, pgx.Identifier{"schemas"}, columns, rows); err != nil {
			return fmt.Errorf("fill the table schemas: %w", err)
		}
	}
	for _, statement := range []string{fmt.Sprintf("SELECT setval('schemas_id_seq', %d)", s.last()+1), "ANALYZE schemas", "CHECKPOINT"} {
		if _, err := s.db.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// stems and parts make names of entities and fields.
var (
	stems = []string{
		"Customer", "Order", "Invoice", "Product", "Supplier", "Payment", "Shipment", "Employee", "Contract", "Ticket",
		"Booking", "Campaign", "Device", "Location", "Subscription", "Vehicle", "Patient", "Course", "Sensor", "Budget",
	}
	parts = []struct{ name, typ, sample string }{
		{"id", "string", `"C-1001"`},
		{"name", "string", `"Erika Mustermann"`},
		{"email", "email", `"erika@example.com"`},
		{"phone", "phone", `"+49 30 901820"`},
		{"created_at", "datetime", `"2024-03-01T10:00:00Z"`},
		{"status", "string", `"active"`},
		{"amount", "float", `199.95`},
		{"city", "string", `"Berlin"`},
		{"country", "string", `"DE"`},
		{"is_active", "boolean", `true`},
	}
)

// entityName is one word, and begins the names of the entity's fields.
func entityName(i int) string {
	if i < len(stems) {
		return stems[i]
	}
	second := stems[i/len(stems)%len(stems)]
	name := stems[i%len(stems)] + strings.ToLower(second)
	if n := i / len(stems) / len(stems); n > 0 {
		name += fmt.Sprint(n)
	}
	return name
}

func fieldsOf(entity string, n int) []schema.Field {
	fields := make([]schema.Field, n)
	for i := range fields {
		part := parts[i%len(parts)]
		name := strings.ToLower(entity) + "_" + part.name
		if group := i / len(parts); group > 0 {
			name += "_" + strings.ToLower(entityName(group))
		}
		fields[i] = schema.Field{Name: name, Type: part.typ, Required: i < 3, Sample: json.RawMessage(part.sample)}
	}
	return fields
}

func sampleOf(fields []schema.Field) map[string]json.RawMessage {
	row := make(map[string]json.RawMessage, len(fields))
	for _, f := range fields {
		row[f.Name] = f.Sample
	}
	return row
}

// encode writes what the ingestion service writes.
func encode(v any) string {
	if fields, ok := v.([]schema.Field); ok {
		list := make([]map[string]any, len(fields))
		for i, f := range fields {
			list[i] = map[string]any{"name": f.Name, "type": f.Type, "required": f.Required, "sample_value": f.Sample}
		}
		v = list
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, numbers and lists always encode
	}
	return string(text)
}
