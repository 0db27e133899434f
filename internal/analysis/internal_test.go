package analysis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

func named(names ...string) []schema.Field {
	fields := make([]schema.Field, len(names))
	for i, name := range names {
		fields[i] = schema.Field{Name: name, Type: "string"}
	}
	return fields
}

func TestEntityName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		schema string
		fields []schema.Field
		want   string
	}{
		{"crm_contacts_export_2024.csv", nil, "CrmContact"},
		{"data/orders.csv.gz", nil, "Order"},
		{`C:\exports\Invoices.XML`, nil, "Invoice"},
		{"unknown_schema", named("customer_id", "customer_name", "since"), "Customer"},
		{"", named("customer_id", "customer_name", "since", "city"), "Customer"},
		{"", named("order_id", "total", "placed"), "Order"},
		{"", named("temperature", "humidity", "value"), "TemperatureHumidity"},
		{"", named("data", "value", "id"), "Shape0C0D691B"},
		{"entity", named("data_1", "data_2", "data_3"), "Shape0C0D691B"},
		{"訂單", nil, "訂單"},
		{strings.Repeat("x", 500), nil, "X" + strings.Repeat("x", 62)},
	}
	for _, tt := range tests {
		s := schema.Schema{Name: tt.schema, Hash: "0c0d691b37128b1c"}
		if got := entityName(s, tt.fields); got != tt.want {
			t.Errorf("schema %q with %d fields is named %q, want %q", tt.schema, len(tt.fields), got, tt.want)
		}
	}
}

func TestSourceName(t *testing.T) {
	t.Parallel()
	tests := []struct{ proposed, name, entity, want string }{
		{"CRM Contacts", "old", "Customer", "crm_contacts"},
		{"", "crmContacts-2024.csv", "Customer", "crm_contacts_2024_csv"},
		{"", "unknown_schema", "KeyAccount", "key_account_source_0c0d691b"},
		{"\x00\u202e", "", "顧客", "顧客_source_0c0d691b"},
		{"customer_source_0c0d691b", "", "Customer", "customer_source_0c0d691b"},
		{strings.Repeat("ab_", 200), "", "Customer", strings.Repeat("ab_", 84) + "ab"},
	}
	for _, tt := range tests {
		s := schema.Schema{Name: tt.name, Hash: "0c0d691b37128b1c"}
		if got := sourceName(s, tt.proposed, tt.entity); got != tt.want {
			t.Errorf("sourceName(%q, %q) is %q, want %q", tt.name, tt.proposed, got, tt.want)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"  two\twords\n", "two words"},
		{"a\x00b\u202ec\u200bd\xff", "abcd"},
		{strings.Repeat("é", 12), strings.Repeat("é", 10)},
		{"", ""},
	}
	for _, tt := range tests {
		if got := plain(tt.text, 10); got != tt.want {
			t.Errorf("plain(%q) is %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestProject(t *testing.T) {
	t.Parallel()
	row := `{"a":1,"b":{"c":2,"d":{"e":3},"x":9},"b.c":4,"list":[{"k":5}],"n":null,"o.p":{"q":6}}`
	tests := []struct {
		names []string
		want  string
	}{
		{[]string{"a"}, `{"a":1}`},
		{[]string{"b.d.e"}, `{"b":{"d":{"e":3}}}`},
		{[]string{"b.c"}, `{"b":{"c":2},"b.c":4}`},
		{[]string{"b", "b.d.e"}, `{"b":{"c":2,"d":{"e":3},"x":9}}`},
		{[]string{"b.d.e", "b"}, `{"b":{"c":2,"d":{"e":3},"x":9}}`},
		{[]string{"list.k"}, `{"list":[{"k":5}]}`},
		{[]string{"o.p.q"}, `{"o.p":{"q":6}}`},
		{[]string{"n", "missing", "missing.too", "."}, `{"n":null}`},
		{nil, `{}`},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.names, ","), func(t *testing.T) {
			t.Parallel()
			r := newRows([]json.RawMessage{json.RawMessage(row), json.RawMessage(`[1]`), json.RawMessage(`{"broken`)})
			got := r.project(tt.names)
			if raw, err := json.Marshal(got); err != nil || string(raw) != "["+tt.want+"]" {
				t.Errorf("projected %s, want %s, %v", raw, tt.want, err)
			}
		})
	}
}

// TestWithoutValues: what quotes a value is replaced, the words of the schema are none.
func TestWithoutValues(t *testing.T) {
	t.Parallel()
	src, err := newSource(schema.Schema{
		Fields:     []schema.Field{{Name: "is_active", Type: "string"}, {Name: "owner", Type: "string", Sample: json.RawMessage(`"Erika"`)}},
		RawSamples: json.RawMessage(`[{"is_active":"Active","owner":"Tom Chen"},{"is_active":"no","owner":null}]`),
	})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"the active ones, or no": "the active ones, or no",
		"owned by tom chen":      "-",
		"such as ERIKA":          "-",
	} {
		if got := src.withoutValues(text, "-"); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// BenchmarkQuotable5000 holds the look-up of values in a wide schema, which took
// seconds before it had an index.
func BenchmarkQuotable5000(b *testing.B) {
	var fields []schema.Field
	rows := []map[string]string{{}, {}, {}, {}, {}}
	for i := range maxFields {
		name := fmt.Sprintf("meter_pressure_state_%d", i)
		fields = append(fields, schema.Field{Name: name, Type: "string"})
		for r := range rows {
			rows[r][name] = fmt.Sprintf("stateful value %d %d", r, i)
		}
	}
	samples, err := json.Marshal(rows)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		src, err := newSource(schema.Schema{Fields: fields, RawSamples: samples})
		if err != nil || len(src.quotable()) != len(rows)*maxFields {
			b.Fatalf("%d values, %v", len(src.quotable()), err)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	limit := 10 * (fieldBytes + readyBytes)
	c := newCache(limit)
	of := func(n int) []schema.Entity {
		return []schema.Entity{{ID: int64(n), Name: "E", Fields: named("a", "b", "c", "d")}}
	}
	first := c.get("t1", "", of(1))
	if c.get("t1", "", of(1)) != first {
		t.Error("the same entities were indexed twice")
	}
	if c.get("t1", "", of(2)) == first {
		t.Error("other entities of the tenant got the old index")
	}
	for i := range 20 {
		c.get(fmt.Sprint("other", i), "", of(3))
	}
	if c.size > limit || c.size < limit/2 || len(c.tenants) != 2 || c.recent.Len() != 2 {
		t.Errorf("%d bytes of %d tenants are kept, want at most %d", c.size, len(c.tenants), limit)
	}
	long := of(4)
	long[0].Fields[0].Sample = json.RawMessage(`"` + strings.Repeat("x", limit) + `"`)
	if big := c.get("big", "", long); c.get("big", "", long) != big || len(c.tenants) != 1 {
		t.Error("a tenant beyond the limit is not the only one that is kept")
	}
	c.get("other19", "", of(3))
	if c.size > limit || c.tenants["big"] != nil {
		t.Errorf("%d bytes are kept, want the large tenant gone", c.size)
	}
	if diff := cmp.Diff(map[int64]bool{3: true}, c.get("other19", "", of(3)).seen); diff != "" {
		t.Errorf("entities of another tenant (-want +got):\n%s", diff)
	}
}

// TestLessonsAreIndexedNowAndThen: a large tenant is not indexed again with every
// commit that teaches it something, and what it learned comes into the index soon.
func TestLessonsAreIndexedNowAndThen(t *testing.T) {
	t.Parallel()
	c := newCache(1 << 20)
	at, builds := time.Unix(0, 0), time.Second
	c.now = func() time.Time { at = at.Add(builds); return at } // two readings make an index of a second
	of := func(alias string) []schema.Entity {
		e := []schema.Entity{{ID: 1, Name: "E", Fields: named("a", "b")}}
		e[0].Fields[0].Aliases = []string{alias}
		return e
	}
	first := c.get("t", "", of("x"))
	builds = 0
	if c.get("t", "", of("y")) != first {
		t.Error("the tenant was indexed again at once")
	}
	other := of("y")
	other[0].Fields[1].Type = "date"
	changed := c.get("t", "", other)
	if changed == first {
		t.Error("an entity changed and the old index was used")
	}
	at = at.Add(indexShare * time.Minute)
	if got := c.get("t", "", of("z")); got == changed || got.list[0].Fields[0].Aliases[0] != "z" {
		t.Error("what was learned is not in the index")
	}
}

// TestVersionsSpareReading: what the catalog still calls by the known version is not read
// again, unless the index lacks lessons and it is time for them.
func TestVersionsSpareReading(t *testing.T) {
	t.Parallel()
	c := newCache(1 << 20)
	at, builds := time.Unix(0, 0), time.Second
	c.now = func() time.Time { at = at.Add(builds); return at }
	of := func(alias string) []schema.Entity {
		e := []schema.Entity{{ID: 1, Name: "E", Fields: named("a", "b")}}
		e[0].Fields[0].Aliases = []string{alias}
		return e
	}
	wantKnown := func(version string, want *entities) {
		t.Helper()
		if got := c.known("t", version); got != want {
			t.Errorf("the index that is good for version %q is %p, want %p", version, got, want)
		}
	}
	wantKnown("1", nil)
	first := c.get("t", "1", of("x"))
	builds = 0
	wantKnown("1", first)
	wantKnown("2", nil)
	wantKnown("", nil)
	c.get("t", "2", of("y")) // the index lacks what was learned
	wantKnown("2", first)
	at = at.Add(indexShare * time.Minute)
	wantKnown("2", nil)
	second := c.get("t", "2", of("y"))
	at = at.Add(indexShare * time.Minute)
	wantKnown("2", second)
}

// TestTurns: one at a time for a tenant, whoever waits can give up, and tenants do not wait
// for each other.
func TestTurns(t *testing.T) {
	t.Parallel()
	var turns turns
	done, err := turns.begin(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := turns.begin(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	impatient, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := turns.begin(impatient, "a"); err == nil || err.Error() != "enough" {
		t.Errorf("begin = %v, want the cause of its end", err)
	}
	next := make(chan error)
	go func() {
		done, err := turns.begin(t.Context(), "a")
		if err == nil {
			done()
		}
		next <- err
	}()
	done()
	if err := <-next; err != nil || len(turns.taken) != 0 {
		t.Errorf("begin = %v, %d turns are taken", err, len(turns.taken))
	}
}

func TestDigestTellsEntitiesApart(t *testing.T) {
	t.Parallel()
	c := newCache(10)
	base := func() []schema.Entity {
		return []schema.Entity{{ID: 1, Name: "E", Fields: named("ab", "c")}, {ID: 2, Name: "F", Fields: named("d")}}
	}
	want, _ := c.digest(base())
	for name, change := range map[string]func(e []schema.Entity) []schema.Entity{
		"id":   func(e []schema.Entity) []schema.Entity { e[0].ID = 9; return e },
		"name": func(e []schema.Entity) []schema.Entity { e[0].Name = "G"; return e },
		"field": func(e []schema.Entity) []schema.Entity {
			e[0].Fields[0].Name, e[0].Fields[1].Name = "a", "bc"
			return e
		},
		"type":        func(e []schema.Entity) []schema.Entity { e[0].Fields[0].Type = "date"; return e },
		"required":    func(e []schema.Entity) []schema.Entity { e[0].Fields[0].Required = true; return e },
		"description": func(e []schema.Entity) []schema.Entity { e[0].Fields[0].Description = "x"; return e },
		"moved field": func(e []schema.Entity) []schema.Entity {
			e[0].Fields = named("ab")
			e[1].Fields = named("c", "d")
			return e
		},
		"alias": func(e []schema.Entity) []schema.Entity { e[0].Fields[0].Aliases = []string{"x"}; return e },
		"value": func(e []schema.Entity) []schema.Entity {
			e[0].Fields[0].Learned = []json.RawMessage{json.RawMessage("1")}
			return e
		},
		"gone": func(e []schema.Entity) []schema.Entity { return e[:1] },
	} {
		if got, _ := c.digest(change(base())); got == want {
			t.Errorf("%s changed and the digest did not", name)
		}
	}
	if again, size := c.digest(base()); again != want || size < 3*fieldBytes {
		t.Error("the digest of the same entities differs")
	}
}
