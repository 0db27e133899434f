package match

// column is what source fields have in common with one target field, by source field.
type column struct {
	grams        []float32 // how many trigrams, by the target's name, then by source field
	akin         []bool    // whether words of the names are alike at all, likewise
	values       []float32 // directions
	whole, words []float32 // how many values are the same, and the weight of common words
}

func (k *column) grow(sources, names int) {
	k.grams, k.akin = sized(k.grams, sources*names), sized(k.akin, sources*names)
	k.values, k.whole, k.words = sized(k.values, sources), sized(k.whole, sources), sized(k.words, sources)
}

// sized is list or a longer one, with n values that mean nothing yet.
func sized[T any](list []T, n int) []T {
	if cap(list) < n {
		return make([]T, n)
	}
	return list[:n]
}

// lookAtAll compares all source fields with a target field.
func (c *comparison) lookAtAll(t int) {
	c.index()
	n := len(c.source.fields)
	k, target := &c.column, &c.target.fields[t]
	k.grow(n, len(target.names))
	for i := range target.names {
		c.byGram.count(target.names[i].grams, k.grams[i*n:(i+1)*n])
		c.findAkin(target.names[i].words, k.akin[i*n:(i+1)*n])
	}
	if target.values != nil {
		target.values.meaning.Dots(c.values, k.values)
		c.byValue.count(target.values.whole, k.whole)
		c.byWord.weigh(target.values.words, k.words)
	}
}

// findAkin tells the source fields apart whose names have nothing like any of words:
// most have not.
func (c *comparison) findAkin(words []int32, akin []bool) {
	clear(akin)
	for _, word := range words {
		for _, like := range c.names.kin(word) {
			for _, s := range c.having[like] {
				akin[s] = true
			}
		}
	}
}

// lookAt compares one source field with a target field, which is all that is wanted of
// it.
func (c *comparison) lookAt(s, t int) {
	n := len(c.source.fields)
	k, source, target := &c.column, &c.source.fields[s], &c.target.fields[t]
	k.grow(n, len(target.names))
	for i := range target.names {
		k.grams[i*n+s] = float32(shared(source.names[0].grams, target.names[i].grams))
		k.akin[i*n+s] = true
	}
	if source.values != nil && target.values != nil {
		k.values[s] = target.values.meaning.Dot(source.values.meaning)
		k.whole[s] = float32(shared(source.values.whole, target.values.whole))
		k.words[s] = sharedWeight(source.values.words, target.values.words)
	}
}

// index enters what lookAtAll looks up.
func (c *comparison) index() {
	if c.indexed {
		return
	}
	c.indexed = true
	n := len(c.source.fields)
	lists := make([][]uint64, 3*n)
	grams, whole, words := lists[:n], lists[n:2*n], lists[2*n:]
	c.having = sized(c.having, len(c.source.names.words))
	for word := range c.having {
		c.having[word] = c.having[word][:0]
	}
	for i := range c.source.fields {
		f := &c.source.fields[i]
		grams[i] = f.names[0].grams
		if f.values != nil {
			whole[i], words[i] = f.values.whole, f.values.words
		}
		for _, word := range f.names[0].words {
			c.having[word] = append(c.having[word], int32(i))
		}
	}
	c.byGram.enter(grams)
	c.byValue.enter(whole)
	c.byWord.enter(words)
}
