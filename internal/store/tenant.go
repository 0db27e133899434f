package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/google/uuid"

	"github.com/schemacast/schemacast/internal/schema"
)

// Tenant is a customer of the app. Its id is any string, mostly a UUID.
type Tenant = schema.Tenant

// UnknownTenantError names the tenants that were probably meant.
type UnknownTenantError struct {
	Wanted  string
	Nearest []Tenant
}

func (e *UnknownTenantError) Error() string {
	text := fmt.Sprintf("no tenant has the id or name %q", e.Wanted)
	if len(e.Nearest) == 0 {
		return text + "; there is no tenant at all yet: make one with --create-tenant \"Name\""
	}
	names := make([]string, len(e.Nearest))
	for i, t := range e.Nearest {
		names[i] = fmt.Sprintf("%s (%s)", t.ID, t.Name)
	}
	return text + "; the nearest are " + strings.Join(names, ", ") + "; use one of them, or make a new one with --create-tenant \"Name\""
}

// nearestTenants is how many tenants an UnknownTenantError names.
const nearestTenants = 3

// Tenant finds a tenant by its id, or by its name where only one has it. Its error
// is an *UnknownTenantError when there is none.
func (s *Store) Tenant(ctx context.Context, idOrName string) (Tenant, error) {
	var found []Tenant
	err := s.db.WithContext(ctx).Raw("SELECT id, name FROM tenants WHERE id = ? OR name = ? ORDER BY CASE WHEN id = ? THEN 0 ELSE 1 END, id LIMIT 3",
		idOrName, idOrName, idOrName).Scan(&found).Error
	switch {
	case err != nil:
		return Tenant{}, fmt.Errorf("look for tenant %q: %w", idOrName, translate(err))
	case len(found) > 0 && (found[0].ID == idOrName || len(found) == 1):
		return found[0], nil
	case len(found) > 1:
		return Tenant{}, fmt.Errorf("several tenants are named %q, among them %s and %s; use the id", idOrName, found[0].ID, found[1].ID)
	}
	nearest, err := s.nearest(ctx, idOrName)
	if err != nil {
		return Tenant{}, err
	}
	return Tenant{}, &UnknownTenantError{Wanted: idOrName, Nearest: nearest}
}

// CreateTenant makes a tenant as the app does, with a UUID for its id, or finds the
// one that has this name.
func (s *Store) CreateTenant(ctx context.Context, name string) (t Tenant, created bool, err error) {
	name = strings.TrimSpace(name)
	if name == "" || clip(name, maxVarchar) != name {
		return Tenant{}, false, fmt.Errorf("%q can not be the name of a tenant; use 1 to %d characters of valid UTF-8", clip(name, 40), maxVarchar)
	}
	err = s.transact(ctx, func(x *tx) error {
		t, created = Tenant{}, false
		n, err := x.query(&t, "SELECT id, name FROM tenants WHERE name = ? ORDER BY id LIMIT 1", name)
		if err != nil || n == 1 {
			return err
		}
		t, created = Tenant{ID: uuid.NewString(), Name: name}, true
		now := s.dialect.appNow
		return x.execOne("insert the tenant", "INSERT INTO tenants (id, name, created_at, updated_at) VALUES (?, ?, "+now+", "+now+")", t.ID, t.Name)
	})
	if err != nil {
		return Tenant{}, false, fmt.Errorf("create tenant %q: %w", name, err)
	}
	return t, created, nil
}

// TenantIDs returns ids of tenants in their order, beginning after an id, at most limit.
func (s *Store) TenantIDs(ctx context.Context, after string, limit int) ([]string, error) {
	var ids []string
	if err := s.db.WithContext(ctx).Raw("SELECT id FROM tenants WHERE id > ? ORDER BY id LIMIT ?", after, limit).Scan(&ids).Error; err != nil {
		return nil, fmt.Errorf("list the ids of tenants: %w", translate(err))
	}
	return ids, nil
}

// nearest orders the tenants by how little their id or name differs from what was
// asked for.
func (s *Store) nearest(ctx context.Context, wanted string) ([]Tenant, error) {
	var all []Tenant
	if err := s.db.WithContext(ctx).Raw("SELECT id, name FROM tenants ORDER BY id LIMIT 10000").Scan(&all).Error; err != nil {
		return nil, fmt.Errorf("list the tenants: %w", translate(err))
	}
	wanted = strings.ToLower(clip(wanted, maxVarchar))
	distance := func(t Tenant) int {
		return min(levenshtein.ComputeDistance(wanted, strings.ToLower(t.ID)), levenshtein.ComputeDistance(wanted, strings.ToLower(t.Name)))
	}
	slices.SortStableFunc(all, func(a, b Tenant) int { return cmp.Compare(distance(a), distance(b)) })
	return all[:min(nearestTenants, len(all))], nil
}

// SearchTenants returns tenants by name, at most limit, and whether there are more. They are
// those of among, or any where it allows all; a text must occur in the name, or be the start
// of the id, whatever the case.
func (s *Store) SearchTenants(ctx context.Context, text string, among schema.Tenants, limit int) (found []Tenant, more bool, err error) {
	query, args := "SELECT id, name FROM tenants WHERE 1 = 1", []any{}
	if !among.All {
		if len(among.IDs) == 0 {
			return nil, false, nil
		}
		ids := []string{""} // an IN must not be empty
		for _, id := range among.IDs {
			if clip(id, maxVarchar) == id {
				ids = append(ids, id)
			}
		}
		query, args = query+" AND id IN ?", append(args, ids)
	}
	if text = clip(strings.TrimSpace(text), maxVarchar); text != "" {
		query += ` AND (lower(name) LIKE lower(?) ESCAPE '\' OR lower(id) LIKE lower(?) ESCAPE '\')`
		args = append(args, "%"+likePrefix(text), likePrefix(text))
	}
	err = s.db.WithContext(ctx).Raw(query+" ORDER BY lower(name), id LIMIT ?", append(args, limit+1)...).Scan(&found).Error
	if err != nil {
		return nil, false, fmt.Errorf("search the tenants: %w", translate(err))
	}
	if len(found) > limit {
		return found[:limit], true, nil
	}
	return found, false, nil
}

// EnsureTenant makes a tenant with an id that the caller chooses, unless it exists.
func (s *Store) EnsureTenant(ctx context.Context, t Tenant) error {
	now := s.dialect.appNow
	err := s.db.WithContext(ctx).Exec("INSERT INTO tenants (id, name, created_at, updated_at) VALUES (?, ?, "+now+", "+now+") ON CONFLICT (id) DO NOTHING",
		t.ID, t.Name).Error
	if err != nil {
		return fmt.Errorf("create tenant %q: %w", t.ID, translate(err))
	}
	return nil
}
