package store

import (
	"context"
	"fmt"
	"strings"
)

// everything is what we do with most tables.
const everything = "SELECT,INSERT,UPDATE,DELETE"

// privileges is what a worker does with each table.
var privileges = []struct{ table, needed string }{
	{"tenants", "SELECT"},
	{"schemas", "SELECT,INSERT,UPDATE"},
	{"schema_mappings", everything}, // UPDATE for its row locks
	{"schemacast_runs", everything},
	{"schemacast_attempts", everything},
	{"schemacast_streams", everything},
	{"schemacast_events", everything},
	{"schemacast_answers", everything},
	{"schemacast_tenants", everything},
	{"schemacast_spending", everything},
	{"schemacast_meta", everything},
}

// CheckPrivileges says whether the user may do what a worker does, else with a
// *TablesError that has the GRANTs. Tables that are missing are CheckTables' business.
// SQLite has no users.
func (s *Store) CheckPrivileges(ctx context.Context) error {
	if s.dialect.name == SQLite {
		return nil
	}
	var grants []string
	for _, p := range privileges {
		missing, err := s.missingGrants(ctx, p.table, p.needed)
		if err != nil {
			return fmt.Errorf("look up the privileges on %s: %w", p.table, translate(err))
		}
		grants = append(grants, missing...)
	}
	if len(grants) == 0 {
		return nil
	}
	return &TablesError{
		Problem: "the user of the database may not do all that a worker does",
		Cure:    "run as the owner of the tables: " + strings.Join(grants, "; "),
	}
}

// missingGrants returns the statements that would give the user what is missing on a
// table. Whoever inserts needs the sequence of a serial column too; identity columns,
// with a dependency of another type, need none.
func (s *Store) missingGrants(ctx context.Context, table, needed string) ([]string, error) {
	var grants []string
	err := s.db.WithContext(ctx).Raw(`
		SELECT format('GRANT %s ON %s TO %I', string_agg(needed, ', '), to_regclass(@table), current_user)
		FROM unnest(string_to_array(@needed, ',')) AS needed
		WHERE NOT has_table_privilege(to_regclass(@table), needed)
		HAVING count(*) > 0
		UNION ALL
		SELECT format('GRANT USAGE ON SEQUENCE %s TO %I', sequence.oid::regclass, current_user)
		FROM pg_depend JOIN pg_class AS sequence ON sequence.oid = pg_depend.objid
		WHERE pg_depend.refobjid = to_regclass(@table) AND pg_depend.deptype = 'a'
			AND 'INSERT' = ANY (string_to_array(@needed, ','))
			AND CASE sequence.relkind WHEN 'S' THEN NOT has_sequence_privilege(sequence.oid, 'USAGE') END`,
		map[string]any{"table": table, "needed": needed}).Scan(&grants).Error
	return grants, err
}
