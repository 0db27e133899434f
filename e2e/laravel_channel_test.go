package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/schemacast/schemacast/internal/testenv"
)

// authEndpoint is where Echo asks the application, as a user.
func (a *laravel) authEndpoint(who user) string {
	a.t.Helper()
	u, err := url.Parse(a.url + "/broadcasting/auth")
	if err != nil {
		a.t.Fatal(err)
	}
	if who.Token != "" {
		u.User = url.User(who.Token)
	}
	return u.String()
}

var masterKey = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))

// Echo subscribes at the real Soketi, the real application decides who may, and the
// worker publishes: tenants hear their own events and nobody else's.
func TestLaravelWhoMayListen(t *testing.T) {
	t.Parallel()
	for _, mode := range []testenv.ChannelMode{testenv.Private, testenv.Encrypted} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			app := newLaravel(t, testenv.Soketi(t))
			app.with("BROADCAST_CHANNEL", string(mode), "BROADCAST_CHANNEL_TEMPLATES", "user.{requested_by}.schemas")
			if mode == testenv.Encrypted {
				app.with("BROADCAST_ENCRYPTION_KEY", masterKey)
			}
			app.configure()
			listen := func(who user, config testenv.ReceiverConfig) *testenv.Receiver {
				config.App, config.Mode, config.AuthEndpoint = app.soketi, mode, app.authEndpoint(who)
				return testenv.StartReceiver(t, config)
			}
			mine, theirs, landlord := app.addUser(app.tenant), app.addUser(app.addTenant("-b", "Initech")), app.addUser("")
			own := listen(mine, testenv.ReceiverConfig{Tenant: app.tenant})
			personal := listen(mine, testenv.ReceiverConfig{Channel: fmt.Sprintf("user.%d.schemas", mine.ID)})
			open := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
			refused := []*testenv.Receiver{
				listen(theirs, testenv.ReceiverConfig{Tenant: app.tenant, Refused: true}),
				listen(theirs, testenv.ReceiverConfig{Channel: fmt.Sprintf("user.%d.schemas", mine.ID), Refused: true}),
				listen(landlord, testenv.ReceiverConfig{Tenant: app.tenant, Refused: true}),
				listen(user{}, testenv.ReceiverConfig{Tenant: app.tenant, Refused: true}),
			}
			app.start(t)
			id := app.post(app.tenant, columns("harbour_id harbour_depth"), nil)
			app.ended()
			app.again(mine, id)
			app.ended()
			if got := statuses(t, own.WaitForStates(4, patience)); got != "started completed started completed" {
				t.Errorf("the tenant heard %q", got)
			}
			if got := statuses(t, personal.WaitForStates(2, patience)); got != "started completed" {
				t.Errorf("who asked heard %q", got)
			}
			for _, silent := range append(refused, open) {
				if heard := silent.Messages(); len(heard) > 0 {
					t.Errorf("somebody who may not listen heard %s", heard[0].Payload)
				}
			}
			for i, status := range []string{"403", "403", "403", "401"} {
				if told := strings.Join(refused[i].Errors(), "; "); !strings.Contains(told, status) {
					t.Errorf("listener %d was refused with %q, want %s", i, told, status)
				}
			}
		})
	}
}

// The public channel is what the existing page listens to: it needs no application.
func TestLaravelPublicChannelNeedsNoAuthorisation(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant})
	stranger := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant + "-b"})
	app.start(t)
	app.post(app.tenant, columns("lock_id lock_width"), nil)
	app.ended()
	if got := statuses(t, receiver.WaitForStates(2, patience)); got != "started completed" {
		t.Errorf("the listener heard %q", got)
	}
	if heard := stranger.Messages(); len(heard) > 0 {
		t.Errorf("another tenant's channel heard %s", heard[0].Payload)
	}
}

// trickyTenants are ids that Soketi or the libraries of Pusher take for something else:
// a word that makes another kind of channel, a character or a length that no channel
// has.
var trickyTenants = []string{
	"acme-private-eu", "presence-desk", "x-cache-y", "tenant:7/ü", "two words", "", strings.Repeat("long", 60), "#server", "a\nb", "..",
}

// Such a tenant's events have no channel: that is said, once, and nothing else of the
// analysis changes. What is safe is sent.
func TestLaravelTenantIDsThatServersMisread(t *testing.T) {
	t.Parallel()
	app := newLaravel(t, testenv.Soketi(t))
	receiver := testenv.StartReceiver(t, testenv.ReceiverConfig{App: app.soketi, Tenant: app.tenant + "@a=b,c;d.e"})
	worker := app.start(t)
	safe := app.addTenant("@a=b,c;d.e", "Odd but safe")
	app.post(safe, columns("quay_id quay_length"), nil)
	for i, id := range trickyTenants {
		app.exec("INSERT INTO tenants (id, name, created_at) VALUES ($1, 'Tricky', now()) ON CONFLICT DO NOTHING", id)
		app.exec(`INSERT INTO schemas (created_at, hash, tenant_id, sample_data, detected_fields) VALUES (now(), $1, $2, '{}', '[{"name":"dock_id","type":"string"},{"name":"dock_depth","type":"string"}]')`,
			fmt.Sprintf("tricky-%d", i), id)
	}
	app.wantArtisan(0, "", "schemacast:analyze", "--pending")
	app.ended()
	app.wantValue(fmt.Sprint(len(trickyTenants)+1), "SELECT count(*) FROM schemas WHERE type = 'input' AND ai_analysis_status = 'completed'")
	if got := statuses(t, receiver.WaitForStates(2, patience)); got != "started completed" {
		t.Errorf("the tenant with the odd id heard %q", got)
	}
	for _, id := range trickyTenants {
		if id == ".." {
			continue // two dots are a sound name where no other template has a holder
		}
		app.wantValue("0", "SELECT count(*) FROM schemacast_events WHERE dropped = '' AND tenant_id = $1", id)
	}
	if !strings.Contains(worker.log.String(), "can not be part of a channel name") {
		t.Error("the log does not say why the events were not sent")
	}
	who := app.addUser("acme.private")
	for _, channel := range []string{"private-tenant.acme.private.schemas", "private-tenant.acme.private", "private-tenant..schemas", "private-tenant.%.schemas", "private-private-tenant." + app.tenant + ".schemas", "presence-tenant." + app.tenant + ".schemas"} {
		app.request(403, "POST", "/broadcasting/auth", who, map[string]any{"channel_name": channel, "socket_id": "1.2"})
	}
	answer := app.request(200, "POST", "/broadcasting/auth", app.addUser(app.tenant), map[string]any{"channel_name": "private-tenant." + app.tenant + ".schemas", "socket_id": "1.2"})
	var signed struct{ Auth string }
	if err := json.Unmarshal(answer, &signed); err != nil || !strings.HasPrefix(signed.Auth, app.soketi.Key+":") {
		t.Errorf("the application's signature is %s", answer)
	}
}
