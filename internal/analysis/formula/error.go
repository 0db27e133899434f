package formula

import "fmt"

// The codes of an Error.
const (
	CodeSyntax          = "syntax"           // not JSONata, or not of the shared subset
	CodeUnsafe          = "unsafe"           // a construct that mappings may not use
	CodeUnknownFunction = "unknown_function" // no such function
	CodeUnknownSource   = "unknown_source"   // reads a field that is not among the sources
	CodeTooLarge        = "too_large"        // too long, too deep, or its run could take too much
	CodeBadArgs         = "bad_args"         // the operation's arguments do not make sense
	CodeTypeMismatch    = "type_mismatch"    // the result does not fit the target
	CodeRuntime         = "runtime"          // the expression failed on a row
	CodeTimeout         = "timeout"          // a run took longer than its limit
	CodeAlwaysEmpty     = "always_empty"     // no value, though the sources have values
	CodeUnstable        = "unstable"         // two runs on one row differ
	CodeRoundTrip       = "round_trip"       // the result, read back, is not the source's value
	CodeCopiedSample    = "copied_sample"    // a literal is a value of a sample row
)

// Error says why an expression, or the arguments for one, can not be used.
type Error struct {
	// Code is one of the Code constants.
	Code string
	// Detail is one sentence for the model and the reviewer. It may quote the
	// expression, a field's name or type; never a sample value.
	Detail string
}

func (e *Error) Error() string { return "formula " + e.Code + ": " + e.Detail }

func fail(code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// clip shortens text that a stranger wrote, for a message.
func clip(s string) string {
	const limit = 48
	for i := range s {
		if i > limit {
			return s[:i] + "..."
		}
	}
	return s
}
