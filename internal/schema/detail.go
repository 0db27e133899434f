package schema

import (
	"encoding/json"
	"time"
)

// Detail is all that there is to know about one schema, for a person who looks at it.
type Detail struct {
	Schema GraphSchema
	// Entity is the one that most of Mappings lead to, nil when there are none.
	Entity *Entity
	// Mappings are those of the app's table: doubtful ones first, those by hand last.
	Mappings []DetailMapping
	Unmapped []DetailUnmapped
	// Decision is the app's stored recommendation, nil when there is none that we can read.
	Decision *Decision
	// Runs are the newest 20, newest first.
	Runs []DetailRun
	// Samples are up to 3 records of the source, each as JSON; nil unless wanted.
	Samples []json.RawMessage
}

// DetailMapping is one mapping as the app's table holds it, by a run or by a human.
type DetailMapping struct {
	EntityID int64
	// Source names a source field, several with commas between them, none for a
	// constant.
	Source string
	// Target names the field of the entity.
	Target string
	// Type is direct or formula, the app's words.
	Type string
	// Formula is a JSONata expression, empty for a direct mapping.
	Formula string
	// Confidence is between 0 and 1, nil where no analysis proposed this mapping. The rest
	// is zero then.
	Confidence *float64
	Why        string
	Op         Op
	// VerifiedRows is the number of sample rows that the formula ran on.
	VerifiedRows int
	Review       string // a code, empty when nothing is doubtful
}

// DetailUnmapped is a field that no mapping uses, or a required one of the entity that no
// mapping fills: one of Source and Target may be empty.
type DetailUnmapped struct{ Source, Target, Why, Code string }

// Decision is what an analysis recommended.
type Decision struct {
	Action        string // create_new or map_to_existing
	Confidence    *float64
	Why           string
	Engine        Engine
	NeedsReview   bool
	Review        []string
	PromptVersion string
	Calls         int
	InputTokens   int
	OutputTokens  int
	// Cost is in US dollars, nil where it is not known.
	Cost *float64
}

// DetailRun is a run with its attempts.
type DetailRun struct {
	GraphRun
	RequestedBy string
	Outcome     string
	History     []DetailAttempt // oldest first, the last 100
}

// DetailAttempt is one attempt, or several in a row that ended the same way and did not
// count.
type DetailAttempt struct {
	Number  int64
	Worker  string
	Started time.Time
	Ended   time.Time
	Error   string
	Code    string
}
