package match

// column is what the directions of source fields have in common with those of one
// target field, by source field.
type column struct {
	names                    []float32 // by the target's name, then by source field
	sense, values            []float32
	sourceNames, targetNames []float32 // with what the other's values mean
}

// look compares the directions of source fields with those of target field t.
func (c *comparison) look(from, to, t int) {
	n := len(c.source.fields)
	k, target := &c.column, &c.target.fields[t]
	k.names = sized(k.names, n*len(target.names))
	k.sense, k.values = sized(k.sense, n), sized(k.values, n)
	k.sourceNames, k.targetNames = sized(k.sourceNames, n), sized(k.targetNames, n)

	for i := range target.names {
		target.names[i].meaning.Dots(c.meanings[from:to], k.names[i*n+from:i*n+to])
	}
	target.sense.Dots(c.senses[from:to], k.sense[from:to])
	target.names[0].meaning.Dots(c.values[from:to], k.targetNames[from:to])
	target.values.direction().Dots(c.meanings[from:to], k.sourceNames[from:to])
	target.values.direction().Dots(c.values[from:to], k.values[from:to])
}

// sized is list or a longer one, with n values that mean nothing yet.
func sized(list []float32, n int) []float32 {
	if cap(list) < n {
		return make([]float32, n)
	}
	return list[:n]
}
