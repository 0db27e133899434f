package schema

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Tenants is a set of tenants that somebody may see. The zero value is none.
type Tenants struct {
	All bool
	IDs []string
}

// ParseTenants reads ids with commas between them, or * for all. Ids that hold a comma, an
// equals sign, a percent sign or white space are percent-encoded.
func ParseTenants(text string) (Tenants, error) {
	if text = strings.TrimSpace(text); text == "*" {
		return Tenants{All: true}, nil
	}
	var list Tenants
	for part := range strings.SplitSeq(text, ",") {
		id, err := url.PathUnescape(strings.TrimSpace(part))
		if err != nil {
			return Tenants{}, fmt.Errorf("has a percent sign that encodes nothing: %w; write %% as %%25", err)
		}
		switch id {
		case "":
			return Tenants{}, errors.New("has an empty id of a tenant; write ids with commas between them, or * for all")
		case "*":
			return Tenants{}, errors.New("mixes * with ids of tenants; write * alone for all of them")
		}
		if !slices.Contains(list.IDs, id) {
			list.IDs = append(list.IDs, id)
		}
	}
	return list, nil
}

// Has says whether a tenant is in the set.
func (t Tenants) Has(id string) bool { return t.All || slices.Contains(t.IDs, id) }

// Tenant is a customer of the app. Its id is any string, mostly a UUID.
type Tenant struct{ ID, Name string }
