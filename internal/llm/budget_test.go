package llm

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// accounts is a Ledger in memory that can refuse.
type accounts struct {
	mu       sync.Mutex
	refusal  error
	reserved []analysis.Reserved
	spent    []analysis.Spending
}

func (a *accounts) Reserve(_ context.Context, tenantID string, amount analysis.Spending, _ analysis.Budgets) (analysis.Reserved, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refusal != nil {
		return analysis.Reserved{}, a.refusal
	}
	r := analysis.Reserved{TenantID: tenantID, Day: 1, Amount: amount}
	a.reserved = append(a.reserved, r)
	return r, nil
}

func (a *accounts) Spend(_ context.Context, _ analysis.Reserved, spent analysis.Spending) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spent = append(a.spent, spent)
	return nil
}

// budgeted is a client with budgets, and a price at which a token costs a dollar or two.
func budgeted(a *accounts) func(cfg *Config) {
	return func(cfg *Config) {
		cfg.Ledger, cfg.Price = a, &Price{Input: 1e6, CachedInput: 5e5, Output: 2e6}
		cfg.Budgets = analysis.Budgets{All: analysis.Spending{Tokens: 1000}, Tenant: analysis.Spending{CostMicros: 2_500_000}}
	}
}

func TestReservesAndSpends(t *testing.T) {
	t.Parallel()
	a := &accounts{}
	b := setup(t, budgeted(a), llmtest.ServerError(), llmtest.Reported(llmtest.Good(), `{"prompt_tokens":100,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":40}}`))
	answer, err := b.Ask(testContext(t), customerQuestion())
	if err != nil {
		t.Fatalf("Ask: %v", err)
	}
	if len(a.reserved) != 2 || a.reserved[0] != a.reserved[1] || a.reserved[0].TenantID != customerQuestion().TenantID {
		t.Fatalf("reserved %+v, want the same for the tenant twice", a.reserved)
	}
	if amount := a.reserved[0].Amount; amount.Tokens < 1000 || amount.CostMicros < 1e6*amount.Tokens || amount.CostMicros > 2e6*amount.Tokens {
		t.Errorf("reserved %+v, want the prompt at one dollar a token and the answer at two", amount)
	}
	const micros = 60e6 + 40e6/2 + 10*2e6
	if diff := cmp.Diff([]analysis.Spending{{}, {Tokens: 110, CostMicros: micros}}, a.spent); diff != "" {
		t.Errorf("spent (-want +got)\n%s", diff)
	}
	want := analysis.Usage{Calls: 2, PricedCalls: 2, PromptTokens: 100, CachedTokens: 40, CompletionTokens: 10, CostMicros: micros}
	if diff := cmp.Diff(want, answer.Usage); diff != "" {
		t.Errorf("usage (-want +got)\n%s", diff)
	}
	if _, err := b.Ask(testContext(t), customerQuestion()); err != nil || len(a.reserved) != 2 {
		t.Errorf("an answer of the cache: %v, %d reservations, want no further one", err, len(a.reserved))
	}
}

func TestSpentBudgetWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spent analysis.SpentError
		want  string
	}{
		{"all", analysis.SpentError{}, "today's budget of 1000 tokens is spent"},
		{"variable", analysis.SpentError{}, "ANALYSIS_TOKENS_PER_DAY is raised"},
		{"tenant", analysis.SpentError{Tenant: true, Cost: true}, "today's budget of this tenant of 2.50 USD is spent"},
		{"variable of the tenant", analysis.SpentError{Tenant: true, Cost: true}, "ANALYSIS_TENANT_COST_PER_DAY is raised"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.spent.Left = 5 * time.Hour
			b := setup(t, budgeted(&accounts{refusal: &c.spent}))
			_, err := b.Ask(testContext(t), customerQuestion())
			e := analysis.ModelErrorOf(err)
			if e == nil || e.Kind != analysis.ModelBudget || e.RetryAfter != 5*time.Hour || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want a spent budget that says %q", err, c.want)
			}
			if b.server.Count() != 0 {
				t.Errorf("%d requests, want none", b.server.Count())
			}
		})
	}
}

// TestBudgetThatCanNotBeAskedSpendsNothing: a database that is away must not cost money,
// nor an attempt.
func TestBudgetThatCanNotBeAskedSpendsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, budgeted(&accounts{refusal: errors.New("database is away")}))
	_, err := b.Ask(testContext(t), customerQuestion())
	if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelUnavailable || e.RetryAfter <= 0 {
		t.Errorf("error = %v, want unavailable for a moment", err)
	}
	if b.server.Count() != 0 || strings.Contains(err.Error(), "away") {
		t.Errorf("%d requests, error %v; want none, and the cause in the log alone", b.server.Count(), err)
	}
}

// TestWhatWasProbablyBilledStaysReserved: a server that is cut off in its answer bills it.
func TestWhatWasProbablyBilledStaysReserved(t *testing.T) {
	t.Parallel()
	a := &accounts{}
	b := setup(t, func(cfg *Config) {
		budgeted(a)(cfg)
		cfg.Timeout = 100 * time.Millisecond
	})
	b.server.Otherwise(llmtest.Hang())
	if _, err := b.Ask(testContext(t), customerQuestion()); err == nil {
		t.Fatal("Ask: no error")
	}
	if len(a.reserved) != 1 || len(a.spent) != 0 {
		t.Errorf("%d reserved, %d settled; want one that stays", len(a.reserved), len(a.spent))
	}
}

func TestBudgetNeedsPriceAndLedger(t *testing.T) {
	t.Parallel()
	_, err := New(Config{APIKey: "x", Budgets: analysis.Budgets{All: analysis.Spending{CostMicros: 1}}}, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "price is not known") || !strings.Contains(err.Error(), "no ledger") {
		t.Errorf("New = %v, want both problems", err)
	}
	if _, err := New(Config{APIKey: "x", Price: &Price{Input: -1}}, nil, nil); err == nil {
		t.Error("a negative price was taken")
	}
}
