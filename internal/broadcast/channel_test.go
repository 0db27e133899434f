package broadcast

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/schemacast/schemacast/internal/schema"
)

func TestChannels(t *testing.T) {
	t.Parallel()
	perUser := []string{"user.{requested_by}.schemas"}
	tests := map[string]struct {
		mode      Mode
		extra     []string
		tenant    string
		requester string
		want      []string
		reason    string // of a *ChannelError
	}{
		"public":                   {ModePublic, nil, testTenant, "", []string{"tenant." + testTenant + ".schemas"}, ""},
		"private":                  {ModePrivate, nil, "1", "", []string{"private-tenant.1.schemas"}, ""},
		"encrypted":                {ModeEncrypted, nil, "1", "", []string{"private-encrypted-tenant.1.schemas"}, ""},
		"a dot alone is harmless":  {ModePublic, nil, "acme.com", "", []string{"tenant.acme.com.schemas"}, ""},
		"per user":                 {ModePrivate, perUser, "1", "9", []string{"private-tenant.1.schemas", "private-user.9.schemas"}, ""},
		"nobody asked":             {ModePublic, perUser, "1", "", []string{"tenant.1.schemas"}, ""},
		"requester is no name":     {ModePublic, perUser, "1", "the console", []string{"tenant.1.schemas"}, ""},
		"requester with a dot":     {ModePublic, perUser, "1", "a.b", []string{"tenant.1.schemas"}, ""},
		"requester is a trap":      {ModePublic, perUser, "1", "cache-1", []string{"tenant.1.schemas"}, ""},
		"requester is too long":    {ModePublic, perUser, "1", strings.Repeat("r", 200), []string{"tenant.1.schemas"}, ""},
		"empty":                    {ModePublic, nil, "", "", nil, "is empty"},
		"space":                    {ModePublic, nil, "acme inc", "", nil, "contains ' '"},
		"colon":                    {ModePublic, nil, "tenant:7", "", nil, "contains ':'"},
		"not ASCII":                {ModePublic, nil, "müller", "", nil, "contains 'ü'"},
		"invalid UTF-8":            {ModePublic, nil, "a\xff", "", nil, "contains '\uFFFD'"},
		"line feed at the end":     {ModePublic, nil, "acme\n", "", nil, `contains '\n'`},
		"private inside":           {ModePublic, nil, "acme-private-eu", "", nil, `contains "private-"`},
		"presence inside":          {ModePublic, nil, "presence-1", "", nil, `contains "presence-"`},
		"cache inside":             {ModePublic, nil, "acme-cache-1", "", nil, `contains "cache-"`},
		"cache inside, private":    {ModePrivate, nil, "acme-cache-1", "", nil, `contains "cache-"`},
		"private inside, private":  {ModePrivate, nil, "acme-private-eu", "", []string{"private-tenant.acme-private-eu.schemas"}, ""},
		"200 characters":           {ModePublic, nil, strings.Repeat("t", 185), "", []string{"tenant." + strings.Repeat("t", 185) + ".schemas"}, ""},
		"201 characters":           {ModePublic, nil, strings.Repeat("t", 186), "", nil, "makes a name of 201 characters"},
		"the prefix counts":        {ModePrivate, nil, strings.Repeat("t", 178), "", nil, "makes a name of 201 characters"},
		"a dot between templates":  {ModePublic, perUser, "acme.com", "", nil, `contains "."`},
		"Reverb's start of a name": {ModePublic, []string{"{tenant_id}.all"}, "privateer", "", nil, `starts the name with "private"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, err := newNamer(tt.mode, tt.extra)
			if err != nil {
				t.Fatal(err)
			}
			got, err := n.channels(schema.Event{TenantID: tt.tenant, RequestedBy: tt.requester})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("channels (-want +got):\n%s", diff)
			}
			var bad *ChannelError
			if tt.reason == "" && err == nil {
				return
			}
			if !errors.As(err, &bad) || bad.TenantID != tt.tenant || tt.reason == "" || !strings.Contains(bad.Reason, tt.reason) {
				t.Errorf("error = %v, want a *ChannelError that says it %s", err, tt.reason)
			}
		})
	}
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		templates []string
		want      string
	}{
		"no placeholder":      {[]string{"all.schemas"}, "every tenant's events would meet"},
		"unknown placeholder": {[]string{"x.{tenant}.y"}, "unknown placeholder {tenant}"},
		"side by side":        {[]string{"x.{tenant_id}{requested_by}"}, "separate them by dots"},
		"half a part":         {[]string{"tenant.x{tenant_id}.schemas"}, "separate them by dots"},
		"another's channel":   {[]string{"tenant.{requested_by}.schemas"}, "can spell the same name as " + TenantTemplate},
		"crossed":             {[]string{"{tenant_id}.x.schemas"}, "can spell the same name as " + TenantTemplate},
		"bad characters":      {[]string{"x y.{tenant_id}"}, "contains characters other than"},
		"trap":                {[]string{"private-x.{tenant_id}"}, `contains "private-"`},
		"twice":               {[]string{"a.{tenant_id}", "a.{tenant_id}"}, "can spell the same name as"},
		"the tenant's own":    {[]string{TenantTemplate}, "can spell the same name as"},
		"too many":            {slices.Repeat([]string{"a.{tenant_id}"}, 10), "too many"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newNamer(ModePublic, tt.templates)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "BROADCAST_CHANNEL_TEMPLATES") {
				t.Errorf("error = %v, want one that contains %q and names the variable", err, tt.want)
			}
		})
	}
}

// Whatever two tenants call themselves and their users, they share no channel.
func TestTenantsNeverMeet(t *testing.T) {
	t.Parallel()
	n, err := newNamer(ModePublic, []string{"tenant.{tenant_id}.user.{requested_by}.schemas", "tenant.{tenant_id}.all"})
	if err != nil {
		t.Fatal(err)
	}
	value := rapid.StringMatching(`(a|b|\.|user|schemas|all|tenant|-|1){0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		one := schema.Event{TenantID: value.Draw(t, "tenant"), RequestedBy: value.Draw(t, "requester")}
		two := schema.Event{TenantID: value.Draw(t, "other tenant"), RequestedBy: value.Draw(t, "other requester")}
		if one.TenantID == two.TenantID {
			return
		}
		ones, _ := n.channels(one)
		twos, _ := n.channels(two)
		for _, name := range ones {
			if slices.Contains(twos, name) {
				t.Fatalf("%+v and %+v both use %s", one, two, name)
			}
		}
	})
}

// A tenant whose id Laravel's {tenant} does not match is published where nobody is
// admitted.
func TestCheckTenant(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode   Mode
		tenant string
		reason string
	}{
		{ModePublic, "acme.com", ""},
		{ModePrivate, testTenant, ""},
		{ModeEncrypted, "a_b-c=1@x,y;z", ""},
		{ModePrivate, "acme.com", `contains ".", at which the {tenant} of a Laravel channel ends`},
		{ModeEncrypted, "8.schemas.x", `contains "."`},
		{ModePublic, "acme inc", "contains ' '"},
		{ModePrivate, "acme-cache-1", `contains "cache-"`},
	} {
		r, err := NewRenderer(Config{Mode: tt.mode, EncryptionKey: "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="})
		if err != nil {
			t.Fatal(err)
		}
		var got *ChannelError
		if errors.As(r.CheckTenant(tt.tenant), &got) != (tt.reason != "") || got != nil && !strings.Contains(got.Reason, tt.reason) {
			t.Errorf("%s %q: %v, want %q", tt.mode, tt.tenant, got, tt.reason)
		}
	}
}
