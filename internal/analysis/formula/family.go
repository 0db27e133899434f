package formula

import (
	"strings"

	"github.com/schemacast/schemacast/internal/schema"
)

// family groups the type words of the app by what their values look like in JSON.
type family uint8

const (
	familyAny family = iota // unknown words too: nothing can be said
	familyText
	familyTime // a text, or a number of an epoch
	familyNumber
	familyBoolean
	familyObject
	familyList
)

// familyOf knows the app's words and what people write in their place.
func familyOf(typ string) family {
	word := strings.ToLower(strings.TrimSpace(typ))
	switch word {
	case "string", "text", "email", "url", "uuid", "phone", "varchar", "char":
		return familyText
	case "date", "datetime", "timestamp":
		return familyTime
	case "integer", "int", "bigint", "float", "double", "number", "numeric", "decimal":
		return familyNumber
	case "boolean", "bool":
		return familyBoolean
	case "object":
		return familyObject
	case "array":
		return familyList
	}
	if strings.HasPrefix(word, "array[") {
		return familyList
	}
	return familyAny
}

// describe names what a target wants.
func describe(target schema.Field) string {
	typ := target.Type
	if typ == "" {
		typ = "any type"
	}
	if target.Format != "" {
		return clip(typ) + " (" + clip(target.Format) + ")"
	}
	return clip(typ)
}

// Compatible says whether a value of source can go directly to target, and whether
// that takes a cast: a number to a text, a text to a number, a boolean or from it, a
// datetime to a date, a single value to a list. Whole lists and objects never become
// single values, and a number never becomes a date without its format.
func Compatible(source, target schema.Field) (ok, cast bool) {
	_, cast, err := castTo(source, target, "")
	return err == nil, cast
}
