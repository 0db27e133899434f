package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// digest is the rule of the app, written down once more.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:16]
}

func TestInputHash(t *testing.T) {
	t.Parallel()
	fields := []Field{
		{Name: "b", Type: "email"}, {Name: "a", Type: "number"}, {Name: "Z", Type: "array[mixed:string]"},
		{Name: "ä", Type: "datetime"}, {Name: "c", Type: "integer"}, {Name: "d", Type: "null"},
	}
	before := fmt.Sprint(fields)
	want := digest("Z:array|a:float|b:string|c:integer|d:null|ä:string")
	if got := InputHash(fields); got != want {
		t.Errorf("InputHash = %s, want %s", got, want)
	}
	if got := InputHash(nil); got != digest("") {
		t.Errorf("InputHash(nil) = %s, want %s", got, digest(""))
	}
	if fmt.Sprint(fields) != before {
		t.Error("InputHash changed its argument")
	}
}

func TestStructHash(t *testing.T) {
	t.Parallel()
	fields := []Field{{Name: "b", Type: "email"}, {Name: "a", Type: "array[float]"}}
	if got, want := StructHash(fields), digest("a:array[float],b:email"); got != want {
		t.Errorf("StructHash = %s, want %s", got, want)
	}
	// The collision that SaltedHash is for: one field of a plain type.
	one := []Field{{Name: "a", Type: "string"}}
	if StructHash(one) != InputHash(one) {
		t.Error("the hashes of one field differ, so the app's rule changed")
	}
}

// TestStructHashOfTheApp takes an entity's row that the app's job stored.
func TestStructHashOfTheApp(t *testing.T) {
	t.Parallel()
	fields, err := ParseFields(json.RawMessage(`[{"name":"id","type":"decimal","format":null},{"name":"company","type":"string"},
		{"name":"contact","type":"string"},{"name":"mobile","type":"string"},{"name":"score","type":"decimal"},
		{"name":"utm_source","type":"string"},{"name":"source_system_1011","type":"string","required":false}]`))
	if err != nil {
		t.Fatal(err)
	}
	if got := StructHash(fields); got != "d61614fbbe2eb072" {
		t.Errorf("StructHash = %s, want d61614fbbe2eb072", got)
	}
}

func TestSaltedHash(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, tenant := range []string{"t1", "t2", ""} {
		for _, kind := range []Kind{KindInput, KindStruct} {
			for _, hash := range []string{"a", "b"} {
				salted, who := SaltedHash(tenant, kind, hash), fmt.Sprint(tenant, kind, hash)
				if other, taken := seen[salted]; taken || len(salted) != 16 {
					t.Errorf("SaltedHash of %s = %s, the one of %q", who, salted, other)
				}
				if again := SaltedHash(tenant, kind, hash); again != salted {
					t.Errorf("SaltedHash of %s = %s, then %s", who, salted, again)
				}
				seen[salted] = who
			}
		}
	}
}

// value draws any JSON value, nested up to depth.
func value(depth int) *rapid.Generator[any] {
	scalars := rapid.SampledFrom([]any{
		nil, true, 1, 2.5, "", "text", "a@example.com", "2025-01-31", "2025-01-31T10:00:00Z", "+44 20 7185 2723",
		"{}", "1700000000", "a0000001-5eed-4000-8000-000000000002", "https://example.com",
	})
	if depth == 0 {
		return scalars
	}
	return rapid.OneOf(
		scalars,
		rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(v []any) any { return v }),
		rapid.Map(object(depth-1), func(v map[string]any) any { return v }),
	)
}

func object(depth int) *rapid.Generator[map[string]any] {
	names := rapid.SampledFrom([]string{"a", "b", "a.b", "created_at", "", "x\x00", "ü"})
	return rapid.MapOfN(names, value(depth), 0, 4)
}

// TestHashDoesNotDependOnOrder shuffles the records, and the fields.
func TestHashDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(object(3), 1, 6).Draw(t, "records")
		fields := fieldsOf(t, records)
		shuffled := fieldsOf(t, rapid.Permutation(records).Draw(t, "shuffled"))
		if a, b := InputHash(fields), InputHash(shuffled); a != b {
			t.Fatalf("hash of %s is %s, of %s %s", summary(fields), a, summary(shuffled), b)
		}
		if a, b := StructHash(fields), StructHash(shuffled); a != b {
			t.Fatalf("types depend on the order of records: %s and %s", summary(fields), summary(shuffled))
		}
		mixed := rapid.Permutation(fields).Draw(t, "mixed")
		if a, b := InputHash(fields), InputHash(mixed); a != b {
			t.Fatalf("hash of %s is %s, of %s %s", summary(fields), a, summary(mixed), b)
		}
	})
}

// TestFieldsSurviveStorage encodes detected fields and parses them again.
func TestFieldsSurviveStorage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fields := fieldsOf(t, rapid.SliceOfN(object(3), 1, 6).Draw(t, "records"))
		if len(fields) == 0 {
			return
		}
		raw, err := EncodeFields(fields)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseFields(raw)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := fmt.Sprint(fields), fmt.Sprint(parsed); a != b {
			t.Fatalf("stored %s, read %s", a, b)
		}
	})
}

func fieldsOf(t *rapid.T, records []map[string]any) []Field {
	d := NewDetector(DetectorConfig{})
	for _, record := range records {
		raw, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Add(raw); err != nil {
			t.Fatal(err)
		}
	}
	return d.Fields()
}
