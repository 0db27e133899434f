package analysis

import (
	"strconv"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// newTarget is a new entity as a target, under a name that is free. Its fields are
// added one by one.
func newTarget(name string, taken func(string) bool) *target {
	return &target{action: ActionCreateNew, name: freeName(name, taken), namesake: taken(name), position: make(map[string]int)}
}

// add appends a field under a name that is free, and returns its position.
func (t *target) add(f schema.Field) int {
	if f.Name == "" {
		f.Name = "field_" + strconv.Itoa(len(t.fields)+1)
	}
	base := f.Name
	for n := 2; ; n++ {
		if _, taken := t.position[f.Name]; !taken {
			break
		}
		f.Name = base + "_" + strconv.Itoa(n)
	}
	t.position[f.Name] = len(t.fields)
	t.fields = append(t.fields, f)
	t.families = append(t.families, match.FamilyOf(f.Type))
	return len(t.fields) - 1
}

// derive adds the canonical form of each given source field and returns the
// positions. A number at the end of a name goes, unless it tells fields apart: col_1
// and col_2 stay what they are, so that the next analysis maps each onto itself.
func (t *target) derive(src *source, sourceFields []int) []int {
	prefix := commonParent(src.fields)
	fields := make([]schema.Field, len(sourceFields))
	sharing := make(map[string]int)
	for i, p := range sourceFields {
		f := src.fields[p]
		f.Name = f.Name[len(prefix):]
		fields[i] = canonicalField(f)
		sharing[fields[i].Name]++
	}
	positions := make([]int, len(sourceFields))
	for i, p := range sourceFields {
		if sharing[fields[i].Name] > 1 {
			fields[i].Name = snake(match.Spelled(src.fields[p].Name[len(prefix):]))
		}
		positions[i] = t.add(fields[i])
	}
	return positions
}

// commonParent is the path in front of every field, as in payload.id, payload.name.
func commonParent(fields []schema.Field) string {
	if len(fields) < 2 {
		return ""
	}
	prefix := fields[0].Name
	for _, f := range fields[1:] {
		n := 0
		for n < len(prefix) && n < len(f.Name) && prefix[n] == f.Name[n] {
			n++
		}
		prefix = prefix[:n]
	}
	for len(prefix) > 0 && prefix[len(prefix)-1] != '.' {
		prefix = prefix[:len(prefix)-1]
	}
	return prefix
}

// canonicalField is a field as a new entity has it: a spelled-out snake_case name
// and a type of the canonical words. The forms of text become formats.
func canonicalField(f schema.Field) schema.Field {
	canonical := schema.Field{Name: snake(match.Canonical(f.Name)), Required: f.Required}
	canonical.Type, canonical.Format = canonicalType(f.Type)
	if canonical.Format == "" {
		canonical.Format = clip(plain(f.Format, 64), 64)
	}
	return canonical
}

// canonicalType keeps to the words that the app knows on entities. float becomes
// decimal: the app's ingestion calls every number float, so integer can not be
// concluded from it.
func canonicalType(typ string) (canonical, format string) {
	switch typ {
	case "email", "url", "uuid", "phone":
		return "string", typ
	case "float", "number", "double", "decimal", "numeric":
		return "decimal", ""
	case "integer", "int", "bigint":
		return "integer", ""
	case "boolean", "bool":
		return "boolean", ""
	case "date", "datetime", "timestamp", "object", "array":
		return typ, ""
	}
	if match.FamilyOf(typ) == match.FamilyArray {
		return "array", ""
	}
	return "string", ""
}

// proposedTarget is the new entity of a proposal, cleaned: names in snake_case, known
// types, no field twice. renamed maps the proposed names to those in the target.
func proposedTarget(p *NewEntity, src *source, taken func(string) bool) (t *target, renamed map[string]string) {
	name := ""
	var fields []schema.Field
	if p != nil {
		name, fields = pascal(match.Canonical(plain(p.Name, maxName)), 4, empty), p.Fields
	}
	if name == "" {
		name = entityName(src.schema, src.fields)
	}
	t = newTarget(name, taken)
	return t, t.addProposed(fields)
}

// addProposed adds the fields of a proposal, cleaned.
func (t *target) addProposed(fields []schema.Field) (renamed map[string]string) {
	renamed = make(map[string]string)
	for _, f := range fields {
		if _, twice := renamed[f.Name]; twice || len(t.fields) == maxFields {
			continue
		}
		clean := schema.Field{
			Name: clip(underscored(f.Name), maxCanonical), Required: f.Required,
			Description: plain(f.Description, maxDescription),
		}
		clean.Type, clean.Format = canonicalType(f.Type)
		if clean.Format == "" {
			clean.Format = plain(f.Format, 64)
		}
		renamed[f.Name] = t.fields[t.add(clean)].Name
	}
	return renamed
}

// drop takes all fields away again.
func (t *target) drop() {
	t.fields, t.families, t.position = nil, nil, make(map[string]int)
}

// profile lets the matcher look at the fields of a new entity.
func (t *target) profile(src *source) {
	index := match.NewIndex([]schema.Entity{{Name: t.name, Fields: t.fields}})
	t.candidates = index.Match(src.profiles, 0, candidateFields)
	t.pick()
}
