package analysis

import (
	"math"

	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// evidence is all that speaks for a mapping, each from 0 (nothing) to 1.
type evidence struct {
	score     float64 // the matcher's, calibrated: how probable it holds the pair
	margin    float64 // how far the pair is above the best other target of the source
	rank      float64 // 1 for the matcher's first choice, 1/2 for its second, 0 for none
	named     float64 // the source is called as the target, or as an alias of it
	fit       float64 // how well the types fit
	rows      float64 // share of the sample rows on which the formula gave a fitting value
	lead      float64 // how clearly the entity is ahead of every other one
	agreement float64 // the matcher alone would have made the same pair
	band      float64 // the model's word
	model     bool    // a model made the mapping; without one the last two say nothing
	checked   bool    // there was a row to run the formula on; rows is a half without
}

const (
	// offlineCap is the highest confidence of a mapping that no model has seen.
	offlineCap = 0.75
	// certain is the highest confidence of any mapping: nobody has confirmed it.
	certain = 0.99
	// doubtfulBelow sends a mapping to review.
	doubtfulBelow = 0.5
	// clearMargin is the lead over the second-best target that leaves no doubt.
	clearMargin = 0.3
	// extremeScore bounds what the matcher's score alone may say: it never rules a
	// pair in or out.
	extremeScore = 0.95
)

// The coefficients of the logistic. The matcher's score is calibrated on labelled
// sets, so it enters as its log-odds and a mapping of the matcher alone starts from
// there. The others are argued, not fitted, since no labelled set has answers of a
// model: the model's band and what happened on real rows weigh as much as a score
// that goes from a guess to a certainty, agreement half of that, since matcher and
// model often look at the same words (DINCO, ICLR 2026), and the rest little.
// All are positive: more evidence never makes a mapping less sure.
const (
	weighScore     = 2.0
	weighMargin    = 0.4
	weighRank      = 0.4
	weighNamed     = 0.8
	weighFit       = 0.6
	weighRows      = 1.2
	weighLead      = 0.4
	weighAgreement = 0.8
	weighBand      = 1.6

	// With everything for it a model's mapping comes to 0.99; with a sure model, good
	// rows, and nothing else, to little more than a half; with an unsure one to less.
	modelIntercept = -1.6
	// A pair of the matcher with a score of 0.5, fitting types and no rows comes to
	// about a half.
	matcherIntercept = -1.8
)

// confidence is the logistic of the evidence, 0 to 1, in two decimals.
func (e evidence) confidence() float64 {
	z := weighScore*e.scoreOdds() + weighMargin*e.margin + weighRank*e.rank + weighNamed*e.named +
		weighFit*e.fit + weighRows*e.rows + weighLead*e.lead
	if !e.model {
		return hundredths(min(offlineCap, logistic(matcherIntercept+z)))
	}
	z += weighAgreement*e.agreement + weighBand*e.band
	return hundredths(min(certain, logistic(modelIntercept+z)))
}

// scoreOdds are the log-odds of the score, scaled to -1 to 1.
func (e evidence) scoreOdds() float64 {
	p := max(1-extremeScore, min(extremeScore, e.score))
	return math.Log(p/(1-p)) / math.Log(extremeScore/(1-extremeScore))
}

func logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

func hundredths(v float64) float64 { return math.Round(v*100) / 100 }

// evidenceFor collects what speaks for an item whose formula gave report.
func evidenceFor(src *source, dst *target, it item, position int, report formula.Report) evidence {
	e := evidence{rows: 0.5, model: it.engine != schema.EngineOffline, band: bandValue(it.band), lead: dst.clear()}
	if ran := report.Rows - report.Absent; ran > 0 {
		e.rows, e.checked = min(1, max(0, float64(report.Produced-report.Misfits)/float64(ran))), true
	}
	if it.derived {
		e.score, e.margin, e.rank, e.named, e.fit, e.agreement = 1, 1, 1, 1, 1, 1
		return e
	}
	for _, s := range it.sources {
		e.add(src, dst, s, position)
	}
	return e
}

// add takes the better of what two sources of one mapping say. Only one source can
// be what the target is called.
func (e *evidence) add(src *source, dst *target, s, position int) {
	score, margin := dst.evidence(s, position)
	if score > e.score {
		e.score, e.margin = score, min(1, margin/clearMargin)
	}
	e.rank = max(e.rank, dst.rank(s, position))
	e.fit = max(e.fit, match.Fit(src.profiles[s].Family, dst.families[position]))
	if dst.agrees(s, position) {
		e.agreement = 1
	}
	if dst.named(src, s, position) {
		e.named = 1
	}
}

// supported says that a mapping does not rest on one opinion: matcher and model
// agree, or the names do.
func (e evidence) supported() bool { return e.named == 1 || e.model && e.agreement == 1 }

func bandValue(b Band) float64 {
	switch b {
	case BandHigh:
		return 1
	case BandMedium:
		return 0.6
	default:
		return 0.3 // also an unknown word
	}
}
