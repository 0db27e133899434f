package match

// features are what tells whether a source field belongs into a target field, each
// from 0 to 1 or -1 to 1.
type features [featureCount]float32

const (
	// of the names
	featureEqual        = iota // the same words
	featureCover               // how much of both names is in the other
	featureSourceInside        // how much of the source's name is in the target's
	featureTargetInside        // how much of the target's name is in the source's
	featureSpelling            // trigrams in common
	featureMeaning             // cosine of the names' meanings
	featureHead                // the last words, which are the nouns
	featureStrict              // words in common, without those that are merely alike
	// of the descriptions
	featureDescribed   // a name in the other's description
	featureDescription // words of both descriptions in common
	featureSense       // cosine of meanings, descriptions included
	featureNoDescription
	// of the values
	featureValues       // values in common
	featureValueWords   // words of values in common
	featureValueMeaning // cosine of the values' meanings
	featurePattern      // characters and lengths
	featureRange        // magnitudes of numbers
	featureKind         // how values are written
	featureOtherKind    // in ways that exclude each other
	featureNoValues
	featureNameValue // a name, and values that are called so: gender, female
	// of types and meanings
	featureFit
	featureSemantic
	featureOtherSemantic
	featureSubject // the column that names the rows, and the field for the name
	featureCount
)

// featureNames are for the training program.
var featureNames = [featureCount]string{
	"equal", "cover", "source_inside", "target_inside", "spelling", "meaning", "head", "strict",
	"described", "description", "sense", "no_description",
	"values", "value_words", "value_meaning", "pattern", "range", "kind", "other_kind", "no_values", "name_value",
	"fit", "semantic", "other_semantic", "subject",
}
