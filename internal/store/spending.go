package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

// everybody is in the place of a tenant's id in the row of all tenants together.
const everybody = ""

// dayMs is a day in milliseconds.
const dayMs = 24 * 60 * 60 * 1000

// Reserve sets an amount aside in today's account of a tenant, and in that of all
// tenants, as far as these have bounds. It sets aside either in both or in none, and
// then its error is an *analysis.SpentError. More than a bound holds is cut to it, so that
// something that is never affordable at once passes on a day on which nothing was spent.
// An amount that nobody settles stays set aside until the day is over.
func (s *Store) Reserve(
	ctx context.Context, tenantID string, amount analysis.Spending, budgets analysis.Budgets,
) (analysis.Reserved, error) {
	reserved := analysis.Reserved{TenantID: tenantID, Amount: amount}
	for _, bound := range []analysis.Spending{budgets.All, budgets.Tenant} {
		reserved.Amount.Tokens = atMost(reserved.Amount.Tokens, bound.Tokens)
		reserved.Amount.CostMicros = atMost(reserved.Amount.CostMicros, bound.CostMicros)
	}
	err := s.transact(ctx, func(t *tx) error {
		now, err := t.now()
		if err != nil {
			return err
		}
		reserved.Day = now.UnixMilli() / dayMs
		// The tenant's row first: that of all is the busy one, and is held most shortly.
		if err := t.reserve(reserved, tenantID, budgets.Tenant); err != nil {
			return err
		}
		return t.reserve(reserved, everybody, budgets.All)
	})
	spent := new(analysis.SpentError)
	if errors.As(err, &spent) {
		return analysis.Reserved{}, spent
	}
	if err != nil {
		return analysis.Reserved{}, fmt.Errorf("set an amount of the budget aside: %w", err)
	}
	return reserved, nil
}

func atMost(n, bound int64) int64 {
	if bound > 0 {
		return min(n, bound)
	}
	return n
}

func orEndless(bound int64) int64 {
	if bound == 0 {
		return math.MaxInt64
	}
	return bound
}

func (t *tx) reserve(r analysis.Reserved, account string, bound analysis.Spending) error {
	if bound == (analysis.Spending{}) {
		return nil
	}
	n, err := t.exec("INSERT INTO schemacast_spending (day, tenant_id, tokens, cost_micros) VALUES (?, ?, ?, ?) "+
		"ON CONFLICT (day, tenant_id) DO UPDATE SET tokens = schemacast_spending.tokens + excluded.tokens, cost_micros = schemacast_spending.cost_micros + excluded.cost_micros "+
		"WHERE schemacast_spending.tokens + excluded.tokens <= ? AND schemacast_spending.cost_micros + excluded.cost_micros <= ?",
		r.Day, account, r.Amount.Tokens, r.Amount.CostMicros, orEndless(bound.Tokens), orEndless(bound.CostMicros))
	if err != nil || n == 1 {
		return err
	}
	var have struct{ Tokens, CostMicros, NowMs int64 }
	if _, err := t.query(&have, "SELECT tokens, cost_micros, "+t.store.dialect.now+" AS now_ms FROM schemacast_spending WHERE day = ? AND tenant_id = ?",
		r.Day, account); err != nil {
		return err
	}
	return &analysis.SpentError{
		Tenant: account != everybody,
		Cost:   have.Tokens+r.Amount.Tokens <= orEndless(bound.Tokens),
		Left:   time.Duration((r.Day+1)*dayMs-have.NowMs) * time.Millisecond,
	}
}

// Spend puts what was spent in the place of what was set aside for it, in the accounts
// of the same day.
func (s *Store) Spend(ctx context.Context, r analysis.Reserved, spent analysis.Spending) error {
	tokens, cost := spent.Tokens-r.Amount.Tokens, spent.CostMicros-r.Amount.CostMicros
	if tokens == 0 && cost == 0 {
		return nil
	}
	err := s.transact(ctx, func(t *tx) error {
		for _, account := range []string{r.TenantID, everybody} { // in the order of Reserve
			_, err := t.exec("UPDATE schemacast_spending SET "+
				"tokens = CASE WHEN tokens > ? THEN tokens + ? ELSE 0 END, cost_micros = CASE WHEN cost_micros > ? THEN cost_micros + ? ELSE 0 END "+
				"WHERE day = ? AND tenant_id = ?", -tokens, tokens, -cost, cost, r.Day, account)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle an amount of the budget: %w", err)
	}
	return nil
}

// Spent returns what was spent today, by all tenants for an empty id. It knows only what
// a budget bounds.
func (s *Store) Spent(ctx context.Context, tenantID string) (analysis.Spending, error) {
	var spent analysis.Spending
	err := s.db.WithContext(ctx).Raw("SELECT tokens, cost_micros FROM schemacast_spending WHERE tenant_id = ? AND day = "+s.dialect.now+" / ?",
		tenantID, dayMs).Scan(&spent).Error
	if err != nil {
		return spent, fmt.Errorf("read what was spent today: %w", translate(err))
	}
	return spent, nil
}
