package match

import "strings"

// Family is what kind of value a type holds.
type Family uint8

// The families of types.
const (
	FamilyUnknown Family = iota // no type, null, or a word that nobody knows
	FamilyText
	FamilyNumber
	FamilyBool
	FamilyTime
	FamilyObject
	FamilyArray
	familyCount
)

// FamilyOf returns the family of one of the app's type words.
func FamilyOf(typ string) Family {
	switch strings.ToLower(typ) {
	case "string", "text", "email", "url", "uuid", "phone", "varchar", "char", "enum":
		return FamilyText
	case "integer", "int", "float", "double", "number", "decimal", "numeric", "bigint":
		return FamilyNumber
	case "boolean", "bool":
		return FamilyBool
	case "date", "datetime", "timestamp", "time":
		return FamilyTime
	case "object":
		return FamilyObject
	case "array":
		return FamilyArray
	}
	if strings.HasPrefix(strings.ToLower(typ), "array[") {
		return FamilyArray
	}
	return FamilyUnknown // json among them: text that may hold anything
}

// Fit says how well a value of one family fills a field of another, from 0, which
// no conversion can mend, to 1.
func Fit(source, target Family) float64 {
	if source == target {
		return 1
	}
	if source == FamilyUnknown || target == FamilyUnknown {
		return 0.9
	}
	if source > target {
		source, target = target, source // the table is symmetric
	}
	switch {
	case target == FamilyObject || target == FamilyArray:
		return fitNested(source)
	case source == FamilyText:
		return 0.8 // dates, numbers and flags arrive as text all the time
	case source == FamilyNumber && target == FamilyBool:
		return 0.5
	case source == FamilyNumber && target == FamilyTime:
		return 0.6 // seconds since 1970
	}
	return 0 // a flag is no date
}

// fits are Fit of all families.
var fits = func() (fits [familyCount][familyCount]float32) {
	for source := range familyCount {
		for target := range familyCount {
			fits[source][target] = float32(Fit(source, target))
		}
	}
	return fits
}()

// fitNested is about a list or an object on one side: text can hold either, and an
// object may hold a list.
func fitNested(other Family) float64 {
	switch other {
	case FamilyText, FamilyObject:
		return 0.4
	default:
		return 0
	}
}
