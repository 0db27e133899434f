package analysis

import (
	"fmt"
	"strings"

	"github.com/schemacast/schemacast/internal/analysis/formula"
	"github.com/schemacast/schemacast/internal/schema"
)

// why is the model's reason, else the evidence in a sentence. It names fields and
// counts, never a value.
func why(src *source, it item, ev evidence, report formula.Report) string {
	own := evidenceText(it, ev, report)
	if text := plain(it.why, maxWhy); text != "" {
		return src.withoutValues(text, own)
	}
	return own
}

func evidenceText(it item, ev evidence, report formula.Report) string {
	var parts []string
	switch {
	case it.derived:
		parts = append(parts, "field of the new entity made from this field")
	case it.op == schema.OpConstant:
		parts = append(parts, "the same value for every record")
	case ev.named == 1:
		parts = append(parts, "the same name, or one that was mapped here before")
	default:
		parts = append(parts, fmt.Sprintf("names and types fit with %.2f", ev.score))
	}
	if ran := report.Rows - report.Absent; ran > 0 {
		parts = append(parts, fmt.Sprintf("formula gave a value on %d of %d sample rows", min(report.Produced, ran), ran))
	} else {
		parts = append(parts, "no sample value to run the formula on")
	}
	return strings.Join(parts, "; ")
}
