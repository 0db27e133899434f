package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// history adds rows as an app had them before the installation, with one status.
func (g *ground) history(n int, status string) []int64 {
	g.t.Helper()
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = g.insertCustomer()
	}
	g.sql("UPDATE schemas SET ai_analysis_status = ?, created_at = '2020-01-02 03:04:05', updated_at = '2020-01-02 03:04:05' WHERE id IN ?", status, ids)
	return ids
}

func ofHistory() BackfillFilter {
	return BackfillFilter{Statuses: []schema.AnalysisStatus{schema.AnalysisPending, schema.AnalysisFailed}}
}

func (g *ground) startBackfill(f BackfillFilter) {
	g.t.Helper()
	_, _, err := g.StartBackfill(g.t.Context(), "me", BackfillRequest{Filter: f, Queue: queueBackfill, By: "cli:test"})
	g.must(err)
}

// backfill goes on to the end and returns the ids whose tasks are wanted.
func (g *ground) backfill(page int) (b Backfill, ids []int64) {
	g.t.Helper()
	for !b.Exhausted() || b.ID == "" {
		var rows []BackfillRow
		var err error
		b, rows, err = g.BackfillPage(g.t.Context(), "me", page, 0)
		g.must(err)
		for _, row := range rows {
			ids = append(ids, row.SchemaID)
		}
	}
	return b, ids
}

func TestBackfillOpensRuns(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		pending, failed := g.history(7, "pending"), g.history(5, "failed")
		g.history(2, "completed")
		g.startBackfill(ofHistory())
		b, ids := g.backfill(3)
		if want := slices.Concat(pending, failed); !slices.Equal(ids, want) {
			t.Errorf("tasks for %v, want %v", ids, want)
		}
		if b.Opened != 12 || b.Skipped.Sum() != 0 {
			t.Errorf("backfill %+v", b)
		}
		g.wantValue("12", "SELECT count(*) FROM schemacast_runs WHERE state = 'requested' AND queue = 'schemas-backfill' AND requested_by = 'cli:test' "+
			"AND active_schema_id = schema_id AND length(id) = 26 AND tenant_id = ?", g.tenant)
		g.wantValue("12", "SELECT count(*) FROM schemas WHERE ai_analysis_status = 'pending'")
		// Rows that were pending are not written.
		g.wantValue("7", "SELECT count(*) FROM schemas WHERE ai_analysis_status = 'pending' AND updated_at = '2020-01-02 03:04:05'")
		// Workers and the sweeper take it up as any other.
		orphans, err := g.Orphans(t.Context(), nil, 0, 100)
		g.must(err)
		if len(orphans) != 12 || !orphans[0].Backfill {
			t.Errorf("orphans %+v", orphans)
		}
		g.wantState(g.commit(g.claim(failed[0], "a"), createCustomer()), run.OutcomeCompleted)
	})
}

func TestBackfillLeavesAlone(t *testing.T) {
	for _, force := range []bool{false, true} {
		t.Run(fmt.Sprintf("force=%v", force), func(t *testing.T) {
			conformance(t, func(t *testing.T, g *ground) {
				ids := g.history(8, "pending")
				rejected, disabled, mapped, entity, canonical, open, running, ours := ids[0], ids[1], ids[2], ids[3], ids[4], ids[5], ids[6], ids[7]
				g.sql("UPDATE schemas SET status = 'rejected' WHERE id = ?", rejected)
				g.sql("UPDATE schemas SET ai_analysis_status = 'disabled' WHERE id = ?", disabled)
				g.mapByHand(mapped, "id")
				g.sql("UPDATE schemas SET type = 'entity' WHERE id = ?", entity)
				g.sql("UPDATE schemas SET type = 'struct' WHERE id = ?", canonical)
				_, err := g.Request(t.Context(), Request{SchemaIDs: []int64{open}})
				g.must(err)
				g.claim(running, "a")
				g.sql("UPDATE schemas SET ai_analysis_status = 'pending' WHERE id = ?", running) // as if a human had written
				g.commit(g.claim(ours, "a"), createCustomer())
				g.sql("UPDATE schemas SET ai_analysis_status = 'failed' WHERE id = ?", ours)
				f := ofHistory()
				f.Statuses, f.Force = append(f.Statuses, schema.AnalysisDisabled), force
				plan, err := g.PlanBackfill(t.Context(), f, 10)
				g.must(err)
				g.startBackfill(f)
				b, tasks := g.backfill(100)
				want, raised := BackfillSkipped{Open: 2, Mapped: 2, Rejected: 1, Disabled: 1}, int64(0)
				wanted := []int64{ours}
				if force {
					want, wanted, raised = BackfillSkipped{Open: 2}, []int64{rejected, disabled, mapped, entity, ours, open}, 1
				}
				if diff := cmp.Diff(want, b.Skipped); diff != "" || !slices.Equal(tasks, wanted) || b.Raised != raised {
					t.Errorf("skipped (-want +got):\n%s\ntasks %v, want %v; raised %d", diff, tasks, wanted, b.Raised)
				}
				if plan.Eligible != b.Opened || plan.Skipped != b.Skipped {
					t.Errorf("the plan was %+v, and it became %+v", plan, b)
				}
				g.wantValue(fmt.Sprint(len(wanted)), "SELECT count(*) FROM schemacast_runs WHERE state = 'requested' AND force = ? AND schema_id IN ?", force, wanted)
				g.wantValue("0", "SELECT count(*) FROM schemacast_runs WHERE state = 'running' AND force")
			})
		})
	}
}

func TestBackfillFilters(t *testing.T) {
	day := func(text string) time.Time {
		at, _ := time.Parse(time.DateOnly, text)
		return at
	}
	for name, tt := range map[string]struct {
		change func(*BackfillFilter)
		want   int64
	}{
		"all":          {func(*BackfillFilter) {}, 6},
		"status":       {func(f *BackfillFilter) { f.Statuses = f.Statuses[:1] }, 4},
		"completed":    {func(f *BackfillFilter) { f.Statuses = []schema.AnalysisStatus{"completed"} }, 1},
		"left behind":  {func(f *BackfillFilter) { f.Statuses = []schema.AnalysisStatus{"processing"} }, 1},
		"tenant":       {func(f *BackfillFilter) { f.TenantID = "other" }, 1},
		"nobody":       {func(f *BackfillFilter) { f.TenantID = "nobody" }, 0},
		"since":        {func(f *BackfillFilter) { f.Since = day("2021-01-01") }, 1},
		"until":        {func(f *BackfillFilter) { f.Until = day("2021-01-01") }, 5},
		"on that time": {func(f *BackfillFilter) { f.Since, f.Until = day("2022-03-04"), day("2022-03-05") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			conformance(t, func(t *testing.T, g *ground) {
				pending := g.history(4, "pending")
				g.history(2, "failed")
				g.history(1, "completed")
				g.history(1, "processing")
				fresh := g.history(1, "processing")
				g.sql("UPDATE schemas SET updated_at = "+g.dialect.appNow+" WHERE id = ?", fresh[0])
				g.sql("UPDATE schemas SET tenant_id = 'other', created_at = '2022-03-04 23:59:59' WHERE id = ?", pending[0])
				f := ofHistory()
				tt.change(&f)
				plan, err := g.PlanBackfill(t.Context(), f, 1)
				g.must(err)
				g.startBackfill(f)
				b, ids := g.backfill(2)
				if b.Opened != tt.want || int64(len(ids)) != tt.want || plan.Eligible != tt.want {
					t.Errorf("opened %d, tasks %v, planned %d, want %d", b.Opened, ids, plan.Eligible, tt.want)
				}
				b, err = g.SaveBackfill(t.Context(), "me", b.After)
				g.must(err)
				if b.Ended == 0 {
					t.Errorf("%+v has not ended", b)
				}
			})
		})
	}
}

func TestBackfillPlanCountsTenants(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		g.history(3, "pending")
		ids := g.history(3, "failed")
		g.sql("UPDATE schemas SET tenant_id = 'other' WHERE id IN ?", ids[:2])
		plan, err := g.PlanBackfill(t.Context(), ofHistory(), 1)
		g.must(err)
		want := BackfillPlan{
			Eligible: 6, ByStatus: map[schema.AnalysisStatus]int64{"pending": 3, "failed": 3}, TenantCount: 2,
			Tenants: []BackfillTenant{{TenantID: g.tenant, Name: "Globex", Eligible: 4, ByStatus: map[schema.AnalysisStatus]int64{"pending": 3, "failed": 1}}},
		}
		if diff := cmp.Diff(want, plan); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
		// Past runs tell what it will take.
		for i, id := range ids {
			g.sql("INSERT INTO schemacast_runs (id, schema_id, tenant_id, state, calls, prompt_tokens, completion_tokens, cost_micros, priced_calls, requested_ms, ended_ms) "+
				"VALUES (?, ?, ?, 'completed', ?, 1000, 100, 500, 1, 1, 2)", newID(), id, g.tenant, 1+i%2)
		}
		plan, err = g.PlanBackfill(t.Context(), ofHistory(), 1)
		g.must(err)
		if u := plan.Usage; u.Runs != 3 || u.Calls < 1.3 || u.Calls > 1.4 || u.PromptTokens != 1000 || u.CompletionTokens != 100 || u.Priced != 2 || u.CostMicros != 500 {
			t.Errorf("usage %+v", u)
		}
	})
}

func TestBackfillLimitAndGaps(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		ids := g.history(4, "pending")
		g.sql("UPDATE schemas SET id = 4000000000 WHERE id = ?", ids[2])
		g.sql("UPDATE schemas SET id = 4000000001 WHERE id = ?", ids[3])
		_, _, err := g.StartBackfill(t.Context(), "me", BackfillRequest{Filter: ofHistory(), Queue: queueBackfill, Limit: 3})
		g.must(err)
		b, tasks := g.backfill(2)
		if !slices.Equal(tasks, []int64{ids[0], ids[1], 4000000000}) || b.Opened != 3 {
			t.Errorf("tasks %v, %+v", tasks, b)
		}
	})
}

func TestBackfillIsOneOwners(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		ctx := t.Context()
		if _, err := g.ResumeBackfill(ctx, "a"); !errors.Is(err, ErrNoBackfill) {
			t.Errorf("resume without one: %v", err)
		}
		ids := g.history(4, "pending")
		g.startBackfill(ofHistory())
		_, rows, err := g.BackfillPage(ctx, "me", 2, 0)
		g.must(err)
		b, err := g.ResumeBackfill(ctx, "you")
		g.must(err)
		if b.After != ids[1] || b.Queued != 0 || b.Opened != 2 || len(rows) != 2 {
			t.Errorf("resumed %+v after %v", b, rows)
		}
		if _, _, err := g.BackfillPage(ctx, "me", 2, ids[1]); !errors.Is(err, ErrBackfillTaken) {
			t.Errorf("the old owner's page: %v", err)
		}
		if _, err := g.SaveBackfill(ctx, "me", ids[1]); !errors.Is(err, ErrBackfillTaken) {
			t.Errorf("the old owner's note: %v", err)
		}
		// What the old owner did not put into Redis is found.
		rows, err = g.BackfillUnqueued(ctx, queueBackfill, b.Queued, b.After, 10)
		g.must(err)
		if want := []BackfillRow{{ids[0], g.tenant}, {ids[1], g.tenant}}; !slices.Equal(rows, want) {
			t.Errorf("unqueued %v, want %v", rows, want)
		}
		b, rows, err = g.BackfillPage(ctx, "you", 10, ids[1])
		g.must(err)
		if len(rows) != 2 || !b.Exhausted() || b.Ended != 0 {
			t.Errorf("page %v, %+v", rows, b)
		}
		_, replaced, err := g.StartBackfill(ctx, "them", BackfillRequest{Filter: ofHistory()})
		g.must(err)
		if replaced == nil || replaced.ID != b.ID {
			t.Errorf("replaced %+v, want %s", replaced, b.ID)
		}
	})
}

// A row whose run ends between the look at the row and the insert of its run is not
// analysed again.
func TestBackfillTakesBackWhatChanged(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		ids := g.history(3, "failed")
		g.must(g.transact(t.Context(), func(x *tx) error {
			b := &Backfill{BackfillRequest: BackfillRequest{Filter: ofHistory(), Queue: queueBackfill}, Last: ids[2]}
			chosen, err := x.choose(b, 10)
			if err != nil {
				return err
			}
			if _, err = x.exec("UPDATE schemas SET ai_analysis_status = 'completed' WHERE id = ?", ids[0]); err != nil {
				return err
			}
			if _, err = x.exec("DELETE FROM schemas WHERE id = ?", ids[1]); err != nil {
				return err
			}
			opened, err := x.openAll(b, chosen)
			if want := []BackfillRow{{ids[2], g.tenant}}; !slices.Equal(opened, want) {
				t.Errorf("opened %v, want %v", opened, want)
			}
			return err
		}))
		g.wantValue("1", "SELECT count(*) FROM schemacast_runs")
		g.wantValue("completed", "SELECT ai_analysis_status FROM schemas WHERE id = ?", ids[0])
	})
}

// Claims, requests and a backfill of the same rows lock in one order: none of them
// fails, and each row gets one run.
func TestBackfillAmongClaims(t *testing.T) {
	conformance(t, func(t *testing.T, g *ground) {
		ids := g.history(120, "pending")
		g.sql("UPDATE schemas SET created_at = " + g.dialect.appNow)
		g.startBackfill(ofHistory())
		errs := make(chan error, 2)
		go func() {
			for _, id := range ids {
				_, err := g.Claim(t.Context(), run.ClaimRequest{SchemaID: id, Owner: "a"})
				var busy *run.BusyError
				if err != nil && !errors.As(err, &busy) {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
		go func() {
			for part := range slices.Chunk(slices.Clone(ids), 10) {
				slices.Reverse(part)
				if _, err := g.Request(t.Context(), Request{SchemaIDs: part}); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
		b, _ := g.backfill(7)
		g.must(errors.Join(<-errs, <-errs))
		g.wantValue("120", "SELECT count(*) FROM schemacast_runs WHERE active_schema_id IS NOT NULL")
		if b.Opened+b.Skipped.Open > 120 {
			t.Errorf("%+v", b)
		}
	})
}

// Whoever asks for a page in the order of the ids needs no sort, and each probe has its
// index, however the tables have grown since their statistics were made.
func TestBackfillPlansOfQueries(t *testing.T) {
	t.Parallel()
	conformanceOnPostgres(t, func(t *testing.T, g *ground) {
		g.sql("INSERT INTO schemas (hash, tenant_id, sample_data, detected_fields, created_at) SELECT 'h' || n, ?, '{}', '[]', '2020-01-01' FROM generate_series(1, 20000) n", g.tenant)
		for _, statistics := range []string{"SELECT 1", "ANALYZE schemas"} {
			g.sql(statistics)
			g.must(g.transact(t.Context(), func(x *tx) error {
				f := ofHistory()
				f.TenantID = "other"
				condition, args := x.chosen(f)
				var lines []string
				_, err := x.query(&lines, "EXPLAIN SELECT s.id, s.tenant_id, s.ai_analysis_status, "+skipReason(false)+" AS skip FROM schemas s "+
					"WHERE s.id > ? AND s.id <= ? AND "+condition+" ORDER BY s.id LIMIT ?", append(append([]any{5000, 9000}, args...), 1000)...)
				plan := strings.Join(lines, "\n")
				if !strings.Contains(plan, "schemas_pkey") || strings.Contains(plan, "Seq Scan on schemas ") {
					t.Errorf("%s: the page reads more than its window:\n%s", statistics, plan)
				}
				return err
			}))
		}
	})
}
