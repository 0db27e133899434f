package broadcast

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// TenantTemplate is the channel that the app's dashboard listens to.
	TenantTemplate = "tenant.{tenant_id}.schemas"
	// maxChannelLen is Pusher's limit, prefix included. Soketi accepts a longer name
	// for publishing and refuses everybody who wants to listen.
	maxChannelLen   = 200
	tenantHolder    = "{tenant_id}"
	requesterHolder = "{requested_by}"
)

var (
	channelChars = regexp.MustCompile(`^[-a-zA-Z0-9_=@,.;]+$`)
	placeholder  = regexp.MustCompile(`\{[^}]*\}`)
)

// ChannelError says that no channel can carry a tenant's events. It is permanent.
type ChannelError struct {
	TenantID string
	Reason   string
}

func (e *ChannelError) Error() string {
	return fmt.Sprintf("tenant id %q can not be part of a channel name: it %s; give the tenant an id of letters, digits, \"-\" and \"_\"",
		clip(e.TenantID, 80), e.Reason)
}

// namer makes channel names. Every name contains the tenant or the requester, and
// different values never spell the same name.
type namer struct {
	mode      Mode
	templates []string // the tenant's own first
}

func newNamer(mode Mode, extra []string) (namer, error) {
	n := namer{mode: mode, templates: append([]string{TenantTemplate}, extra...)}
	if len(n.templates) > maxTemplates {
		return namer{}, fmt.Errorf("%d additional channel templates are too many; BROADCAST_CHANNEL_TEMPLATES takes %d",
			len(extra), maxTemplates-1)
	}
	for i, template := range n.templates {
		reason := n.templateProblem(template)
		for _, other := range n.templates[:i] {
			if reason == "" && meet(template, other) {
				reason = "can spell the same name as " + other
			}
		}
		if reason != "" {
			return namer{}, fmt.Errorf("channel template %q %s; mend BROADCAST_CHANNEL_TEMPLATES", template, reason)
		}
	}
	return n, nil
}

// templateProblem completes the sentence "the template ...", empty when it is sound.
func (n namer) templateProblem(template string) string {
	found := placeholder.FindAllString(template, -1)
	if len(found) == 0 {
		return "has no placeholder, so every tenant's events would meet on one channel"
	}
	for _, holder := range found {
		if !isHolder(holder) {
			return "has the unknown placeholder " + holder + "; " + tenantHolder + " and " + requesterHolder + " are known"
		}
	}
	for part := range strings.SplitSeq(template, ".") {
		if strings.Contains(part, "{") && !isHolder(part) {
			return fmt.Sprintf("mixes a placeholder with text in %q; separate them by dots, so that different values never spell one name", part)
		}
	}
	if reason := n.nameProblem(placeholder.ReplaceAllString(template, "1")); reason != "" {
		return "is no channel name: it " + reason
	}
	return ""
}

// meet says whether two templates can make the same name. Values hold no dots where
// there are several templates, so the parts between dots decide.
func meet(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		if as[i] != bs[i] && !isHolder(as[i]) && !isHolder(bs[i]) {
			return false
		}
	}
	return true
}

func isHolder(part string) bool { return part == tenantHolder || part == requesterHolder }

// channels names the channels of an event, the tenant's own first.
func (n namer) channels(ev schema.Event) ([]string, error) {
	names := make([]string, 0, len(n.templates))
	for _, template := range n.templates {
		personal := strings.Contains(template, requesterHolder)
		name, reason := n.fill(template, ev)
		switch {
		case reason == "":
			names = append(names, n.prefix()+name)
		case !personal:
			return nil, &ChannelError{TenantID: ev.TenantID, Reason: reason}
		}
		// A requester that fits no name has no listener either; the tenant's own
		// channel must not suffer for it.
	}
	return names, nil
}

// CheckTenant says why nobody can hear a tenant's events, as a *ChannelError; nil when
// somebody can. Either no channel can carry them, and they are given up; or the channel is
// one that listeners have to be admitted to, and Laravel, whose {tenant} ends at a dot,
// admits nobody.
func (r *Renderer) CheckTenant(tenantID string) error {
	if _, err := r.namer.channels(schema.Event{TenantID: tenantID}); err != nil {
		return err
	}
	if r.namer.mode != ModePublic && strings.Contains(tenantID, ".") {
		return &ChannelError{TenantID: tenantID, Reason: `contains ".", at which the {tenant} of a Laravel channel ends, so that nobody is admitted to listen`}
	}
	return nil
}

func (n namer) fill(template string, ev schema.Event) (name, reason string) {
	for _, use := range []struct{ holder, value string }{{tenantHolder, ev.TenantID}, {requesterHolder, ev.RequestedBy}} {
		if !strings.Contains(template, use.holder) {
			continue
		}
		if reason := n.valueProblem(use.value); reason != "" {
			return "", reason
		}
	}
	name = strings.NewReplacer(tenantHolder, ev.TenantID, requesterHolder, ev.RequestedBy).Replace(template)
	return name, n.nameProblem(name)
}

// valueProblem checks a value that is put into a template.
func (n namer) valueProblem(value string) string {
	if value == "" {
		return "is empty"
	}
	if i := strings.IndexFunc(value, func(r rune) bool { return !channelChars.MatchString(string(r)) }); i >= 0 {
		return fmt.Sprintf("contains %q, which channel names do not allow", []rune(value[i:])[0])
	}
	if len(n.templates) > 1 && strings.Contains(value, ".") {
		return `contains ".", which separates the parts of a name, so that with BROADCAST_CHANNEL_TEMPLATES it could spell another tenant's channel`
	}
	return ""
}

// nameProblem checks a whole name without the prefix of the mode. Soketi looks for
// some words anywhere in a name, Reverb for some at its start: such a channel demands
// authorisation or replays events although its mode says otherwise.
func (n namer) nameProblem(name string) string {
	if length := len(n.prefix()) + len(name); length > maxChannelLen {
		return fmt.Sprintf("makes a name of %d characters, %d are allowed", length, maxChannelLen)
	}
	if !channelChars.MatchString(name) {
		return "contains characters other than letters, digits and - _ = @ , . ;"
	}
	traps := []string{"cache-"}
	if n.mode == ModePublic {
		traps = append(traps, "private-", "presence-")
	}
	for _, trap := range traps {
		if strings.Contains(name, trap) {
			return fmt.Sprintf("contains %q, which Soketi takes for another kind of channel", trap)
		}
	}
	for _, start := range []string{"cache", "private", "presence", "encrypted-"} {
		if strings.HasPrefix(name, start) {
			return fmt.Sprintf("starts the name with %q, which servers take for another kind of channel", start)
		}
	}
	return ""
}

func (n namer) prefix() string {
	switch n.mode {
	case ModePrivate:
		return "private-"
	case ModeEncrypted:
		return "private-encrypted-"
	default:
		return ""
	}
}
