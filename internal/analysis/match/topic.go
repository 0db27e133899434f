package match

import (
	"math"

	"github.com/schemacast/schemacast/internal/analysis/match/lexicon"
)

// topic is what the names of a schema's fields mean together, in one byte a dimension:
// a tenant may have ten thousand.
type topic [lexicon.Dim]int8

func topicOf(sum *lexicon.Vector) topic {
	sum.Normalize()
	largest := float32(0)
	for _, x := range sum {
		largest = max(largest, x, -x)
	}
	var t topic
	if largest == 0 {
		return t
	}
	for i, x := range sum {
		t[i] = int8(math.Round(float64(127 * x / largest)))
	}
	return t
}

func (t *topic) cosine(other *topic) float32 {
	var dot, a, b int32
	for i := range t {
		x, y := int32(t[i]), int32(other[i])
		dot += x * y
		a += x * x
		b += y * y
	}
	if a == 0 || b == 0 {
		return 0
	}
	return float32(float64(dot) / math.Sqrt(float64(a)*float64(b)))
}
