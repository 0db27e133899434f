package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

const someToken = "0123456789abcdef"

func TestAdmin(t *testing.T) {
	t.Parallel()
	got := load(t, pairs("ADMIN_ADDR=:8080", "ADMIN_TOKENS= 0123456789abcdef=*\n\tfedcba9876543210_-=acme,a%2Cb ", "ADMIN_TRUSTED_PROXIES=10.1.2.3, 10.2.0.9/16,::1",
		"ADMIN_IDENTITY_HEADER=X-Who", "ADMIN_APP_URL=https://app.example/{tenant_id}/schemas/{schema_id}", "ADMIN_SAMPLES=on", "ADMIN_ASYNQMON=write", "ADMIN_CONFIDENCE_BANDS=0.95, 0.5"))
	want := Admin{
		Tokens: []AdminToken{
			{NewSecret(someToken), schema.Tenants{All: true}}, {NewSecret("fedcba9876543210_-"), schema.Tenants{IDs: []string{"acme", "a,b"}}},
		},
		Proxies: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("10.2.0.0/16"), netip.MustParsePrefix("::1/128")},
		Header:  "X-Who", AppURL: "https://app.example/{tenant_id}/schemas/{schema_id}", Samples: true, Asynqmon: AsynqmonWrite, Bands: [2]float64{0.95, 0.5},
	}
	if diff := cmp.Diff(want, got.Admin, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("admin (-want +got):\n%s", diff)
	}
	if len(got.Warnings) > 0 {
		t.Errorf("warnings %q", got.Warnings)
	}
}

// A file of tokens has a line for each.
func TestAdminTokensFile(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "tokens", someToken+"=acme\nfedcba9876543210=*\n")
	got := load(t, pairs("ADMIN_ADDR=:8080", "ADMIN_TOKENS_FILE="+file)).Admin.Tokens
	if len(got) != 2 || got[1].Secret.Reveal() != "fedcba9876543210" || !got[1].Tenants.All {
		t.Errorf("got %+v", got)
	}
}

func TestAdminProblems(t *testing.T) {
	t.Parallel()
	for _, tc := range adminProblems {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(Source{Environ: environ(tc.over)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

// adminProblems are mistakes in what leads to the dashboard and its events.
var adminProblems = []struct {
	name string
	over map[string]string
	want string
}{
	{"nobody may see it", pairs("ADMIN_ADDR=:8080"), "ADMIN_ADDR is set and nobody could see the dashboard; set ADMIN_TOKENS="},
	{"short token", pairs("ADMIN_TOKENS=hunter2=*"), "ADMIN_TOKENS has a token of 7 characters in entry 1"},
	{"no tenants", pairs("ADMIN_TOKENS=hunter2hunter2hunter2"), "ADMIN_TOKENS has no = in entry 1"},
	{"empty tenant", pairs("ADMIN_TOKENS=hunter2hunter2hunter2=a,,b"), "ADMIN_TOKENS has an empty id of a tenant"},
	{"star among tenants", pairs("ADMIN_TOKENS=hunter2hunter2hunter2=a,*"), "ADMIN_TOKENS mixes * with ids"},
	{"bad percent", pairs("ADMIN_TOKENS=hunter2hunter2hunter2=50%"), "write % as %25"},
	{"same token", pairs("ADMIN_TOKENS=hunter2hunter2hunter2=a hunter2hunter2hunter2=b"), "ADMIN_TOKENS has the same token in entries 1 and 2"},
	{"no network", pairs("ADMIN_TRUSTED_PROXIES=proxy.example"), `ADMIN_TRUSTED_PROXIES has "proxy.example"; write addresses and networks`},
	{"everybody", pairs("ADMIN_TRUSTED_PROXIES=0.0.0.0/0"), `ADMIN_TRUSTED_PROXIES has "0.0.0.0/0", so that everybody could be anybody`},
	{"no header", pairs("ADMIN_IDENTITY_HEADER=X Who"), `ADMIN_IDENTITY_HEADER is "X Who", which is no name`},
	{"script", pairs("ADMIN_APP_URL=javascript:alert({schema_id})"), "ADMIN_APP_URL is \"javascript:"},
	{"one page", pairs("ADMIN_APP_URL=https://app.example/schemas"), "ADMIN_APP_URL leads to one page"},
	{"odd placeholder", pairs("ADMIN_APP_URL=https://app.example/{id}/{schema_id}"), "ADMIN_APP_URL has another placeholder"},
	{"asynqmon", pairs("ADMIN_ASYNQMON=on"), `ADMIN_ASYNQMON is "on"; choose off, read or write`},
	{"samples", pairs("ADMIN_SAMPLES=maybe"), `ADMIN_SAMPLES is "maybe"; write on or off`},
	{"missing file", pairs("ADMIN_ADDR=:8080", "ADMIN_TOKENS_FILE=/nowhere/tokens"), `ADMIN_TOKENS_FILE names "/nowhere/tokens", which does not exist`},
	{"misspelt", pairs("ADMIN_TOKEN=hunter2hunter2hunter2=*"), "ADMIN_TOKEN is no setting; did you mean ADMIN_TOKENS?"},
	{"bands upside down", pairs("ADMIN_CONFIDENCE_BANDS=0.7,0.9"), `ADMIN_CONFIDENCE_BANDS is "0.7,0.9"; write two numbers`},
	{"one band", pairs("ADMIN_CONFIDENCE_BANDS=0.7"), "ADMIN_CONFIDENCE_BANDS is"},
	{"no number", pairs("ADMIN_CONFIDENCE_BANDS=NaN,NaN"), "ADMIN_CONFIDENCE_BANDS is"},
	{"public URL", pairs("BROADCAST_PUBLIC_URL=events.example"), "BROADCAST_PUBLIC_URL is \"events.example\"; write scheme"},
	{"public path", pairs("BROADCAST_PUBLIC_URL=wss://events.example/app"), "BROADCAST_PUBLIC_URL is"},
	{"public scheme", pairs("BROADCAST_PUBLIC_URL=ftp://events.example"), `BROADCAST_PUBLIC_URL has the scheme "ftp"; choose ws or wss`},
	{"public password", pairs("BROADCAST_PUBLIC_URL=wss://a:hunter2@events.example"), "BROADCAST_PUBLIC_URL is ********"},
	{"vite port", pairs("ADMIN_ADDR=:8080", "VITE_PUSHER_PORT=six"), `VITE_PUSHER_PORT is "six"; write a port`},
	{"vite scheme", pairs("ADMIN_ADDR=:8080", "VITE_PUSHER_SCHEME=ws"), `VITE_PUSHER_SCHEME is "ws"; choose http or https`},
	{"vite host", pairs("ADMIN_ADDR=:8080", "VITE_PUSHER_HOST=https://x"), `VITE_PUSHER_HOST is "https://x"; write the host alone`},
}

func TestBrowserAddress(t *testing.T) {
	t.Parallel()
	dashboard := []string{"ADMIN_ADDR=:8080", "ADMIN_TOKENS=" + someToken + "=*"}
	for _, tc := range []struct {
		name string
		over []string
		want EventServer
	}{
		{"as the worker's", nil, EventServer{Key: "app-key", Host: "soketi", Port: 443, Secure: true, Cluster: "mt1"}},
		{"the app's", []string{"VITE_PUSHER_APP_KEY=vite", "VITE_PUSHER_HOST=localhost", "VITE_PUSHER_PORT=6001", "VITE_PUSHER_SCHEME=http"},
			EventServer{Key: "vite", Host: "localhost", Port: 6001, Cluster: "mt1"}},
		{"ours", []string{"VITE_PUSHER_HOST=localhost", "BROADCAST_PUBLIC_URL=ws://[::1]:6002"}, EventServer{Key: "app-key", Host: "::1", Port: 6002, Cluster: "mt1"}},
		{"the usual port", []string{"BROADCAST_PUBLIC_URL=wss://events.example/"},
			EventServer{Key: "app-key", Host: "events.example", Port: 443, Secure: true, Cluster: "mt1"}},
		{"the cloud", []string{"PUSHER_HOST=", "PUSHER_APP_CLUSTER=eu"},
			EventServer{Key: "app-key", Host: "ws-eu.pusher.com", Port: 443, Secure: true, Cluster: "eu"}},
		{"nowhere", []string{"BROADCAST_CONNECTION=null"}, EventServer{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := load(t, pairs(append(tc.over, dashboard...)...)).Broadcast.Browser
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("server (-want +got):\n%s", diff)
			}
		})
	}
	// Apps have variables of this prefix too.
	load(t, pairs("ADMIN_EMAIL=root@app.example", "ADMIN_PASSWORD=x"))
	// What the app's browsers are told is of no interest without a dashboard.
	load(t, pairs("VITE_PUSHER_PORT=six"))
}
