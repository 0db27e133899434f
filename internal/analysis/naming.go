package analysis

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// maxCanonical bounds a name that this package makes, in characters.
const maxCanonical = 63

// junk are words that say nothing about what a record is. They are left out of the
// names of entities, which would end up as DataEntity otherwise.
var junk = wordSet(`data dataset entity entities schema source table record row field object
list file export import dump raw copy new old final test tmp temp temporary sample demo
unknown unnamed untitled input output canonical struct json csv ndjson jsonl tsv txt xml gz zip
api response request payload body result feed stream sync full daily weekly monthly default
the of and a an my our all v`)

// empty are the words that make no name even when a model proposes it. The list is
// short: a laboratory may well have Samples and Tests.
var empty = wordSet(`data dataset entity schema table record row object new unknown unnamed generic canonical default the a my`)

func wordSet(list string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// entityName names a new entity after the schema, or after the words that its
// fields share; a schema that gives nothing away is named after its hash.
func entityName(s schema.Schema, fields []schema.Field) string {
	base := strings.TrimSuffix(path.Base(strings.ReplaceAll(s.Name, "\\", "/")), ".gz")
	base = strings.TrimSuffix(base, path.Ext(base))
	if name := pascal(match.Canonical(base), 3, junk); name != "" && s.Name != "" {
		return name
	}
	if name := pascal(dominantWords(fields), 2, junk); name != "" {
		return name
	}
	return "Shape" + strings.ToUpper(clip(plainLetters(s.Hash), 8))
}

// dominantWords are the prefix that most fields share (customer_id, customer_name),
// else the owner of the first id (order_id), else the two words that tell most.
func dominantWords(fields []schema.Field) []string {
	count := make(map[string]int)
	var order []string
	for _, f := range fields {
		words := match.Canonical(f.Name)
		if len(words) < 2 || match.Generic(words[0]) || junk[words[0]] {
			continue
		}
		if count[words[0]] == 0 {
			order = append(order, words[0])
		}
		count[words[0]]++
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(count[b], count[a]) })
	if len(order) > 0 && count[order[0]] >= 2 && 3*count[order[0]] >= len(fields) {
		return order[:1]
	}
	for _, f := range fields {
		words := match.Canonical(f.Name)
		if n := len(words); n == 2 && words[1] == "id" && !match.Generic(words[0]) && !junk[words[0]] {
			return words[:1]
		}
	}
	return tellingWords(fields)
}

func tellingWords(fields []schema.Field) []string {
	if len(fields) == 1 {
		return match.Canonical(fields[0].Name)
	}
	var found []string
	for _, f := range fields {
		words := match.Canonical(f.Name)
		if len(words) == 0 {
			continue
		}
		last := words[len(words)-1]
		if !match.Generic(last) && !junk[last] && !slices.Contains(found, last) {
			found = append(found, last)
		}
		if len(found) == 2 {
			break
		}
	}
	return found
}

// pascal joins up to limit words in PascalCase, the last one singular, without
// numbers and the words of without.
func pascal(words []string, limit int, without map[string]bool) string {
	var kept []string
	for _, word := range words {
		word = plainLetters(word)
		if word == "" || without[word] || without[match.Singular(word)] || unicode.IsDigit([]rune(word)[0]) {
			continue
		}
		kept = append(kept, word)
	}
	if len(kept) > limit {
		kept = kept[:limit]
	}
	var b strings.Builder
	for i, word := range kept {
		if i == len(kept)-1 {
			word = match.Singular(word)
		}
		runes := []rune(word)
		b.WriteString(string(unicode.ToUpper(runes[0])) + string(runes[1:]))
	}
	return clip(b.String(), maxCanonical)
}

// plainLetters keeps the letters, marks and digits of a word.
func plainLetters(word string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			return r
		}
		return -1
	}, word)
}

// snake makes a canonical field name, empty when the name has no letter or digit.
func snake(words []string) string {
	name := clip(strings.Trim(strings.Join(words, "_"), "_"), maxCanonical)
	name = strings.Trim(name, "_")
	if name != "" && unicode.IsDigit([]rune(name)[0]) {
		name = "field_" + name
	}
	return name
}

// nameKey is what two names of entities are compared by.
func nameKey(name string) string {
	words := match.Words(name)
	return strings.Join(words, "")
}

// freeName returns name, or name with the first number behind it that is not taken.
func freeName(name string, taken func(string) bool) string {
	if !taken(name) {
		return name
	}
	for n := 2; ; n++ {
		if numbered := name + strconv.Itoa(n); !taken(numbered) {
			return numbered
		}
	}
}

// sourceName names the schema itself: as proposed, else as it is called, else after
// its entity and shape, as the app expects (customer_source_0c0d691b).
func sourceName(s schema.Schema, proposed, entity string) string {
	for _, name := range []string{proposed, s.Name} {
		if name = underscored(name); name != "" && name != "unknown_schema" {
			return name
		}
	}
	base := underscored(entity)
	if base == "" {
		base = "schema"
	}
	return fmt.Sprintf("%s_source_%s", base, strings.ToLower(clip(plainLetters(s.Hash), 8)))
}

// underscored is snake_case without any knowledge of words, so that hashes and
// numbers in a name stay whole.
func underscored(name string) string {
	var b strings.Builder
	lower := false // the last rune was a small letter
	for _, r := range plain(name, maxName) {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r):
			r = '_'
		case unicode.IsUpper(r) && lower:
			b.WriteByte('_')
		}
		lower = unicode.IsLower(r)
		if r != '_' || b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return strings.Trim(clip(b.String(), maxName), "_")
}
