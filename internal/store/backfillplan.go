package store

import (
	"context"
	"fmt"

	"github.com/schemacast/schemacast/internal/schema"
)

// BackfillPlan says what a backfill would do.
type BackfillPlan struct {
	// Eligible is how many runs would be opened, before any limit.
	Eligible int64           `json:"eligible"`
	Skipped  BackfillSkipped `json:"skipped"`
	// ByStatus counts the eligible ones.
	ByStatus map[schema.AnalysisStatus]int64 `json:"by_status"`
	// Tenants are those with the most eligible rows, and TenantCount how many have any.
	Tenants     []BackfillTenant `json:"tenants"`
	TenantCount int64            `json:"tenant_count"`
	Usage       Usage            `json:"usage"`
}

// BackfillTenant counts the eligible rows of a tenant.
type BackfillTenant struct {
	TenantID string                          `json:"tenant_id"`
	Name     string                          `json:"name"`
	Eligible int64                           `json:"eligible"`
	ByStatus map[schema.AnalysisStatus]int64 `json:"by_status"`
}

// Usage is what a run took on the average.
type Usage struct {
	// Runs is how many ended ones the averages are of, the newest. 0 when there is none.
	Runs             int64   `json:"runs"`
	Calls            float64 `json:"calls"`
	PromptTokens     float64 `json:"prompt_tokens"`
	CompletionTokens float64 `json:"completion_tokens"`
	// CostMicros is in millionths of a US dollar, the average of the Priced runs whose
	// cost is known.
	CostMicros float64 `json:"cost_micros"`
	Priced     int64   `json:"priced"`
}

const (
	// usageRuns are averaged, among the usageLook newest where only a tenant's count.
	usageRuns = 1000
	usageLook = 20_000
	// usageEnough of a tenant's own runs speak for it.
	usageEnough = 20
)

// PlanBackfill counts what a filter chooses, and names at most tenants of the tenants. It
// reads all of the app's rows once.
func (s *Store) PlanBackfill(ctx context.Context, f BackfillFilter, tenants int) (BackfillPlan, error) {
	plan := BackfillPlan{ByStatus: map[schema.AnalysisStatus]int64{}}
	err := s.transact(ctx, func(t *tx) error {
		plan = BackfillPlan{ByStatus: map[schema.AnalysisStatus]int64{}}
		return t.plan(f, tenants, &plan)
	})
	if err != nil {
		return BackfillPlan{}, fmt.Errorf("count what a backfill would ask for: %w", err)
	}
	if plan.Usage, err = s.usage(ctx, f.TenantID); err != nil {
		return BackfillPlan{}, fmt.Errorf("read what past analyses took: %w", err)
	}
	return plan, nil
}

// plan gets the sums with an empty tenant, and the counts of the largest tenants.
func (t *tx) plan(f BackfillFilter, tenants int, plan *BackfillPlan) error {
	condition, args := t.chosen(f)
	counted := "WITH c AS (SELECT s.tenant_id, s.ai_analysis_status AS status, " + skipReason(f.Force) + " AS skip FROM schemas s WHERE " + condition + "), " +
		"n AS (SELECT tenant_id, status, skip, count(*) AS n FROM c GROUP BY tenant_id, status, skip), " +
		"top AS (SELECT tenant_id, sum(n) AS n FROM n WHERE skip = '' GROUP BY tenant_id ORDER BY 2 DESC, 1 LIMIT ?) " +
		"SELECT '' AS tenant_id, '' AS name, n.status, n.skip, CAST(sum(n.n) AS bigint) AS n, CAST(count(*) AS bigint) AS tenants, 0 AS largest FROM n GROUP BY n.status, n.skip " +
		"UNION ALL SELECT n.tenant_id, COALESCE((SELECT name FROM tenants WHERE id = n.tenant_id), ''), n.status, n.skip, n.n, 1, CAST(top.n AS bigint) " +
		"FROM n JOIN top ON top.tenant_id = n.tenant_id WHERE n.skip = '' " +
		"UNION ALL SELECT '', '', '', 'tenants', (SELECT count(DISTINCT tenant_id) FROM n WHERE skip = ''), 0, 0 ORDER BY largest DESC, tenant_id, status, skip"
	var rows []planRow
	if _, err := t.query(&rows, counted, append(args, tenants)...); err != nil {
		return err
	}
	for _, row := range rows {
		plan.add(row)
	}
	return nil
}

type planRow struct {
	TenantID, Name, Status, Skip string
	N                            int64
	Largest                      int64
}

func (p *BackfillPlan) add(row planRow) {
	status := schema.AnalysisStatus(row.Status)
	switch {
	case row.Skip == "tenants":
		p.TenantCount = row.N
	case row.Skip != "":
		p.Skipped.add(row.Skip, row.N)
	case row.Largest == 0:
		p.Eligible += row.N
		p.ByStatus[status] += row.N
	default:
		if n := len(p.Tenants); n == 0 || p.Tenants[n-1].TenantID != row.TenantID {
			p.Tenants = append(p.Tenants, BackfillTenant{
				TenantID: row.TenantID, Name: row.Name, Eligible: row.Largest, ByStatus: map[schema.AnalysisStatus]int64{},
			})
		}
		p.Tenants[len(p.Tenants)-1].ByStatus[status] = row.N
	}
}

// usage prefers a tenant's own runs, if there are enough.
func (s *Store) usage(ctx context.Context, tenantID string) (Usage, error) {
	if tenantID != "" {
		own, err := s.averageUsage(ctx, "(SELECT * FROM ("+endedRuns+" LIMIT ?) AS look WHERE tenant_id = ? LIMIT ?)", usageLook, tenantID, usageRuns)
		if err != nil || own.Runs >= usageEnough {
			return own, err
		}
	}
	return s.averageUsage(ctx, "("+endedRuns+" LIMIT ?)", usageRuns)
}

// endedRuns are those that were worked on; one that was cancelled before says nothing.
const endedRuns = "SELECT tenant_id, calls, prompt_tokens, completion_tokens, cost_micros, priced_calls FROM schemacast_runs " +
	"WHERE ended_ms IS NOT NULL AND (state = 'completed' OR calls > 0) ORDER BY ended_ms DESC"

func (s *Store) averageUsage(ctx context.Context, runs string, args ...any) (Usage, error) {
	var u Usage
	average := func(column string) string { return "COALESCE(CAST(avg(" + column + ") AS double precision), 0)" }
	err := s.db.WithContext(ctx).Raw("SELECT count(*) AS runs, "+average("calls")+" AS calls, "+
		average("prompt_tokens")+" AS prompt_tokens, "+
		average("completion_tokens")+" AS completion_tokens, "+average("CASE WHEN priced_calls >= calls THEN cost_micros END")+" AS cost_micros, "+
		"count(CASE WHEN priced_calls >= calls THEN 1 END) AS priced FROM "+runs+" AS past", args...).Scan(&u).Error
	return u, translate(err)
}

// Waiting counts the runs that wait in a queue for a worker, up to a bound.
func (s *Store) Waiting(ctx context.Context, queue string, bound int64) (int64, error) {
	var n int64
	err := s.db.WithContext(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM schemacast_runs WHERE state = 'requested' AND queue = ? LIMIT ?) AS waiting", queue, bound).
		Scan(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count the runs that wait: %w", translate(err))
	}
	return n, nil
}

// Drain is what became of the runs of a queue.
type Drain struct {
	Waiting, Running int64
	// Completed and Failed ended after the time that was asked for, and by UpTo.
	Completed, Failed int64
	// UpTo is a time of the database's clock in epoch milliseconds, for the next call.
	UpTo int64
}

// drainLag is how long a transaction may take from the end of a run to its commit.
const drainLag = 2000

// Draining counts the runs of a queue, and those that ended after a time. It leaves out
// the last seconds, which are not settled yet, until nothing waits or runs.
func (s *Store) Draining(ctx context.Context, queue string, after int64) (Drain, error) {
	var d Drain
	err := s.transact(ctx, func(t *tx) error {
		count := "(SELECT count(*) FROM schemacast_runs WHERE state = "
		_, err := t.query(&d, "SELECT "+count+"'requested' AND queue = ?) AS waiting, "+count+"'running' AND queue = ?) AS running, "+
			s.dialect.now+" AS up_to", queue, queue)
		if err != nil {
			return err
		}
		if d.Waiting+d.Running > 0 {
			d.UpTo = max(after, d.UpTo-drainLag)
		}
		var ended []struct {
			State string
			N     int64
		}
		_, err = t.query(&ended, "SELECT state, count(*) AS n FROM schemacast_runs WHERE ended_ms > ? AND ended_ms <= ? AND queue = ? GROUP BY state", after, d.UpTo, queue)
		for _, row := range ended {
			if row.State == stateCompleted {
				d.Completed = row.N
			} else {
				d.Failed = row.N
			}
		}
		return err
	})
	if err != nil {
		return Drain{}, fmt.Errorf("look how the queue drains: %w", err)
	}
	return d, nil
}
