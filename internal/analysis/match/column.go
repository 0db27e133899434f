package match

// column is what source fields have in common with one target field, by source field.
type column struct {
	names, grams             []float32 // directions and trigrams, by the target's name, then by source field
	sense, values            []float32 // directions
	sourceNames, targetNames []float32 // directions, with what the other's values mean
	whole, words             []float32 // how many values are the same, and the weight of common words
}

func (k *column) grow(sources, names int) {
	for _, list := range []*[]float32{&k.names, &k.grams} {
		*list = sized(*list, sources*names)
	}
	for _, list := range []*[]float32{&k.sense, &k.values, &k.sourceNames, &k.targetNames, &k.whole, &k.words} {
		*list = sized(*list, sources)
	}
}

// sized is list or a longer one, with n values that mean nothing yet.
func sized(list []float32, n int) []float32 {
	if cap(list) < n {
		return make([]float32, n)
	}
	return list[:n]
}

// lookAtAll compares all source fields with a target field.
func (c *comparison) lookAtAll(t int) {
	c.index()
	n := len(c.source.fields)
	c.directions(0, n, t)
	k, target := &c.column, &c.target.fields[t]
	for i := range target.names {
		c.byGram.count(target.names[i].grams, k.grams[i*n:(i+1)*n])
	}
	if target.values != nil {
		c.byValue.count(target.values.whole, k.whole)
		c.byWord.weigh(target.values.words, k.words)
	}
}

// lookAt compares one source field with a target field, which is all that is wanted of
// it.
func (c *comparison) lookAt(s, t int) {
	c.directions(s, s+1, t)
	n := len(c.source.fields)
	k, source, target := &c.column, &c.source.fields[s], &c.target.fields[t]
	for i := range target.names {
		k.grams[i*n+s] = float32(shared(source.names[0].grams, target.names[i].grams))
	}
	if source.values != nil && target.values != nil {
		k.whole[s] = float32(shared(source.values.whole, target.values.whole))
		k.words[s] = sharedWeight(source.values.words, target.values.words)
	}
}

// directions compares the directions of source fields with those of a target field.
func (c *comparison) directions(from, to, t int) {
	n := len(c.source.fields)
	k, target := &c.column, &c.target.fields[t]
	k.grow(n, len(target.names))
	for i := range target.names {
		target.names[i].meaning.Dots(c.meanings[from:to], k.names[i*n+from:i*n+to])
	}
	c.senseDots(from, to, target)
	target.names[0].meaning.Dots(c.values[from:to], k.targetNames[from:to])
	target.values.direction().Dots(c.meanings[from:to], k.sourceNames[from:to])
	target.values.direction().Dots(c.values[from:to], k.values[from:to])
}

// senseDots leaves out where there is no description on either side: the senses are those
// of the names.
func (c *comparison) senseDots(from, to int, target *sideField) {
	k := &c.column
	if target.sense != target.names[0].meaning {
		target.sense.Dots(c.senses[from:to], k.sense[from:to])
		return
	}
	target.sense.Dots(c.ownSenses[from:to], k.sense[from:to])
	for s := from; s < to; s++ {
		if c.senses[s] == c.meanings[s] {
			k.sense[s] = k.names[s]
		}
	}
}

// index enters what lookAtAll looks up.
func (c *comparison) index() {
	if c.indexed {
		return
	}
	c.indexed = true
	var grams, whole, words [][]uint64
	for i := range c.source.fields {
		f := &c.source.fields[i]
		grams = append(grams, f.names[0].grams)
		whole, words = append(whole, nil), append(words, nil)
		if f.values != nil {
			whole[i], words[i] = f.values.whole, f.values.words
		}
	}
	c.byGram, c.byValue, c.byWord = newSharing(grams), newSharing(whole), newSharing(words)
}
