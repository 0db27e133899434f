package store

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

func TestBudgetsAreKept(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		budgets := analysis.Budgets{All: analysis.Spending{Tokens: 1000}, Tenant: analysis.Spending{Tokens: 700, CostMicros: 50}}
		reserve := func(tenantID string, tokens, cost int64) (analysis.Reserved, error) {
			return g.Reserve(t.Context(), tenantID, analysis.Spending{Tokens: tokens, CostMicros: cost}, budgets)
		}
		refused := func(tenantID string, tokens, cost int64, want analysis.SpentError) {
			t.Helper()
			_, err := reserve(tenantID, tokens, cost)
			got := new(analysis.SpentError)
			if !errors.As(err, &got) || got.Left <= 0 || got.Left > 24*time.Hour {
				t.Fatalf("reserve %d tokens for %s: %v, want a budget that is spent", tokens, tenantID, err)
			}
			if got.Left = 0; *got != want {
				t.Errorf("reserve %d tokens for %s: %+v, want %+v", tokens, tenantID, *got, want)
			}
		}
		first, err := reserve(g.tenant, 600, 10)
		g.must(err)
		refused(g.tenant, 101, 1, analysis.SpentError{Tenant: true})
		refused(g.tenant, 1, 41, analysis.SpentError{Tenant: true, Cost: true})
		refused("other", 401, 1, analysis.SpentError{})
		g.must(g.Spend(t.Context(), first, analysis.Spending{Tokens: 100, CostMicros: 49}))
		wantSpent := func(tenantID string, want analysis.Spending) {
			t.Helper()
			if got, err := g.Spent(t.Context(), tenantID); err != nil || got != want {
				t.Errorf("spent by %q: %+v %v, want %+v", tenantID, got, err, want)
			}
		}
		wantSpent(g.tenant, analysis.Spending{Tokens: 100, CostMicros: 49})
		wantSpent("", analysis.Spending{Tokens: 100, CostMicros: 49})
		wantSpent("other", analysis.Spending{})

		large, err := reserve("other", 5000, 5000) // more than there ever is, on a fresh account
		g.must(err)
		if want := (analysis.Spending{Tokens: 700, CostMicros: 50}); large.Amount != want {
			t.Errorf("reserved %+v, want it cut to %+v", large.Amount, want)
		}
		g.must(g.Spend(t.Context(), large, analysis.Spending{Tokens: 5000}))
		wantSpent("", analysis.Spending{Tokens: 5100, CostMicros: 49})
		refused(g.tenant, 1, 0, analysis.SpentError{})

		// Nothing goes below zero, and another day is another account.
		g.must(g.Spend(t.Context(), analysis.Reserved{TenantID: g.tenant, Day: first.Day, Amount: analysis.Spending{Tokens: 9999, CostMicros: 9999}}, analysis.Spending{}))
		wantSpent(g.tenant, analysis.Spending{})
		g.sql("UPDATE schemacast_spending SET day = day - 1, tokens = 100000")
		_, err = reserve(g.tenant, 700, 50)
		g.must(err)
	})
}

// TestBudgetIsNotOverdrawnAtOnce has many workers reserve at the same time.
func TestBudgetIsNotOverdrawnAtOnce(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		const workers, each, fits = 8, 10, 33
		budgets := analysis.Budgets{All: analysis.Spending{Tokens: 10*fits + 9}, Tenant: analysis.Spending{Tokens: 10 * workers * each}}
		var passed, spent atomic.Int64
		var group sync.WaitGroup
		for w := range workers {
			group.Go(func() {
				for range each {
					_, err := g.Reserve(t.Context(), strconv.Itoa(w), analysis.Spending{Tokens: 10}, budgets)
					switch {
					case err == nil:
						passed.Add(1)
					case errors.As(err, new(*analysis.SpentError)):
						spent.Add(1)
					default:
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if passed.Load() != fits || spent.Load() != workers*each-fits {
			t.Errorf("%d passed and %d were refused, want %d to pass", passed.Load(), spent.Load(), fits)
		}
		g.wantValue(strconv.Itoa(10*fits), "SELECT sum(tokens) FROM schemacast_spending WHERE tenant_id <> ''") // a refusal leaves nothing
	})
}
