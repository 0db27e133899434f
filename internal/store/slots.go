package store

import (
	"fmt"

	"github.com/schemacast/schemacast/internal/run"
)

// takeTenantSlot refuses a claim with *run.TenantBusyError when the tenant has as many
// runs going on as it may. It locks the tenant's claims before any row, and no other
// transaction takes that lock, so that it closes no circle; and it writes nothing,
// since a tenant with a long backlog is refused often. Mostly the look without the
// lock is enough to refuse.
func (t *tx) takeTenantSlot(r run.ClaimRequest) error {
	var tenantID string
	n, err := t.query(&tenantID, "SELECT COALESCE((SELECT tenant_id FROM schemacast_runs WHERE active_schema_id = s.id), s.tenant_id) "+
		"FROM schemas s WHERE s.id = ? AND s.ai_analysis_status IN ('pending', 'processing')", r.SchemaID)
	if err != nil {
		return fmt.Errorf("look for the tenant: %w", err)
	}
	if n == 0 {
		return nil // no work, for which the claim has the words
	}
	if err := t.countSlots(r, tenantID); err != nil || t.store.dialect.lockTenant == "" {
		return err
	}
	if _, err := t.exec(t.store.dialect.lockTenant, tenantID); err != nil {
		return fmt.Errorf("lock the tenant's claims: %w", err)
	}
	return t.countSlots(r, tenantID)
}

// countSlots counts the runs that somebody works on, without the one in question.
func (t *tx) countSlots(r run.ClaimRequest, tenantID string) error {
	var going int
	_, err := t.query(&going, "SELECT count(*) FROM schemacast_runs WHERE tenant_id = ? AND state = 'running' AND active_schema_id <> ? AND heartbeat_ms >= "+
		t.store.dialect.now+" - ?", tenantID, r.SchemaID, t.store.cfg.StaleAfter.Milliseconds())
	if err != nil {
		return fmt.Errorf("count the tenant's runs: %w", err)
	}
	if going >= r.TenantSlots {
		return &run.TenantBusyError{Slots: r.TenantSlots}
	}
	return nil
}
