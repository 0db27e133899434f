package config

import (
	"fmt"
	"strings"
)

// ExitCode is what a program ends with when its configuration is wrong: EX_CONFIG of
// sysexits.h.
const ExitCode = 78

// Error lists every problem of a configuration at once. It never quotes a secret.
type Error struct{ Problems []Problem }

// Problem is one thing to mend.
type Problem struct {
	// Name is the variable.
	Name string
	// Text says what is wrong with it and what to do.
	Text string
}

func (p Problem) String() string { return p.Name + " " + p.Text }

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the configuration has %s:", count(len(e.Problems), "problem"))
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// ExitCode returns 78.
func (e *Error) ExitCode() int { return ExitCode }

func count(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// nearest returns the name that takes the fewest edits to reach.
func nearest(name string, names []string) string {
	best, fewest := "", len(name)+1
	for _, candidate := range names {
		if n := edits(name, candidate); n < fewest {
			best, fewest = candidate, n
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substituted := diagonal
			if a[i-1] != b[j-1] {
				substituted++
			}
			diagonal = row[j]
			row[j] = min(row[j]+1, row[j-1]+1, substituted)
		}
	}
	return row[len(b)]
}
