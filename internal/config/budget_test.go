package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBudgetsAndPrices(t *testing.T) {
	t.Parallel()
	cfg := load(t, pairs(
		"OPENAI_MODEL=openai/gpt-4.1:free",
		"ANALYSIS_PRICES= gpt-4.1=2/0.5/8 , openai/gpt-4.1:free=0.4/ 0.1 /1.6,",
		"ANALYSIS_TOKENS_PER_DAY=5000000000", "ANALYSIS_TENANT_COST_PER_DAY=0.25",
	)).Analysis
	if diff := cmp.Diff(&Price{Input: 0.4, CachedInput: 0.1, Output: 1.6}, cfg.Price); diff != "" {
		t.Errorf("price (-want +got)\n%s", diff)
	}
	if want := (Budget{Tokens: 5_000_000_000}); cfg.Budget != want {
		t.Errorf("budget %+v, want %+v", cfg.Budget, want)
	}
	if want := (Budget{CostMicros: 250_000}); cfg.TenantBudget != want {
		t.Errorf("budget of a tenant %+v, want %+v", cfg.TenantBudget, want)
	}
	if cfg := load(t, pairs("ANALYSIS_PRICES=gpt-4.1=2/0.5/8")).Analysis; cfg.Price != nil {
		t.Errorf("the price of another model was taken: %+v", cfg.Price)
	}
}
