package config

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/schemacast/schemacast/internal/schema"
)

// Admin says what the dashboard shows, and to whom. Where it is, is Worker.AdminAddr.
type Admin struct {
	Tokens []AdminToken
	// Proxies are the peers whose Header is believed.
	Proxies []netip.Prefix
	Header  string
	// AppURL has {schema_id}; empty for no link.
	AppURL  string
	Samples bool
	// Asynqmon is off, read or write.
	Asynqmon string
	// Bands are the least confidences that count as good and as fair.
	Bands [2]float64
}

// The values of Admin.Asynqmon.
const (
	AsynqmonOff   = "off"
	AsynqmonRead  = "read"
	AsynqmonWrite = "write"
)

// AdminToken is a secret and the tenants that it opens.
type AdminToken struct {
	Secret  Secret
	Tenants schema.Tenants
}

var (
	tokenPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{16,}$`)
	headerPattern = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
)

func (l *loader) admin() {
	v := l.vars
	l.cfg.Admin = Admin{Header: v.AdminHeader, AppURL: v.AdminAppURL, Samples: bool(v.AdminSamples), Asynqmon: v.AdminAsynqmon}
	l.adminTokens()
	l.adminProxies()
	l.adminAppURL()
	l.adminBands()
	l.choice("ADMIN_ASYNQMON", v.AdminAsynqmon, AsynqmonOff, AsynqmonRead, AsynqmonWrite)
	if !headerPattern.MatchString(v.AdminHeader) {
		l.problem("ADMIN_IDENTITY_HEADER", "is %q, which is no name of a header; use letters, digits and \"-\"", v.AdminHeader)
	}
	someone := l.isSet("ADMIN_TOKENS") || l.isSet("ADMIN_TRUSTED_PROXIES")
	switch {
	case l.blind:
	case l.servesDashboard() && !someone && !l.broken["ADMIN_TOKENS_FILE"]:
		l.problem("ADMIN_ADDR", "is set and nobody could see the dashboard; set ADMIN_TOKENS=TOKEN=* with a token made by openssl rand -hex 24, "+
			"or ADMIN_TRUSTED_PROXIES where a reverse proxy signs people in")
	case !l.servesDashboard() && someone:
		l.warn("ADMIN_ADDR is off, so that ADMIN_TOKENS and ADMIN_TRUSTED_PROXIES open nothing")
	}
}

// adminTokens names entries by their place: they hold secrets.
func (l *loader) adminTokens() {
	const name = "ADMIN_TOKENS"
	const form = "write TOKEN=TENANT,TENANT or TOKEN=*, with white space between entries"
	seen := map[string]int{}
	for i, entry := range strings.Fields(l.vars.AdminTokens.Reveal()) {
		token, list, found := strings.Cut(entry, "=")
		tenants, err := schema.ParseTenants(list)
		switch {
		case !found:
			l.problem(name, "has no = in entry %d; %s", i+1, form)
		case !tokenPattern.MatchString(token):
			l.problem(name, "has a token of %d characters in entry %d; use 16 or more letters, digits, - and _, as openssl rand -hex 24 makes them",
				len(token), i+1)
		case seen[token] > 0:
			l.problem(name, "has the same token in entries %d and %d; join their tenants, or make another token", seen[token], i+1)
		case err != nil:
			l.problem(name, "%v (entry %d); %s", err, i+1, form)
		}
		seen[token] = i + 1
		l.cfg.Admin.Tokens = append(l.cfg.Admin.Tokens, AdminToken{Secret: NewSecret(token), Tenants: tenants})
	}
}

func (l *loader) adminProxies() {
	const name = "ADMIN_TRUSTED_PROXIES"
	for _, item := range l.vars.AdminProxies {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(item)
		if addr, addrErr := netip.ParseAddr(item); addrErr == nil {
			addr = addr.Unmap()
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		switch {
		case err != nil:
			l.problem(name, "has %s; write addresses and networks, as 10.0.0.5 or 10.0.0.0/24", quote(item))
		case prefix.Bits() == 0:
			l.problem(name, "has %s, so that everybody could be anybody; name the proxies", quote(item))
		}
		l.cfg.Admin.Proxies = append(l.cfg.Admin.Proxies, prefix.Masked())
	}
}

func (l *loader) adminAppURL() {
	const name = "ADMIN_APP_URL"
	value := l.vars.AdminAppURL
	if value == "" {
		return
	}
	rest := strings.NewReplacer("{schema_id}", "1", "{tenant_id}", "1").Replace(value)
	u, err := url.Parse(rest)
	switch {
	case err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https"):
		l.problem(name, "is %s; write an address as https://app.example/schemas/{schema_id}", quote(value))
	case strings.ContainsAny(rest, "{}"):
		l.problem(name, "has another placeholder than {schema_id} and {tenant_id}; use these")
	case !strings.Contains(value, "{schema_id}"):
		l.problem(name, "leads to one page for all schemas; put {schema_id} into it")
	}
}

func (l *loader) adminBands() {
	const name = "ADMIN_CONFIDENCE_BANDS"
	bands := &l.cfg.Admin.Bands
	list := l.vars.AdminBands
	for i := range min(len(list), len(bands)) {
		value, err := strconv.ParseFloat(strings.TrimSpace(list[i]), 64)
		if err != nil || !(value > 0 && value <= 1) {
			value = -1
		}
		bands[i] = value
	}
	if len(list) != len(bands) || bands[1] < 0 || bands[0] <= bands[1] {
		l.problem(name, "is %q; write two numbers up to 1, the larger first, as 0.9,0.7", strings.Join(list, ","))
	}
}
