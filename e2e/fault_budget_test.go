package e2e

import "testing"

// A budget that is spent makes a run wait, and costs it no attempt.
func TestFault22BudgetSpent(t *testing.T) {
	t.Parallel()
	g := newFaultGround(t)
	g.env["ANALYSIS_TENANT_TOKENS_PER_DAY"] = "1000" // the first question takes more
	g.env["ANALYSIS_PRICES"] = "llmtest=0.40/0.10/1.60"
	g.start(t)
	ids := g.add(shapes(2)...)
	completed := func(n string) func() bool {
		return func() bool {
			return g.value("SELECT count(*) FROM schemacast_runs WHERE state = 'completed'") == n
		}
	}
	g.enqueue(ids[:1])
	g.hurry("the first is completed", completed("1"))
	g.enqueue(ids[1:])
	g.awaitValue("llm_budget", "SELECT coalesce(max(error_code), '') FROM schemacast_attempts")
	if asked := g.llm.Count(); asked != 1 {
		t.Errorf("the model was asked %d times, want once: the budget is spent", asked)
	}
	g.wantValue("true", "SELECT bool_and(error_text LIKE '%ANALYSIS_TENANT_TOKENS_PER_DAY is raised%') FROM schemacast_attempts WHERE error_code <> ''")
	g.redis.FlushAll(t.Context()) // the database knows what was spent
	g.wantValue("1", "SELECT count(*) FROM schemacast_spending WHERE tokens > 1000")
	g.exec("UPDATE schemacast_spending SET day = day - 1") // midnight
	g.hurry("the second is completed", completed("2"))
	g.prove(verdict{calls: 2, runs: "completed 1, completed 1"})
	g.wantValue("true", "SELECT bool_and(priced_calls = calls AND cost_micros > 0) FROM schemacast_runs")
}
