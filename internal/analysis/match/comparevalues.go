package match

// compareValues fills the features of values, where source field s has a, but for how
// they are written in detail.
func (c *comparison) compareValues(f *features, s int, a, b *values) {
	if a == nil || b == nil {
		f[featureNoValues] = 1
		return
	}
	f[featureValues] = ratio(c.column.whole[s], float32(min(len(a.whole), len(b.whole))))
	f[featureValueWords] = ratio(c.column.words[s], min(a.weight, b.weight))
	f[featureValueMeaning] = c.column.values[s]
	if a.numbers && b.numbers {
		f[featureRange] = rangeLikeness(a, b)
	}
	switch like := kindLikeness[a.kind][b.kind]; {
	case like > 0:
		f[featureKind] = like
	case a.kind != kindNone && b.kind != kindNone:
		f[featureOtherKind] = 1
	}
}

// comparePatterns adds how values are written to an outline.
func (c *comparison) comparePatterns(f *features, s, t int) {
	if a, b := c.source.fields[s].values, c.target.fields[t].values; a != nil && b != nil {
		f[featurePattern] = a.pattern.like(&b.pattern)
	}
}

// sharedWeight is the weight of the words that are in both sets.
func sharedWeight(a, b []uint64) float32 {
	sum := float32(0)
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			sum += weightOf(a[i])
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return sum
}

func totalWeight(words []uint64) float32 {
	sum := float32(0)
	for _, w := range words {
		sum += weightOf(w)
	}
	return sum
}

// rangeLikeness is how much of two ranges of magnitudes is common.
func rangeLikeness(a, b *values) float32 {
	inside := min(a.high, b.high) - max(a.low, b.low)
	all := max(a.high, b.high) - min(a.low, b.low)
	if all < 0.3 { // a factor of two
		return 1
	}
	return max(0, (inside+0.3)/(all+0.3))
}

// kindLikeness is what it tells that two fields are written in these ways: everything
// is a word, few things are addresses. Zero is that they exclude each other.
var kindLikeness = func() (like [kindCount][kindCount]float32) {
	for k, same := range [kindCount]float32{
		kindWord: 0.3, kindText: 0.3, kindProse: 0.7, kindCode: 0.4, kindInteger: 0.3, kindDecimal: 0.4, kindYear: 0.8,
		kindDate: 0.9, kindTime: 0.9, kindFlag: 0.5, kindURL: 1, kindEmail: 1, kindPhone: 0.9, kindUUID: 0.6,
	} {
		like[k][k] = same
	}
	for _, p := range []struct {
		a, b kind
		like float32
	}{
		{kindWord, kindText, 0.2}, {kindText, kindProse, 0.2}, {kindWord, kindCode, 0.15}, {kindText, kindCode, 0.1},
		{kindInteger, kindDecimal, 0.25}, {kindInteger, kindYear, 0.05}, {kindYear, kindDate, 0.6}, {kindYear, kindTime, 0.4},
		{kindDate, kindTime, 0.8}, {kindCode, kindInteger, 0.15}, {kindCode, kindPhone, 0.1}, {kindInteger, kindPhone, 0.1},
		{kindWord, kindFlag, 0.1}, {kindInteger, kindFlag, 0.05}, {kindCode, kindUUID, 0.2}, {kindText, kindURL, 0.02},
	} {
		like[p.a][p.b], like[p.b][p.a] = p.like, p.like
	}
	return like
}()
