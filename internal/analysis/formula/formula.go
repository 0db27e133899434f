// Package formula makes and checks the JSONata expressions of field mappings:
// rendering them from an operation and its arguments, refusing dangerous ones,
// and running them on sample rows under limits.
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
