package match

import "math"

// judged is a pair of fields: a source field's row has many.
type judged struct {
	target int32
	raw    float32 // the weighted features: comparable within one comparison
	own    float32 // what the features add to the decision, beside raw
	usable float32 // what is left of the score where types or meanings exclude each other
	equal  bool    // the names are the same, or were mapped before
}

// judge weighs the features of a pair.
func judge(target int, f *features) judged {
	j := judged{target: int32(target), usable: usable(f), equal: f[featureEqual] == 1}
	for i, x := range f {
		j.raw += rankWeights[i] * x
		j.own += decisionWeights[i] * x
	}
	return j
}

// rank is judged.raw alone.
func rank(f *features) float32 {
	raw := float32(0)
	for i, x := range f {
		raw += rankWeights[i] * x
	}
	return raw
}

// usable is a rule and not fitted: the labelled sets hold next to no pair whose types
// contradict each other, and in a database such a mapping fails.
func usable(f *features) float32 {
	left := min(0.2+f[featureFit], 1)
	if f[featureFit] >= 0.8 { // text holds anything
		left = 0.8 + 0.2*f[featureFit]
	}
	if f[featureOtherSemantic] > 0 {
		left *= 0.85
	}
	return left
}

// ranked is the best of a row or a column and the second.
type ranked struct{ first, second float32 }

// nothing is the raw score of no competitor: below it nothing competes.
const nothing = -3

func (r *ranked) add(raw float32) {
	if raw > r.first {
		r.first, r.second = raw, r.first
	} else {
		r.second = max(r.second, raw)
	}
}

// lead is how far a pair is in front of the best other pair, or behind it.
func (r *ranked) lead(raw float32) float64 {
	other := r.first
	if raw == r.first {
		other = r.second
	}
	return min(max(float64(raw-other), -4), 3)
}

const (
	// equalScore is the least of a pair of the same name: a crowd of fields makes a good
	// fit by chance likelier, but not an equal name.
	equalScore = 0.8
	// someEvidence is the raw score below which a pair is not taken for want of another:
	// in a small table that alone would do. Nine in ten unrelated pairs are below.
	someEvidence = 1.33
	leftOver     = 0.05
	// mostTargets and mostSources are about what the labelled sets have: beyond, the
	// weights are not known to hold.
	mostTargets = 800
	mostSources = 200
)

// decide turns raw scores into what they mean: a source field belongs into a target
// field when the pair fits, and fits better than what competes for either. The
// number of fields on both sides says how likely a good fit is by chance.
func decide(rows [][]judged, sources, targets int) [][]Candidate {
	byRow, byTarget := make([]ranked, sources), make([]ranked, targets)
	for i := range byRow {
		byRow[i] = ranked{first: nothing, second: nothing}
	}
	for i := range byTarget {
		byTarget[i] = ranked{first: nothing, second: nothing}
	}
	for s, row := range rows {
		for _, j := range row {
			byRow[s].add(j.raw)
			byTarget[j.target].add(j.raw)
		}
	}
	crowd := decisionBias + decisionTargets*math.Log(float64(min(targets, mostTargets))) +
		decisionSources*math.Log(float64(min(sources, mostSources)))
	decided := make([][]Candidate, len(rows))
	for s, row := range rows {
		decided[s] = make([]Candidate, len(row))
		for i, j := range row {
			inRow, inTarget := byRow[s].lead(j.raw), byTarget[j.target].lead(j.raw)
			logit := crowd + decisionRaw*float64(j.raw) + float64(j.own) +
				decisionRowLead*inRow + decisionRowBehind*min(inRow, 0) +
				decisionTargetLead*inTarget + decisionTargetBehind*min(inTarget, 0)
			score := sigmoid(logit)
			if j.equal {
				score = max(score, equalScore)
			}
			if j.raw < someEvidence {
				score *= leftOver
			}
			decided[s][i] = Candidate{Target: int(j.target), Score: score * float64(j.usable)}
		}
	}
	return decided
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
