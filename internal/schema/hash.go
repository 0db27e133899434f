package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"sort"
	"strings"
)

// hashLen is the number of hex digits that the app keeps of a SHA-256.
const hashLen = 16

// InputHash is the identity of a shape of records, by the rule of the app's
// ingestion: name:type of every field, sorted bytewise, joined by "|". The type
// is the simple one (see SimpleType), so an e-mail address and a name are both
// "string" here.
func InputHash(fields []Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.Name + ":" + SimpleType(f.Type)
	}
	return shortHash(parts, "|")
}

// StructHash is the identity of an entity's field list, by the rule of the app:
// name:type as they stand, sorted bytewise, joined by ",".
func StructHash(fields []Field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.Name + ":" + f.Type
	}
	return shortHash(parts, ",")
}

// SaltedHash is the identity under which a tenant's row is stored when another row
// already holds hash: the app's constraint on hashes spans all tenants and kinds,
// so equal shapes of two tenants collide, and so do a schema of one field and the
// entity made from it.
func SaltedHash(tenantID string, kind Kind, hash string) string {
	return shortHash([]string{tenantID, string(kind), hash}, "\x00")
}

// SimpleType is the type as the hash of a shape sees it: formats of strings are
// strings, every number from JSON is a float, and an array is an array whatever
// it holds.
func SimpleType(typ string) string {
	switch typ {
	case "email", "url", "uuid", "phone", "json", "date", "datetime", "timestamp":
		return "string"
	case "number":
		return "float"
	}
	if strings.HasPrefix(typ, "array[") {
		return "array"
	}
	return typ
}

func shortHash(parts []string, separator string) string {
	sort.Strings(parts)
	sum := sha256.Sum256([]byte(strings.Join(parts, separator)))
	return hex.EncodeToString(sum[:])[:hashLen]
}
