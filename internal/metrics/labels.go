package metrics

import (
	"slices"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// other is the label of what is not known, none that of what is not there.
const (
	other = "other"
	none  = "none"
)

// The values that labels may have. Whoever adds a code adds it here; until then it counts
// as other.
var (
	classes  = []string{"completed", "retry", "snooze", "permanent", "lost", "cancelled", "drain", "gave_up"}
	outcomes = []string{
		string(run.OutcomeCompleted), string(run.OutcomeKeptHuman), string(run.OutcomeSchemaGone), string(run.OutcomeFailed),
		string(run.OutcomeCancelled), string(run.OutcomeFieldsChanged), string(run.OutcomeEntityGone),
	}
	refusals = []string{
		string(run.RefusedNothing), string(run.RefusedBusy), string(run.RefusedTenantFull), string(run.RefusedUnavailable),
		string(run.RefusedUnknown), string(run.RefusedRejected), string(run.RefusedVersion), string(run.RefusedFailed),
	}
	engines = []string{string(schema.EngineLLM), string(schema.EngineOffline)}
	kinds   = []string{
		string(schema.EventStarted), string(schema.EventProgress), string(schema.EventCompleted), string(schema.EventFailed),
	}
	verifications = []string{
		analysis.CodeNoTarget, analysis.CodeUnknownField, analysis.CodeTypeMismatch, analysis.CodeFormulaFailed,
		analysis.CodeTargetTaken, analysis.CodeRequiredMissing,
	}
	// fallbacks are the reviews that say that the matcher did what the model should have.
	fallbacks = []string{
		analysis.ReviewFallbackOffline, analysis.ReviewRepairFailed, analysis.ReviewPartUnanswered, analysis.ReviewBeyondLimit,
	}
	modelErrors = []string{
		string(analysis.ModelUnavailable), string(analysis.ModelRateLimited), string(analysis.ModelQuota), string(analysis.ModelBudget),
		string(analysis.ModelBadAnswer), string(analysis.ModelRefused), string(analysis.ModelTooLarge), string(analysis.ModelConfig),
		string(llm.Stopped),
	}
	limits = []string{
		limitTenantSlots, limitServerRate, limitServerQuota, limitQuestions, string(llm.LimitBreaker), string(llm.LimitRate),
		string(llm.LimitBudget), string(llm.LimitTenantBudget), string(llm.LimitLedger),
	}
	codes = func() (list []string) {
		for _, c := range run.Codes() {
			list = append(list, string(c))
		}
		return list
	}()
)

// The limits that are not withheld requests.
const (
	limitTenantSlots = "tenant_slots" // a tenant has as many runs going on as it may
	limitServerRate  = "server_rate"  // the server of the model limits the rate
	limitServerQuota = "server_quota" // its account is out of money
	limitQuestions   = "questions"    // a schema needs more questions than one analysis may ask
)

// bounded returns a value that may be a label: one of the known ones, none or other.
func bounded[T ~string](value T, known []string) string {
	switch text := string(value); {
	case text == "":
		return none
	case slices.Contains(known, text):
		return text
	default:
		return other
	}
}

func (m *Metrics) model(name string) string {
	if m.models[name] {
		return name
	}
	return other
}
