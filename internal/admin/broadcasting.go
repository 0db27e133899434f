package admin

import (
	"net/http"
)

// Admission says whose a channel is, and signs subscriptions to it.
type Admission interface {
	// TenantOf returns the tenant whose channel has this name, false when no tenant's has.
	TenantOf(channel string) (string, bool)
	// Sign returns the answer for the Pusher client. Its error is a wrong socket id.
	Sign(socketID, channel string) ([]byte, error)
}

const maxAuthBody = 4 << 10

// authorize lets those listen to a tenant's events who may see the tenant.
func (u *UI) authorize(w http.ResponseWriter, r *http.Request, who identity) {
	const public = "no channel needs a signature here: BROADCAST_CHANNEL is public, or nothing is published"
	if u.ports.Admission == nil {
		fail(w, http.StatusForbidden, public, "channel")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxAuthBody)
	channel := r.PostFormValue("channel_name")
	tenantID, ok := u.ports.Admission.TenantOf(channel)
	if !ok || !who.tenants.Has(tenantID) {
		fail(w, http.StatusForbidden, "this channel is none of a tenant that you may see", "channel")
		return
	}
	answer, err := u.ports.Admission.Sign(r.PostFormValue("socket_id"), channel)
	if err != nil {
		fail(w, http.StatusForbidden, "the socket_id is none that a Pusher server gives", "socket_id")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	// An error here is a client that went away.
	_, _ = w.Write(answer) //nolint:gosec // G705: it is JSON, and called so
}
