package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/schemacast/schemacast/internal/schema"
)

// NewSchema is a shape of records that the app's ingestion has not stored.
type NewSchema struct {
	TenantID string
	Name     string          // empty leaves the naming to the analysis
	Fields   []schema.Field  // what detection found
	Encoded  json.RawMessage // Fields as the app's column detected_fields holds them
	Samples  json.RawMessage // one record, or a list of records
	By       string          // who asks for the analysis
	Again    bool            // analyse a shape again that was analysed already
	Force    bool            // as Again, and let the result replace what humans decided
	Queue    string          // as in Request
}

// Stored is where a NewSchema ended up.
type Stored struct {
	SchemaID int64
	// Known says that the tenant had this shape already. It is not stored again.
	Known bool
	// Request is what became of the wish for an analysis. A known shape that is
	// analysed already is refused, unless it is wanted again.
	Request Requested
}

// Add stores a shape as the app does, together with the wish for its analysis, in
// one transaction. The tenant must exist.
func (s *Store) Add(ctx context.Context, n NewSchema) (Stored, error) {
	var stored Stored
	err := s.transact(ctx, func(t *tx) error {
		var err error
		stored, err = t.add(n)
		return err
	})
	if err != nil {
		return Stored{}, fmt.Errorf("store the schema: %w", err)
	}
	return stored, nil
}

func (t *tx) add(n NewSchema) (Stored, error) {
	plain := schema.InputHash(n.Fields)
	salted := schema.SaltedHash(n.TenantID, schema.KindInput, plain)
	known, err := t.knownShape(n.TenantID, plain, salted)
	if err != nil {
		return Stored{}, err
	}
	stored := Stored{Known: known != nil}
	if known != nil {
		stored.SchemaID = known.ID
		if schema.AnalysisStatus(known.AIAnalysisStatus) == schema.AnalysisCompleted && !n.Again && !n.Force {
			stored.Request = Requested{SchemaID: known.ID, TenantID: n.TenantID, State: RequestRefused,
				Reason: "this shape is analysed already; use --force to analyse it again"}
			return stored, nil
		}
	} else if stored.SchemaID, err = t.insertSchema(n, plain, salted); err != nil {
		return Stored{}, err
	}
	answers, err := t.request(Request{TenantID: n.TenantID, By: n.By, Force: n.Force, Queue: n.Queue}, []int64{stored.SchemaID})
	if err != nil {
		return Stored{}, err
	}
	stored.Request = answers[0]
	return stored, nil
}

// knownShape finds the tenant's row of a shape, nil when there is none.
func (t *tx) knownShape(tenantID, plain, salted string) (*schemaRow, error) {
	var row schemaRow
	n, err := t.query(&row, "SELECT id, tenant_id, type, status, ai_analysis_status FROM schemas "+
		"WHERE tenant_id = ? AND type IN ('input', 'entity') AND hash IN (?, ?) ORDER BY id LIMIT 1", tenantID, plain, salted)
	if err != nil || n == 0 {
		return nil, err
	}
	return &row, nil
}

// insertSchema stores under the plain hash, or under the salted one where another
// tenant, or an entity, holds the plain one.
func (t *tx) insertSchema(n NewSchema, plain, salted string) (int64, error) {
	var name *string
	if n.Name != "" {
		clipped := clip(n.Name, maxVarchar)
		name = &clipped
	}
	now := t.store.dialect.appNow
	for _, hash := range []string{plain, salted} {
		var id int64
		inserted, err := t.query(&id, "INSERT INTO schemas (created_at, updated_at, hash, name, tenant_id, sample_data, detected_fields, kafka_topic) VALUES ("+
			now+", "+now+", ?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING RETURNING id",
			hash, name, n.TenantID, withoutNUL(string(n.Samples)), withoutNUL(string(n.Encoded)), "schema-"+hash)
		if err != nil || inserted == 1 {
			return id, err
		}
	}
	return 0, fmt.Errorf("the hashes %s and %s both belong to other rows", plain, salted)
}
