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

// BenchmarkRetrieve20 is what most schemas cost: 11 fields, among 20 entities of 10,
// with values, some descriptions and some names that were learned.
func BenchmarkRetrieve20(b *testing.B) {
	x := NewIndex(ordinaryEntities(20, 10))
	source := ProfilesOf(ordinaryFields(rand.New(rand.NewPCG(3, 4)), 11))
	b.ReportAllocs()
	for b.Loop() {
		if len(x.Retrieve(source, 10)) == 0 {
			b.Fatal("no entity found")
		}
	}
}

// BenchmarkMatch11x10 is the comparison behind it, with the entity that is chosen.
func BenchmarkMatch11x10(b *testing.B) {
	x := NewIndex(ordinaryEntities(20, 10))
	source := ProfilesOf(ordinaryFields(rand.New(rand.NewPCG(3, 4)), 11))
	b.ReportAllocs()
	for b.Loop() {
		x.Match(source, 3, 8)
	}
}

func ordinaryEntities(n, fields int) []schema.Entity {
	random := rand.New(rand.NewPCG(1, 2))
	entities := make([]schema.Entity, n)
	for i := range entities {
		entities[i] = schema.Entity{ID: int64(i + 1), Name: nouns[i%len(nouns)], Fields: ordinaryFields(random, fields)}
		for j := range entities[i].Fields {
			if random.IntN(4) == 0 {
				entities[i].Fields[j].Aliases = []string{syntheticFields(random, 1)[0].Name}
			}
		}
	}
	return entities
}

// ordinaryFields have values, and every fourth a description.
func ordinaryFields(random *rand.Rand, n int) []schema.Field {
	fields := syntheticFields(random, n)
	for i := range fields {
		f := &fields[i]
		f.Sample = valueLike(random, f.Type)
		for range 3 {
			f.Samples = append(f.Samples, valueLike(random, f.Type))
		}
		if random.IntN(4) == 0 {
			f.Description = fmt.Sprintf("The %s of a %s, as the %s department knows it", parts[random.IntN(len(parts))], nouns[random.IntN(len(nouns))], nouns[random.IntN(len(nouns))])
		}
	}
	return fields
}

func valueLike(random *rand.Rand, typ string) json.RawMessage {
	n := random.IntN(1000)
	switch typ {
	case "boolean":
		return json.RawMessage(`"yes"`)
	case "integer":
		return fmt.Appendf(nil, "%d", n)
	case "decimal":
		return fmt.Appendf(nil, "%d.%02d", n, n%100)
	case "date", "datetime":
		return fmt.Appendf(nil, `"2024-%02d-%02d"`, 1+n%12, 1+n%28)
	}
	return fmt.Appendf(nil, "%q", nouns[n%len(nouns)]+" "+parts[n%len(parts)])
}

// BenchmarkNewIndex1 is about an entity that is proposed: its fields are matched before
// it exists.
func BenchmarkNewIndex1(b *testing.B) {
	entities := ordinaryEntities(1, 10)
	b.ReportAllocs()
	for b.Loop() {
		NewIndex(entities)
	}
}

// BenchmarkProfiles11 is what comes before: the profiles of the schema.
func BenchmarkProfiles11(b *testing.B) {
	fields := ordinaryFields(rand.New(rand.NewPCG(3, 4)), 11)
	b.ReportAllocs()
	for b.Loop() {
		ProfilesOf(fields)
	}
}
