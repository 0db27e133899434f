package analysis

import (
	"fmt"
	"math"
	"strings"

	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// offlineCap is the highest confidence of a mapping that no model has seen.
	offlineCap = 0.75
	// certain is the highest confidence of any mapping: nobody has confirmed it.
	certain = 0.99
	// doubtfulBelow sends a mapping to review.
	doubtfulBelow = 0.5
	// clearMargin is the lead over the second-best target that leaves no doubt.
	clearMargin = 0.3
)

// confidence weighs the evidence for a mapping, 0 to 1, in two decimals:
//
//	a model's mapping    .25 band + .20 agreement + .20 score + .20 rows + .10 type + .05 margin
//	the matcher's own    .55 score + .15 margin + .15 rows + .15 type, at most .75
//
// band is the model's word (high 1, medium .6, low .3), agreement that the matcher
// alone would have made the same pair, score and margin are the matcher's, rows is
// the share of sample rows with a source value that gave a fitting value (.5 when there was
// none to run on), type how well the types fit. A constant has neither score nor
// agreement, and so never passes for a sure one.
func confidence(src *source, dst *target, it item, position int, report formula.Report) float64 {
	score, margin, agreement, fit := pairEvidence(src, dst, it, position)
	checked := 0.5
	if ran := report.Rows - report.Absent; ran > 0 {
		checked = min(1, float64(report.Produced-report.Misfits)/float64(ran))
	}
	if it.engine == schema.EngineOffline {
		return hundredths(min(offlineCap, 0.55*score+0.15*margin+0.15*checked+0.15*fit))
	}
	sum := 0.25*bandValue(it.band) + 0.20*agreement + 0.20*score + 0.20*checked + 0.10*fit + 0.05*margin
	return hundredths(min(certain, sum))
}

func pairEvidence(src *source, dst *target, it item, position int) (score, margin, agreement, fit float64) {
	if it.derived {
		return 1, 1, 1, 1
	}
	for _, p := range it.sources {
		s, m := dst.evidence(p, position)
		if s > score {
			score, margin = s, min(1, m/clearMargin)
		}
		if dst.agrees(p, position) {
			agreement = 1
		}
		fit = max(fit, match.Fit(src.profiles[p].Family, dst.families[position]))
	}
	return score, margin, agreement, fit
}

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

func hundredths(v float64) float64 { return math.Round(v*100) / 100 }

// why is the model's reason, else the evidence in a sentence. It names fields and
// counts, never a value.
func why(src *source, dst *target, it item, m schema.Mapping, report formula.Report) string {
	own := evidenceText(src, dst, it, m, report)
	if text := plain(it.why, maxWhy); text != "" {
		return src.withoutValues(text, own)
	}
	return own
}

func evidenceText(src *source, dst *target, it item, m schema.Mapping, report formula.Report) string {
	var parts []string
	switch {
	case it.derived:
		parts = append(parts, "field of the new entity made from this field")
	case it.op == schema.OpConstant:
		parts = append(parts, "the same value for every record")
	default:
		score, _, _, _ := pairEvidence(src, dst, it, dst.position[m.Target])
		parts = append(parts, fmt.Sprintf("names and types fit with %.2f", score))
	}
	if ran := report.Rows - report.Absent; ran > 0 {
		parts = append(parts, fmt.Sprintf("formula gave a value on %d of %d sample rows", min(report.Produced, ran), ran))
	} else {
		parts = append(parts, "no sample value to run the formula on")
	}
	return strings.Join(parts, "; ")
}
