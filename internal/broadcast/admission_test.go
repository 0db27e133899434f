package broadcast

import (
	"encoding/json"
	"strings"
	"testing"
)

func newTestAdmission(t *testing.T, mode Mode, templates ...string) *Admission {
	t.Helper()
	a, err := NewAdmission(Config{
		Mode: mode, AppID: "app", Key: "app-key", Secret: "app-secret", Host: "127.0.0.1", Templates: templates,
		EncryptionKey: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAdmissionTenantOf(t *testing.T) {
	t.Parallel()
	private, encrypted := newTestAdmission(t, ModePrivate), newTestAdmission(t, ModeEncrypted)
	several := newTestAdmission(t, ModePrivate, "user.{requested_by}.schemas")
	for _, tc := range []struct {
		name    string
		a       *Admission
		channel string
		want    string // empty for no tenant's
	}{
		{"a tenant's", private, "private-tenant.acme.schemas", "acme"},
		{"one with dots", private, "private-tenant.a.b.schemas", "a.b"},
		{"one that looks like a channel", private, "private-tenant.x.schemas.schemas", "x.schemas"},
		{"an encrypted one", encrypted, "private-encrypted-tenant.acme.schemas", "acme"},
		{"private where they are encrypted", encrypted, "private-tenant.acme.schemas", ""},
		{"encrypted where they are private", private, "private-encrypted-tenant.acme.schemas", ""},
		{"public", private, "tenant.acme.schemas", ""},
		{"presence", private, "presence-tenant.acme.schemas", ""},
		{"no tenant", private, "private-tenant..schemas", ""},
		{"shorter than its ends", private, "private-tenant.schemas", ""},
		{"a person's", several, "private-user.acme.schemas", ""},
		{"dots where there are several templates", several, "private-tenant.a.b.schemas", ""},
		{"more behind it", private, "private-tenant.acme.schemas2", ""},
		{"another case", private, "Private-tenant.acme.schemas", ""},
		{"no name of a channel", private, "private-tenant.a b.schemas", ""},
		{"two channels", private, "private-tenant.acme.schemas:private-tenant.b.schemas", ""},
		{"a word that servers take for another kind", private, "private-tenant.cache-x.schemas", ""},
		{"long", private, "private-tenant." + strings.Repeat("a", 300) + ".schemas", ""},
		{"nothing", private, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, ok := tc.a.TenantOf(tc.channel)
			if got != tc.want || ok != (tc.want != "") {
				t.Errorf("%q is the channel of %q, %t; want %q", tc.channel, got, ok, tc.want)
			}
		})
	}
}

func TestAdmissionSigns(t *testing.T) {
	t.Parallel()
	for mode, channel := range map[Mode]string{ModePrivate: "private-tenant.acme.schemas", ModeEncrypted: "private-encrypted-tenant.acme.schemas"} {
		a := newTestAdmission(t, mode)
		raw, err := a.Sign("123.456", channel)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Auth   string `json:"auth"`
			Shared string `json:"shared_secret"`
		}
		if err := json.Unmarshal(raw, &answer); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(answer.Auth, "app-key:") || (answer.Shared != "") != (mode == ModeEncrypted) {
			t.Errorf("%s: the answer is %s", mode, raw)
		}
		for _, socket := range []string{"", "1", "1.2:x", "1.2\n", "a.b"} {
			if _, err := a.Sign(socket, channel); err == nil {
				t.Errorf("%s: the socket %q is signed for", mode, socket)
			}
		}
	}
}

func TestNoAdmission(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{Mode: ModePublic, AppID: "a", Key: "k", Secret: "s", Host: "h"}, {Mode: ModePrivate, Driver: DriverNull}} {
		if a, err := NewAdmission(cfg); a != nil || err != nil {
			t.Errorf("%+v: %v, %v", cfg, a, err)
		}
	}
	if _, err := NewAdmission(Config{Mode: ModePrivate}); err == nil {
		t.Error("credentials are missing, and nobody says so")
	}
}
