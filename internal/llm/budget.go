package llm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

// Ledger keeps the accounts of what is spent on the model in a day, for all workers.
type Ledger interface {
	// Reserve sets an amount aside before it is spent. Its error is an
	// *analysis.SpentError when a budget does not have that much left.
	Reserve(ctx context.Context, tenantID string, amount analysis.Spending, budgets analysis.Budgets) (analysis.Reserved, error)
	// Spend puts what was spent in the place of what was set aside for it.
	Spend(ctx context.Context, reserved analysis.Reserved, spent analysis.Spending) error
}

const (
	// ledgerTimeout bounds what one entry of a ledger may take.
	ledgerTimeout = 5 * time.Second
	// ledgerRest is when to ask again after a ledger that did not answer. Nothing is
	// spent meanwhile that nobody counts.
	ledgerRest = 10 * time.Second
)

// reserve sets aside what an attempt will probably cost. Without budgets it does nothing.
func (c *Client) reserve(ctx context.Context, a attempt) (analysis.Reserved, failure) {
	if c.cfg.Budgets.None() || a.tenantID == "" {
		return analysis.Reserved{}, failure{}
	}
	amount := analysis.Spending{Tokens: int64(a.need.Tokens)}
	if c.cfg.Price != nil {
		amount.CostMicros = c.cfg.Price.micros(a.prompt, 0, a.need.Tokens-a.prompt)
	}
	bounded, cancel := context.WithTimeout(ctx, ledgerTimeout)
	defer cancel()
	reserved, err := c.cfg.Ledger.Reserve(bounded, a.tenantID, amount, c.cfg.Budgets)
	spent := new(analysis.SpentError)
	switch {
	case err == nil:
		return reserved, failure{}
	case errors.As(err, &spent):
		return analysis.Reserved{}, failure{ModelError: &analysis.ModelError{
			Kind: analysis.ModelBudget, RetryAfter: spent.Left, Detail: c.budgetText(spent), Err: err,
		}}
	}
	if ctx.Err() == nil {
		c.logger.WarnContext(ctx, "set an amount of the budget aside", slog.String("tenant_id", a.tenantID), slog.Any("error", err))
	}
	return analysis.Reserved{}, failure{ModelError: &analysis.ModelError{
		Kind: analysis.ModelUnavailable, RetryAfter: ledgerRest, Err: err,
		Detail: "the database does not say what is left of the budget, so nothing is spent for now",
	}}
}

// budgetText says which budget is spent, and what ends the waiting.
func (c *Client) budgetText(spent *analysis.SpentError) string {
	of, whose, group := c.cfg.Budgets.All, "", "ANALYSIS_"
	if spent.Tenant {
		of, whose, group = c.cfg.Budgets.Tenant, " of this tenant", "ANALYSIS_TENANT_"
	}
	amount, variable := fmt.Sprintf("%d tokens", of.Tokens), "TOKENS_PER_DAY"
	if spent.Cost {
		amount, variable = fmt.Sprintf("%.2f USD", float64(of.CostMicros)/1e6), "COST_PER_DAY"
	}
	return fmt.Sprintf("today's budget%s of %s is spent; the analysis goes on by itself after midnight UTC, or soon after %s is raised",
		whose, amount, group+variable)
}

// account tells the ledger what an attempt really cost.
func (c *Client) account(ctx context.Context, reserved analysis.Reserved, usage analysis.Usage) {
	if reserved == (analysis.Reserved{}) {
		return
	}
	spent := analysis.Spending{Tokens: int64(usage.PromptTokens) + int64(usage.CompletionTokens), CostMicros: usage.CostMicros}
	// What is spent is written also when the caller does not wait for it any more.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerTimeout)
	defer cancel()
	if err := c.cfg.Ledger.Spend(bounded, reserved, spent); err != nil {
		c.logger.WarnContext(ctx, "write what was spent of the budget; what was set aside for it counts until midnight UTC",
			slog.String("tenant_id", reserved.TenantID), slog.Any("error", err))
	}
}
