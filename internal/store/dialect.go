package store

import "fmt"

// The databases, by Laravel's names for them.
const (
	Postgres = "pgsql"
	SQLite   = "sqlite"
)

// dialect holds the few words in which the databases differ.
type dialect struct {
	name string
	// begin begins a transaction in a pipeline; it is empty where statements can not travel
	// together. It names the isolation that transactions are written for, since a database may
	// have another default: whoever waited for a lock then sees what its holder committed.
	begin string
	// now is the database's clock in epoch milliseconds.
	now string
	// appNow is the same clock as the app's timestamps hold it: UTC, whole seconds.
	appNow string
	// forUpdate locks the selected rows until the end of the transaction. SQLite's
	// transactions hold the whole database already.
	forUpdate string
	// skipLocked leaves out rows that somebody else holds.
	skipLocked string
	// lockTenant lets one transaction at a time claim for a tenant, its parameter,
	// until the end of the transaction. It is empty where all of them take turns.
	lockTenant string
	// textFormat turns a column into text exactly as it is stored.
	textFormat string
	// timeFormat turns one of the app's timestamps into "2006-01-02 15:04:05".
	timeFormat string
	// ageFormat is the number of seconds since one of the app's timestamps.
	ageFormat string
	// epochFormat turns one of the app's timestamps into seconds since 1970.
	epochFormat string
	// waitingEstimate is about how many runs wait, 0 where nobody knows.
	waitingEstimate string
	// rowVersion is a number for a row of the app as it is, another one after any change; empty
	// where there is none.
	rowVersion string
	// mappedField is the name of the target in schema_mappings.mapping_definition, as m.
	mappedField string
}

func dialectOf(name string) (dialect, error) {
	switch name {
	case Postgres:
		return dialect{
			name:            Postgres,
			begin:           "begin isolation level read committed",
			now:             "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
			appNow:          "date_trunc('second', timezone('UTC', clock_timestamp()))",
			forUpdate:       " FOR UPDATE",
			skipLocked:      " FOR UPDATE SKIP LOCKED",
			lockTenant:      "SELECT pg_advisory_xact_lock(hashtextextended('schemacast tenant slots ' || ?, 0))",
			textFormat:      "%s::text",
			timeFormat:      "to_char(%s, 'YYYY-MM-DD HH24:MI:SS')",
			ageFormat:       "extract(epoch FROM timezone('UTC', clock_timestamp()) - %s)::bigint",
			epochFormat:     "extract(epoch FROM %s)::bigint",
			waitingEstimate: "COALESCE((SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass('schemacast_runs_requested')), 0)",
			// xmin is the transaction that wrote the row.
			rowVersion: "hashtextextended(id || ' ' || xmin::text, 0)::numeric",
			// The column is json, so it is valid.
			mappedField: "m.mapping_definition #>> '{schema_mapping,fields,0,fieldName}'",
		}, nil
	case SQLite:
		return dialect{
			name:            SQLite,
			now:             "CAST(unixepoch('subsec') * 1000 AS integer)",
			appNow:          "strftime('%Y-%m-%d %H:%M:%S', 'now')",
			textFormat:      "CAST(%s AS text)",
			timeFormat:      "strftime('%%Y-%%m-%%d %%H:%%M:%%S', %s)",
			ageFormat:       "unixepoch() - unixepoch(%s)",
			epochFormat:     "unixepoch(%s)",
			waitingEstimate: "0",
			mappedField: "CASE WHEN json_valid(m.mapping_definition) THEN " +
				"json_extract(m.mapping_definition, '$.schema_mapping.fields[0].fieldName') END",
		}, nil
	default:
		return dialect{}, fmt.Errorf("database dialect %q is not known; use %q, or %q for the embedded mode", name, Postgres, SQLite)
	}
}

func (d dialect) text(column string) string  { return fmt.Sprintf(d.textFormat, column) }
func (d dialect) age(column string) string   { return fmt.Sprintf(d.ageFormat, column) }
func (d dialect) epoch(column string) string { return fmt.Sprintf(d.epochFormat, column) }
func (d dialect) time(column string) string  { return fmt.Sprintf(d.timeFormat, column) }
