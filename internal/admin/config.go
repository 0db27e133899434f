package admin

import (
	"context"
	"net/http"

	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/schema"
)

// TenantSearch finds tenants.
type TenantSearch interface {
	// SearchTenants returns those of among whose name or id has the text, by name, at most
	// limit, and whether there are more.
	SearchTenants(ctx context.Context, text string, among schema.Tenants, limit int) (found []schema.Tenant, more bool, err error)
}

// tenantsListed is how many tenants one answer names.
const tenantsListed = 500

type configJSON struct {
	Version          string       `json:"version"`
	User             userJSON     `json:"user"`
	Pusher           *pusherJSON  `json:"pusher"`
	Channel          channelJSON  `json:"channel"`
	AuthEndpoint     *string      `json:"auth_endpoint"`
	Tenants          []tenantJSON `json:"tenants"`
	TenantsTruncated bool         `json:"tenants_truncated"`
	ConfidenceBands  [2]float64   `json:"confidence_bands"`
	AppURL           string       `json:"app_url"`
	Samples          bool         `json:"samples"`
	Demo             *demoJSON    `json:"demo"`
}

type tenantJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type userJSON struct {
	Name       string `json:"name"`
	CanSignOut bool   `json:"can_sign_out"`
}

type pusherJSON struct {
	Key     string `json:"key"`
	Host    string `json:"host"`
	Port    int    `json:"port"`
	Scheme  string `json:"scheme"`
	Cluster string `json:"cluster"`
}

type channelJSON struct {
	Mode          string `json:"mode"`
	Template      string `json:"template"`
	Event         string `json:"event"`
	ProgressEvent string `json:"progress_event"`
}

const authEndpoint = "/broadcasting/auth"

func (u *UI) config(w http.ResponseWriter, r *http.Request, who identity) {
	tenants, more, err := u.search(r, "", who)
	if err != nil {
		u.unavailable(w, r, "tenants can not be read", err)
		return
	}
	u.cfg.Visited()
	out := configJSON{
		Version: u.cfg.Version, User: userJSON{who.name, who.canSignOut}, Tenants: tenants, TenantsTruncated: more,
		Channel:         channelJSON{u.cfg.ChannelMode, u.cfg.ChannelTemplate, broadcast.EventName, broadcast.ProgressEventName},
		ConfidenceBands: u.cfg.Bands, AppURL: u.cfg.AppURL, Samples: u.cfg.Samples,
	}
	if e := u.cfg.Events; e != nil {
		out.Pusher = &pusherJSON{e.Key, e.Host, e.Port, e.Scheme, e.Cluster}
	}
	if u.ports.Admission != nil {
		endpoint := authEndpoint
		out.AuthEndpoint = &endpoint
	}
	if u.ports.Sources != nil {
		out.Demo = &demoJSON{Samples: u.samples(r)}
	}
	write(w, http.StatusOK, out)
}

func (u *UI) tenants(w http.ResponseWriter, r *http.Request, who identity) {
	tenants, more, err := u.search(r, r.URL.Query().Get("q"), who)
	if err != nil {
		u.unavailable(w, r, "tenants can not be read", err)
		return
	}
	write(w, http.StatusOK, struct {
		Tenants   []tenantJSON `json:"tenants"`
		Truncated bool         `json:"truncated"`
	}{tenants, more})
}

// search never returns nil.
func (u *UI) search(r *http.Request, text string, who identity) ([]tenantJSON, bool, error) {
	ctx, cancel := context.WithTimeout(r.Context(), graphTimeout)
	defer cancel()
	tenants, more, err := u.ports.Tenants.SearchTenants(ctx, text, who.tenants, tenantsListed)
	out := make([]tenantJSON, len(tenants))
	for i, t := range tenants {
		out[i] = tenantJSON{t.ID, t.Name}
	}
	return out, more, err
}

// unavailable answers for a part that does not work, and logs why.
func (u *UI) unavailable(w http.ResponseWriter, r *http.Request, what string, err error) {
	if r.Context().Err() == nil {
		u.cfg.Logger.Error("admin server can not answer", "what", what, "error", err)
	}
	fail(w, http.StatusServiceUnavailable, what+" now; the worker's log says why", "unavailable")
}
