package match

import (
	stdcmp "cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

func fieldsOf(names ...string) []schema.Field {
	fields := make([]schema.Field, len(names))
	for i, name := range names {
		fields[i] = schema.Field{Name: name, Type: "string"}
	}
	return fields
}

func store() []schema.Entity {
	return []schema.Entity{
		{Name: "Customer", Fields: fieldsOf("customer_id", "first_name", "last_name", "email", "phone", "city")},
		{Name: "Order", Fields: fieldsOf("order_id", "customer_id", "order_date", "total_amount", "currency")},
		{Name: "Sensor", Fields: fieldsOf("sensor_id", "voltage", "humidity", "recorded_at")},
	}
}

func TestRetrieve(t *testing.T) {
	t.Parallel()
	x := NewIndex(store())
	tests := []struct {
		name   string
		source []schema.Field
		first  int
		atLeast,
		atMost float64
	}{
		{"the same fields", store()[1].Fields, 1, 0.99, 1},
		{"abbreviated", fieldsOf("cust_no", "fname", "lname", "mail", "tel"), 0, 0.6, 1},
		{"misspelt", fieldsOf("voltgae", "humidty", "recordedat"), 2, 0.04, 0.95},
		{"something else", fieldsOf("chapter", "isbn", "publisher", "author_name"), -1, 0, 0.35},
		{"generic words alone", fieldsOf("id", "name", "type"), -1, 0, 0.45},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hits := x.Retrieve(ProfilesOf(tt.source), 10)
			score := 0.0
			if len(hits) > 0 {
				score = hits[0].Score
			}
			if tt.first >= 0 && (len(hits) == 0 || hits[0].Entity != tt.first) {
				t.Fatalf("hits are %v, want entity %d first", hits, tt.first)
			}
			if score < tt.atLeast || score > tt.atMost {
				t.Errorf("best score is %.3f, want %.2f to %.2f", score, tt.atLeast, tt.atMost)
			}
		})
	}
}

// TestScoresAreAbsolute: entities that have nothing to do with a schema do not change
// what the others score by much, and never their order.
func TestScoresAreAbsolute(t *testing.T) {
	t.Parallel()
	source := ProfilesOf(fieldsOf("cust_no", "fname", "lname", "mail", "tel"))
	alone := NewIndex(store()).Retrieve(source, 1)[0].Score
	crowd := store()
	for i := range 1000 {
		crowd = append(crowd, schema.Entity{Name: fmt.Sprintf("E%d", i), Fields: fieldsOf(fmt.Sprintf("w%dx", i), "volume", "colour")})
	}
	hit := NewIndex(crowd).Retrieve(source, 1)[0]
	if hit.Entity != 0 || hit.Score < alone-0.1 || hit.Score > alone+0.1 {
		t.Errorf("entity %d with %.3f in a crowd, %.3f alone", hit.Entity, hit.Score, alone)
	}
}

// TestShortlistFindsTheOne: the cheap first stage must not lose the right entity
// among many that share its generic words.
func TestShortlistFindsTheOne(t *testing.T) {
	t.Parallel()
	entities := syntheticEntities(5000, 20)
	random := rand.New(rand.NewPCG(9, 9))
	x := NewIndex(entities)
	for range 20 {
		want := random.IntN(len(entities))
		source := slices.Clone(entities[want].Fields)
		source = append(source[:14], fieldsOf("unrelated_alpha", "unrelated_beta")...)
		if hits := x.Retrieve(ProfilesOf(source), 3); hits[0].Entity != want {
			t.Errorf("hits are %v, want %d first", hits, want)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	x := NewIndex(store())
	tests := []struct{ source, target string }{
		{"email", "email"}, {"customer_email", "email"}, {"e_mail_address", "email"}, {"cust_mail", "email"},
		{"surname", "last_name"}, {"mobile", "phone"}, {"id", "customer_id"}, {"towns", "city"},
	}
	for _, tt := range tests {
		// The other fields keep a single one from being judged by common words.
		source := append(fieldsOf(tt.source), fieldsOf("alpha", "beta", "gamma")...)
		found := x.Match(ProfilesOf(source), 0, 3)
		if len(found[0]) == 0 || store()[0].Fields[found[0][0].Target].Name != tt.target {
			t.Errorf("%s fits %v, want %s first", tt.source, found[0], tt.target)
		}
		if len(found[1]) > 0 && found[1][0].Score >= 0.3 {
			t.Errorf("alpha fits %v, want nothing", found[1])
		}
	}
}

// TestAliases: a name that was mapped to a field before fits it like its own name, and
// leads to its entity.
func TestAliases(t *testing.T) {
	t.Parallel()
	entities := store()
	source := ProfilesOf(append(fieldsOf("kdnr_x7"), fieldsOf("alpha", "beta", "gamma")...))
	score := func() (entity int, field float64) {
		x := NewIndex(entities)
		hits := x.Retrieve(source, 1)
		for _, c := range x.Match(source, 1, 5)[0] {
			if entities[1].Fields[c.Target].Name == "customer_id" {
				return hits[0].Entity, c.Score
			}
		}
		return hits[0].Entity, 0
	}
	if _, before := score(); before >= 0.5 {
		t.Errorf("the unknown name fits customer_id with %.2f before it is learned", before)
	}
	entities[1].Fields = slices.Clone(entities[1].Fields)
	entities[1].Fields[1].Aliases = []string{"KdNr-X7"}
	if entity, after := score(); after < 0.5 || entity != 1 {
		t.Errorf("the learned name fits customer_id with %.2f and leads to entity %d, want at least 0.5 and 1", after, entity)
	}
}

// TestValues: opaque headers are told by what stands under them.
func TestValues(t *testing.T) {
	t.Parallel()
	field := func(name string, samples ...string) schema.Field {
		f := schema.Field{Name: name, Type: "string"}
		for _, s := range samples {
			f.Samples = append(f.Samples, json.RawMessage(strconv.Quote(s)))
		}
		return f
	}
	x := NewIndex([]schema.Entity{{Name: "Contact", Fields: []schema.Field{
		field("full_name", "Ann Miller", "Bo Chen", "Carla Diaz"), field("email", "ann@host.example", "bo@host.example"),
		field("joined_on", "2021-03-04", "2020-11-30"), field("homepage", "https://ann.example", "https://bo.example/me"),
	}}})
	source := ProfilesOf([]schema.Field{
		field("col1", "https://x.example", "https://y.example/z"), field("Attribute_3", "12/05/2022", "30/01/2023"),
		field("F7", "dora@site.example", "emil@site.example"), field("c", "Dora Klein", "Emil Novak", "Fay Wong"),
	})
	want := []int{3, 2, 1, 0}
	for s, list := range x.Match(source, 0, 1) {
		if len(list) == 0 || list[0].Target != want[s] || list[0].Score < 0.5 {
			t.Errorf("%s fits %v, want field %d", source[s].Name, list, want[s])
		}
	}
}

// TestLanguages: names of one meaning meet across languages.
func TestLanguages(t *testing.T) {
	t.Parallel()
	x := NewIndex([]schema.Entity{{Name: "Product", Fields: fieldsOf("price", "title", "author", "city", "weight")}})
	for _, source := range [][]string{{"价格", "标题", "作者", "城市"}, {"prix", "titre", "auteur", "ville"}, {"precio", "título", "автор", "ciudad"}} {
		for s, list := range x.Match(ProfilesOf(fieldsOf(source...)), 0, 1) {
			if len(list) == 0 || list[0].Target != s {
				t.Errorf("%s fits %v, want field %d", source[s], list, s)
			}
		}
	}
}

// TestTypesCount: of two fields of the same name the one of the fitting type is
// better, and a type that can not be reconciled never looks like a match.
func TestTypesCount(t *testing.T) {
	t.Parallel()
	source := []schema.Field{{Name: "opened", Type: "boolean"}}
	score := func(typ string) float64 {
		x := NewIndex([]schema.Entity{{Name: "Account", Fields: []schema.Field{{Name: "opened", Type: typ}}}})
		return x.Match(ProfilesOf(source), 0, 1)[0][0].Score
	}
	if same, text, date := score("boolean"), score("string"), score("date"); same < 0.95 || text >= same || text < 0.5 || date > 0.3 {
		t.Errorf("a boolean fits a boolean %g, a string %g, a date %g", same, text, date)
	}
	phone := NewIndex([]schema.Entity{{Name: "Account", Fields: []schema.Field{{Name: "contact", Type: "phone"}}}})
	if found := phone.Match(ProfilesOf([]schema.Field{{Name: "contact", Type: "email"}}), 0, 1); found[0][0].Score >= 0.9 {
		t.Errorf("an address fits a number with %g", found[0][0].Score)
	}
}

func TestMatchIsBounded(t *testing.T) {
	t.Parallel()
	x := NewIndex([]schema.Entity{{Name: "Wide", Fields: fieldsOf("a_1", "a_2", "a_3", "a_4", "a_5", "a_6")}})
	for _, list := range x.Match(ProfilesOf(fieldsOf("a", "a_5")), 0, 3) {
		if len(list) != 3 || !slices.IsSortedFunc(list, func(a, b Candidate) int { return stdcmp.Compare(b.Score, a.Score) }) {
			t.Errorf("candidates are %v, want the best three in order", list)
		}
	}
	for _, entity := range []int{-1, 1} {
		if found := x.Match(ProfilesOf(fieldsOf("a")), entity, 3); len(found) != 1 || found[0] != nil {
			t.Errorf("entity %d: %v, want nothing", entity, found)
		}
	}
}

func TestScoresAreInRange(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	x := NewIndex(syntheticEntities(50, 30))
	for range 30 {
		source := ProfilesOf(syntheticFields(random, 1+random.IntN(100)))
		for _, hit := range x.Retrieve(source, 50) {
			if !(hit.Score > 0 && hit.Score <= 1) {
				t.Fatalf("entity scores %g", hit.Score)
			}
			for _, list := range x.Match(source, hit.Entity, 8) {
				for _, c := range list {
					if !(c.Score > 0 && c.Score <= 1) {
						t.Fatalf("pair scores %g", c.Score)
					}
				}
			}
		}
	}
}

func TestDeterministic(t *testing.T) {
	t.Parallel()
	source := ProfilesOf(syntheticFields(rand.New(rand.NewPCG(1, 1)), 200))
	first := NewIndex(syntheticEntities(300, 20))
	hits, pairs := first.Retrieve(source, 20), first.Match(source, 5, 8)
	for range 10 {
		again := NewIndex(syntheticEntities(300, 20))
		if diff := cmp.Diff(hits, again.Retrieve(source, 20)); diff != "" {
			t.Fatalf("hits (-first +later):\n%s", diff)
		}
		if diff := cmp.Diff(pairs, again.Match(source, 5, 8)); diff != "" {
			t.Fatalf("pairs (-first +later):\n%s", diff)
		}
	}
}

func TestTelling(t *testing.T) {
	t.Parallel()
	x := NewIndex(store())
	source := fieldsOf("id", "q_1", "q_2", "q_3", "voltage", "name", "q_4", "humidity")
	if diff := cmp.Diff([]int{1, 4, 7}, x.Telling(ProfilesOf(source), 3)); diff != "" {
		t.Errorf("most telling fields (-want +got):\n%s", diff)
	}
	if got := x.Telling(ProfilesOf(source), 99); len(got) != len(source) {
		t.Errorf("%d fields, want all", len(got))
	}
}

func TestEmptyIndex(t *testing.T) {
	t.Parallel()
	x := NewIndex(nil)
	if hits := x.Retrieve(ProfilesOf(fieldsOf("a")), 10); len(hits) != 0 {
		t.Errorf("hits are %v, want none", hits)
	}
	hollow := NewIndex([]schema.Entity{{Name: "Hollow"}})
	if hits := hollow.Retrieve(ProfilesOf(fieldsOf("a")), 10); len(hits) != 0 {
		t.Errorf("hits are %v, want none", hits)
	}
	if hits := NewIndex(store()).Retrieve(nil, 10); len(hits) != 0 {
		t.Errorf("hits of no fields are %v, want none", hits)
	}
}

// TestRareWordsTell holds that what no entity has weighs no more than what one has, and
// that text without spaces is compared by pairs of characters.
func TestRareWordsTell(t *testing.T) {
	t.Parallel()
	known := fingerprint{words: []uint32{1, 2}}
	r := raritiesOf([]fingerprint{known, {words: []uint32{2}}}, wordExponent, func(f *fingerprint) []uint32 { return f.words })
	for range 2 { // as a map, and as a table
		if r.of(3) != r.of(1) || r.of(1) <= r.of(2) {
			t.Errorf("unseen %v, rare %v, frequent %v: want the first two equal and above the third", r.of(3), r.of(1), r.of(2))
		}
		r.tabulate()
	}
	var a, b fingerprint
	a.add([]string{"台北市中山區"})
	b.add([]string{"中山區林口"})
	own := bounded(a.words)
	if _, common := cosine(own, bounded(b.words), r.ofAll(own), 1, 1); common == 0 {
		t.Error("texts that share a word have nothing in common")
	}
}
