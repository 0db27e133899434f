package match

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/schemacast/schemacast/internal/schema"
)

// nouns and parts make names as real tables have them: some words everywhere, some
// in one table only.
var (
	nouns = []string{"customer", "order", "product", "invoice", "payment", "shipment", "sensor", "patient", "ticket", "account", "campaign", "vehicle", "flight", "contract", "lesson"}
	parts = []string{"id", "name", "type", "status", "code", "amount", "date", "city", "email", "phone", "price", "quantity", "created_at", "updated_at", "description", "country", "note", "rate", "level", "owner"}
	types = []string{"string", "decimal", "date", "boolean", "integer", "datetime"}
)

func syntheticFields(random *rand.Rand, n int) []schema.Field {
	fields := make([]schema.Field, n)
	for i := range fields {
		name := nouns[random.IntN(len(nouns))] + "_" + parts[random.IntN(len(parts))]
		if random.IntN(3) == 0 {
			name = fmt.Sprintf("%s_w%d", name, random.IntN(5000))
		}
		fields[i] = schema.Field{Name: name, Type: types[random.IntN(len(types))]}
	}
	return fields
}

func syntheticEntities(n, fields int) []schema.Entity {
	random := rand.New(rand.NewPCG(1, 2))
	entities := make([]schema.Entity, n)
	for i := range entities {
		entities[i] = schema.Entity{ID: int64(i + 1), Name: fmt.Sprintf("Entity%d", i), Fields: syntheticFields(random, fields)}
	}
	return entities
}

// BenchmarkRetrieve10000 holds the bar of 10 ms among 10,000 entities.
func BenchmarkRetrieve10000(b *testing.B) {
	x := NewIndex(syntheticEntities(10_000, 20))
	for _, width := range []int{10, 60, 5000} {
		b.Run(fmt.Sprintf("fields=%d", width), func(b *testing.B) {
			source := ProfilesOf(syntheticFields(rand.New(rand.NewPCG(3, 4)), width))
			for b.Loop() {
				if len(x.Retrieve(source, 10)) != 10 {
					b.Fatal("less than 10 entities found")
				}
			}
		})
	}
}

func BenchmarkNewIndex10000(b *testing.B) {
	entities := syntheticEntities(10_000, 20)
	b.ReportAllocs()
	for b.Loop() {
		NewIndex(entities)
	}
}

// BenchmarkMatch5000x500 is the matcher's part of the bar of 2 s for a wide schema.
func BenchmarkMatch5000x500(b *testing.B) {
	x := NewIndex(syntheticEntities(1, 500))
	source := ProfilesOf(syntheticFields(rand.New(rand.NewPCG(5, 6)), 5000))
	b.ReportAllocs()
	for b.Loop() {
		Assign(x.Match(source, 0, 8), 0.5)
	}
}

func BenchmarkProfile(b *testing.B) {
	f := schema.Field{Name: "article_title", Type: "string", Sample: json.RawMessage(`"Normalize showing love and affection to children"`), Samples: []json.RawMessage{json.RawMessage(`"When your cat trusts you so much"`), json.RawMessage(`"2022-03-25T13:32:27+00:00"`), json.RawMessage(`"市長被俄軍擄走！烏國市民無懼開火驅離 逼到退兵放人"`), json.RawMessage(`"Hillingdon, Greater London, United Kingdom"`)}}
	b.ReportAllocs()
	for b.Loop() {
		ProfileOf(f)
	}
}
