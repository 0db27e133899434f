package analysis

import (
	"fmt"
	"time"
)

// Spending is an amount of a language model's work.
type Spending struct {
	Tokens     int64 // to and from the model
	CostMicros int64 // millionths of a US dollar
}

// Budgets bound what is spent on the model in a day (UTC). A zero is no bound.
type Budgets struct {
	All    Spending // of all tenants together
	Tenant Spending // of each one
}

// None says that nothing is bounded.
func (b Budgets) None() bool { return b == Budgets{} }

// Reserved is an amount that was set aside before it is spent.
type Reserved struct {
	TenantID string
	Day      int64 // since 1970-01-01, by the clock of whoever keeps the account
	Amount   Spending
}

// SpentError says that what was to be set aside does not fit into a budget.
type SpentError struct {
	Tenant bool          // the budget is that of one tenant
	Cost   bool          // and bounds money, not tokens
	Left   time.Duration // of the day
}

func (e *SpentError) Error() string {
	whose, of := "all tenants", "tokens"
	if e.Tenant {
		whose = "the tenant"
	}
	if e.Cost {
		of = "money"
	}
	return fmt.Sprintf("the day's budget of %s for %s is spent", of, whose)
}
