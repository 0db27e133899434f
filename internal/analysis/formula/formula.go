// Package formula makes and checks the JSONata expressions of field mappings:
// a Verifier writes one from an operation and its arguments, and runs one on sample
// rows under limits; Gate refuses dangerous ones without running them.
//
// It guarantees that an expression which passes Gate reads declared source fields
// only, gives the same result for the same record, and is cheap: Gate bounds the
// work of a run before the run, so neither a clock nor a second process has to
// stop it. Errors are *Error and never quote a sample value. It does not decide
// which field maps to which, and it stores nothing.
//
// The language is JSONata 2.x as gnata and jsonata-js share it, less what field
// mappings do not need: lambdas, recursion, grouping, joins, sorting and transforms.
package formula

// Args are the arguments of a mapping's operation. Which of them count depends on
// the operation.
type Args struct {
	InFormat  string `json:"in_format,omitempty"`  // format_conversion: how the source value is written
	OutFormat string `json:"out_format,omitempty"` // format_conversion: how the target wants it
	Separator string `json:"separator,omitempty"`  // combine, split
	Index     int    `json:"index,omitempty"`      // split: which part, from 0
	Literal   string `json:"literal,omitempty"`    // constant
	Formula   string `json:"formula,omitempty"`    // formula: JSONata
}
