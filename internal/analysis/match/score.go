package match

const (
	// meaningScore is what equal strong meanings are worth without a word in common.
	meaningScore = 0.55
	// otherMeaning is the price of two known meanings that differ.
	otherMeaning = 0.8
)

// pairScore is how well a source field fits a target field, 0 to 1: the weighted
// Dice overlap of their words, or their common meaning, cut by how well the types
// fit. 1 means the same words and the same type.
func pairScore(source *queryField, target *indexedField, matched, sourceTotal, targetTotal float32) float64 {
	evidence := 0.0
	if sourceTotal+targetTotal > 0 {
		matched = min(matched, sourceTotal, targetTotal)
		evidence = 2 * float64(matched) / float64(sourceTotal+targetTotal)
	}
	switch {
	case source.semantic == "" || target.semantic == "":
	case source.semantic == target.semantic:
		if source.semantic.strong() {
			// Common words still tell two addresses of one row apart.
			evidence = max(evidence, meaningScore+(1-meaningScore)*evidence*0.9)
		}
	case source.semantic.strong() || target.semantic.strong():
		evidence *= otherMeaning
	}
	return evidence * typeFactor(Fit(source.family, target.family))
}

// typeFactor softens the fit of types: producers write numbers as text and dates as
// anything, so a doubtful type must not hide an equal name.
func typeFactor(fit float64) float64 { return 0.3 + 0.7*fit }
