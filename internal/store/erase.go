package store

import (
	"context"
	"errors"
	"fmt"
)

// Erased counts the rows of a tenant that were deleted from our tables.
type Erased struct {
	Events  int64
	Answers int64
	Runs    int64 // with their attempts
	Streams int64 // one a schema
}

// OpenRunsError says that a tenant can not be erased, since it is still worked on.
type OpenRunsError struct {
	TenantID string
	Count    int64
	// SchemaIDs are some of those whose runs are open.
	SchemaIDs []int64
}

func (e *OpenRunsError) Error() string {
	return fmt.Sprintf("the tenant %s has %d open runs, among them of the schemas %d; cancel them with `enqueue cancel`, or wait until they have ended, and erase again",
		e.TenantID, e.Count, e.SchemaIDs)
}

// Erase deletes everything of a tenant from our tables: runs, attempts, events also
// unsent ones, answers, streams. The app's rows are the app's; mappings that our runs
// made count as made by humans afterwards. Its error is an *OpenRunsError while the
// tenant has open runs, also when one began meanwhile; it can be called again, and
// for a tenant that the app has deleted.
func (s *Store) Erase(ctx context.Context, tenantID string) (Erased, error) {
	var erased Erased
	if tenantID == "" {
		return erased, errors.New("erase a tenant: the id is empty; name the tenant")
	}
	if err := s.refuseOpenRuns(ctx, tenantID); err != nil {
		return erased, err
	}
	// What a schema with an open run needs stays: that run began meanwhile.
	ended := "(SELECT 1 FROM schemacast_runs r WHERE r.active_schema_id = x.schema_id) IS NULL"
	for _, part := range []erasure{
		{table: "schemacast_events", key: "id", only: ended, deleted: &erased.Events},
		{table: "schemacast_answers", key: "key", deleted: &erased.Answers},
		{table: "schemacast_streams", key: "schema_id", only: ended, deleted: &erased.Streams},
		{table: "schemacast_runs", key: "id", only: "x.active_schema_id IS NULL", deleted: &erased.Runs},
		{table: "schemacast_tenants", key: "tenant_id", deleted: new(int64)},
		{table: "schemacast_spending", key: "day", deleted: new(int64)},
	} {
		if err := s.erase(ctx, tenantID, part); err != nil {
			return erased, fmt.Errorf("erase the tenant %s from %s: %w", tenantID, part.table, err)
		}
	}
	return erased, s.refuseOpenRuns(ctx, tenantID)
}

func (s *Store) refuseOpenRuns(ctx context.Context, tenantID string) error {
	refused := &OpenRunsError{TenantID: tenantID}
	err := s.snapshot(ctx, func(t *tx) error {
		if _, err := t.query(&refused.Count, "SELECT count(*) FROM schemacast_runs WHERE tenant_id = ? AND active_schema_id IS NOT NULL", tenantID); err != nil {
			return err
		}
		_, err := t.query(&refused.SchemaIDs, "SELECT schema_id FROM schemacast_runs WHERE tenant_id = ? AND active_schema_id IS NOT NULL ORDER BY active_schema_id LIMIT 5", tenantID)
		return err
	})
	if err != nil {
		return fmt.Errorf("count the open runs of the tenant %s: %w", tenantID, err)
	}
	if refused.Count > 0 {
		return refused
	}
	return nil
}

// erasure is one table's part of erasing a tenant.
type erasure struct {
	table, key string
	only       string // a further condition on rows x, or empty
	deleted    *int64
}

// erase walks over a table by its key. Events and runs have no index on the tenant, and
// one walk costs less than an index that every run would have to keep.
func (s *Store) erase(ctx context.Context, tenantID string, e erasure) error {
	condition := "x.tenant_id = ?"
	if e.only != "" {
		condition += " AND " + e.only
	}
	batch := s.cfg.bounds.eraseBatch
	var after []any
	for {
		var keys []string
		var deleted int64
		err := s.transact(ctx, func(t *tx) error {
			query, args := "SELECT x."+e.key+" FROM "+e.table+" x WHERE "+condition, append([]any{tenantID}, after...)
			if after != nil {
				query += " AND x." + e.key + " > ?"
			}
			keys, deleted = nil, 0
			if _, err := t.query(&keys, query+" ORDER BY x."+e.key+" LIMIT ?", append(args, batch)...); err != nil || len(keys) == 0 {
				return err
			}
			if e.table == "schemacast_runs" {
				if _, err := t.exec("DELETE FROM schemacast_attempts WHERE run_id IN ?", keys); err != nil {
					return err
				}
			}
			var err error
			deleted, err = t.exec("DELETE FROM "+e.table+" AS x WHERE x."+e.key+" IN ? AND "+condition, keys, tenantID)
			return err
		})
		if err != nil {
			return err
		}
		*e.deleted += deleted
		if len(keys) < batch {
			return nil
		}
		after = []any{keys[len(keys)-1]}
	}
}
