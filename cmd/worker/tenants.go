package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/store"
)

// The bounds of a look at all tenants, and of what is said about them.
const (
	tenantPage   = 5000
	tenantsMost  = 200_000
	tenantsNamed = 5
)

// unheardTenants says which tenants' events nobody can hear because of their ids, and the
// cure; empty when there is none. Their analyses work, so it is a warning.
func unheardTenants(ctx context.Context, db *store.Store, cfg *config.Config) (string, error) {
	if !cfg.Broadcast.Publishes() {
		return "", nil
	}
	renderer, err := broadcast.NewRenderer(broadcastConfig(cfg.Broadcast))
	if err != nil {
		return "", err
	}
	var named []string
	found := 0
	after := ""
	for looked := 0; looked < tenantsMost; looked += tenantPage {
		ids, err := db.TenantIDs(ctx, after, tenantPage)
		if err != nil {
			return "", err
		}
		for _, id := range ids {
			var unheard *broadcast.ChannelError
			if !errors.As(renderer.CheckTenant(id), &unheard) {
				continue
			}
			if found++; found <= tenantsNamed {
				named = append(named, fmt.Sprintf("%q %s", clipped(id), unheard.Reason))
			}
		}
		if len(ids) < tenantPage {
			break
		}
		after = ids[len(ids)-1]
	}
	if found == 0 {
		return "", nil
	}
	if found > tenantsNamed {
		named = append(named, fmt.Sprintf("and %d more", found-tenantsNamed))
	}
	cure := `give them ids of letters, digits, "-" and "_"`
	if cfg.Broadcast.Channel != string(broadcast.ModePublic) {
		cure += ", or, for those with a dot, set BROADCAST_CHANNEL=public"
	}
	return fmt.Sprintf("nobody can hear the events of %d tenants: %s; %s", found, strings.Join(named, "; "), cure), nil
}

// clipped keeps a long id readable.
func clipped(id string) string {
	const most = 60
	if runes := []rune(id); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return id
}
