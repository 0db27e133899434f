package llm

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// strictlySame wants that what readStrict takes, the validator takes as well, and reads in
// the same way. The other way round it may be too careful.
func strictlySame(t *testing.T, c *Client, raw []byte) (taken bool) {
	t.Helper()
	got, ok := readStrict(raw)
	if !ok {
		return false
	}
	want, err := c.search(raw)
	if err != nil {
		if got.Reasoning != c.example.reasoning {
			t.Fatalf("readStrict takes %q, which fails with %v", raw, err)
		}
		return true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%q (-want +got):\n%s", raw, diff)
	}
	return true
}

// richAnswer has something in every part.
func richAnswer() []byte {
	return testAnswer(func(a *answer) {
		a.NewEntity = answerEntity{Name: "Kunde \u00e9", Description: "a \"b\" \\ \n <c> & \U0001F600", Fields: []answerField{
			{Name: "x", Type: "array[string]", Required: true}, {Name: "y", Type: "date"},
		}}
		a.Mappings = append(a.Mappings, withArgs(testMapping("t4", "combine", "s2", "s3"), "separator", "\u2028", "index", ""))
	})
}

func TestReadStrict(t *testing.T) {
	t.Parallel()
	c := testReader(t)
	good := string(richAnswer())
	for name, raw := range map[string]string{
		"as it is":       good,
		"blanks":         "\ufeff\n \t" + strings.ReplaceAll(good, `,"`, " ,\r\n\t\"") + "\u00a0",
		"other order":    `{"reasoning":"r",` + strings.Replace(good[1:], `,"reasoning":"Both are customers."`, "", 1),
		"escaped key":    strings.Replace(good, `"entity"`, `"\u0065ntity"`, 1),
		"escaped word":   strings.Replace(good, `"combine"`, `"\u0063ombine"`, 1),
		"half a pair":    strings.Replace(good, "Both", `\ud800Both`, 1),
		"not UTF-8":      strings.Replace(good, "Both", "\xff\xc3Both", 1),
		"NUL in escapes": strings.Replace(good, "Both", `\u0000Both`, 1),
	} {
		if !strictlySame(t, c, []byte(raw)) {
			t.Errorf("%s: not taken", name)
		}
	}
	for name, raw := range map[string]string{
		"twice":        strings.Replace(good, `"entity":"e2"`, `"entity":"e2","entity":"e2"`, 1),
		"twice hidden": strings.Replace(good, `"entity":"e2"`, `"entity":"e2","\u0065ntity":"e2"`, 1),
		"other case":   strings.Replace(good, `"entity"`, `"Entity"`, 1),
		"control":      strings.Replace(good, "Both", "Bo\x01th", 1),
		"line feed":    strings.Replace(good, "Both", "Bo\nth", 1),
		"bad escape":   strings.Replace(good, "Both", `Bo\xth`, 1),
		"comma":        strings.Replace(good, `["s2","s3"]`, `["s2","s3",]`, 1),
		"word":         strings.Replace(good, `"combine"`, `"COMBINE"`, 1),
		"null":         strings.Replace(good, `"e2"`, `null`, 1),
		"number":       strings.Replace(good, `true`, `1`, 1),
		"behind":       good + "{}",
		"cut":          good[:len(good)-1],
		"cut escape":   good[:strings.Index(good, `\"`)+1],
		"list":         "[" + good + "]",
	} {
		if strictlySame(t, c, []byte(raw)) {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestReadStrictDamaged changes single bytes of a good answer, and moves parts of it.
func TestReadStrictDamaged(t *testing.T) {
	t.Parallel()
	c, good := testReader(t), richAnswer()
	const bytesOfJSON = "{}[]\",:\\u0 \n\x00\xfftfe2"
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		raw := slices.Clone(good)
		at := random.IntN(len(raw))
		switch random.IntN(4) {
		case 0:
			raw[at] = bytesOfJSON[random.IntN(len(bytesOfJSON))]
		case 1:
			raw = slices.Insert(raw, at, bytesOfJSON[random.IntN(len(bytesOfJSON))])
		case 2:
			raw = slices.Delete(raw, at, min(len(raw), at+1+random.IntN(3)))
		default:
			part := slices.Clone(raw[at:min(len(raw), at+random.IntN(40))])
			raw = slices.Insert(raw, random.IntN(len(raw)), part...)
		}
		strictlySame(t, c, raw)
	}
}

func FuzzReadStrict(f *testing.F) {
	c := testReader(f)
	f.Add(testAnswer(nil))
	f.Add(richAnswer())
	f.Fuzz(func(t *testing.T, raw []byte) { strictlySame(t, c, raw) })
}

// TestStrictWords holds the words and keys against the schema that servers get.
func TestStrictWords(t *testing.T) {
	t.Parallel()
	type node struct {
		Enum       []string        `json:"enum"`
		Required   []string        `json:"required"`
		Properties map[string]node `json:"properties"`
		Items      *node           `json:"items"`
	}
	var root node
	if err := json.Unmarshal([]byte(answerSchema), &root); err != nil {
		t.Fatal(err)
	}
	entity, mapping := root.Properties["new_entity"], *root.Properties["mappings"].Items
	field, argument := *entity.Properties["fields"].Items, *mapping.Properties["args"].Items
	for _, pair := range [][2][]string{
		{root.Required, answerKeys}, {entity.Required, entityKeys}, {field.Required, fieldKeys},
		{mapping.Required, mappingKeys}, {argument.Required, argumentKeys},
		{root.Properties["decision"].Enum, decisionWords}, {field.Properties["type"].Enum, typeWords},
		{mapping.Properties["op"].Enum, opWords}, {mapping.Properties["band"].Enum, bandWords},
		{argument.Properties["name"].Enum, argumentWords},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("schema (-want +got):\n%s", diff)
		}
	}
	for _, n := range []node{root, entity, field, mapping, argument} {
		if len(n.Properties) != len(n.Required) {
			t.Errorf("%d properties, %d required", len(n.Properties), len(n.Required))
		}
	}
	if c := testReader(t); c.example.reasoning == "" {
		t.Error("the example of the rules is not known")
	}
}
