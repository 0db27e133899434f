package analysis

import (
	"context"
	"fmt"
	"sync"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// entities are the canonical entities of one tenant, indexed. They are shared
// between analyses and never changed.
type entities struct {
	tenantID string
	list     []schema.Entity // those that can be mapped to, without their raw columns
	index    *match.Index
	position map[int64]int // id -> index into list
	seen     map[int64]bool
	names    map[string]bool // nameKey of every entity, for names of new ones
}

// newEntities indexes the entities that can be mapped to. One bad row must not
// block its tenant, so an entity without a name or a usable field is left out.
func newEntities(tenantID string, all []schema.Entity) *entities {
	e := &entities{
		tenantID: tenantID,
		position: make(map[int64]int, len(all)),
		seen:     make(map[int64]bool, len(all)),
		names:    make(map[string]bool, len(all)),
	}
	for _, entity := range all {
		e.seen[entity.ID] = true
		e.names[nameKey(entity.Name)] = true
		entity.RawFields = nil // megabytes that the index would keep alive
		entity.Fields = usableFields(entity.Fields)
		if !storable(entity.Name) || len(entity.Fields) == 0 {
			continue
		}
		e.position[entity.ID] = len(e.list)
		e.list = append(e.list, entity)
	}
	e.index = match.NewIndex(e.list)
	return e
}

// taken says that an entity of the tenant has a name.
func (e *entities) taken(name string) bool { return e.names[nameKey(name)] }

// usableFields are the fields that a mapping can name; most lists are returned as
// they are.
func usableFields(fields []schema.Field) []schema.Field {
	seen := make(map[string]bool, len(fields))
	for i, f := range fields {
		if !storable(f.Name) || seen[f.Name] {
			kept := append([]schema.Field(nil), fields[:i]...)
			for _, f := range fields[i:] {
				if storable(f.Name) && !seen[f.Name] {
					seen[f.Name] = true
					kept = append(kept, f)
				}
			}
			return kept
		}
		seen[f.Name] = true
	}
	return fields
}

// entitiesOf returns the indexed entities of the tenant of s, from the cache when
// nothing changed. Of several analyses that find them changed one reads them, and the
// others wait: those of a large tenant take a hundred megabytes while they are read.
func (a *Analyzer) entitiesOf(ctx context.Context, s schema.Schema) (*entities, error) {
	kept, _, err := a.keptEntities(ctx, s.TenantID)
	if kept != nil || err != nil {
		return kept, err
	}
	done, err := a.reading.begin(ctx, s.TenantID)
	if err != nil {
		return nil, err
	}
	defer done()
	// The version of before the wait may be an older one than that of what was read meanwhile.
	kept, version, err := a.keptEntities(ctx, s.TenantID)
	if kept != nil || err != nil {
		return kept, err
	}
	all, err := a.catalog.Entities(ctx, s.TenantID)
	if err != nil {
		return nil, fmt.Errorf("read the entities to match with: %w", err)
	}
	for _, entity := range all {
		if entity.TenantID != s.TenantID {
			return nil, fmt.Errorf("read the entities to match with: the catalog returned entity %d of another tenant; nothing was analysed", entity.ID)
		}
	}
	return a.cache.get(s.TenantID, version, all), nil
}

// keptEntities returns the version of a tenant's entities and the index that is good for
// it, nil when there is none.
func (a *Analyzer) keptEntities(ctx context.Context, tenantID string) (*entities, string, error) {
	version, err := a.catalog.EntityVersion(ctx, tenantID)
	if err != nil {
		return nil, "", fmt.Errorf("ask for the version of the entities to match with: %w", err)
	}
	return a.cache.known(tenantID, version), version, nil
}

// turns lets one at a time do something for a tenant.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed at the end of the turn
}

// begin waits for the turn. Its error is the context's cause.
func (t *turns) begin(ctx context.Context, tenantID string) (done func(), err error) {
	for {
		t.mu.Lock()
		other, taken := t.taken[tenantID]
		if !taken {
			mine := make(chan struct{})
			if t.taken == nil {
				t.taken = make(map[string]chan struct{})
			}
			t.taken[tenantID] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.taken, tenantID)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
