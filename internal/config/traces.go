package config

import (
	"net/url"
	"strings"
)

// Traces says where spans go.
type Traces struct {
	// On is false where nobody asked for traces.
	On bool
	// URL takes spans in OTLP over HTTP.
	URL string
	// Headers go with every request, by name.
	Headers map[string]Secret
	// ServiceName is that of this program in traces.
	ServiceName string
}

const (
	collectorURL = "http://127.0.0.1:4318"
	tracesPath   = "/v1/traces"
)

// traces reads the standard variables of OpenTelemetry.
func (l *loader) traces() {
	v := l.vars
	exporter := strings.ToLower(v.OTelExporter)
	if exporter != "" {
		l.choice("OTEL_TRACES_EXPORTER", exporter, "otlp", "none")
	}
	name, address := "OTEL_EXPORTER_OTLP_ENDPOINT", v.OTelEndpoint
	if v.OTelTracesEndpoint != "" {
		name, address = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", v.OTelTracesEndpoint
	}
	if exporter == "none" || bool(v.OTelDisabled) || exporter == "" && address == "" {
		return
	}
	t := Traces{On: true, URL: v.OTelTracesEndpoint, ServiceName: v.OTelServiceName, Headers: l.traceHeaders()}
	if address == "" {
		address = collectorURL
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		l.problem(name, "is %s; write an address such as %s", quote(address), collectorURL)
		return
	}
	if u.User != nil {
		l.problem(name, "has a user or password in it; use OTEL_EXPORTER_OTLP_HEADERS")
	}
	if t.URL == "" {
		t.URL = strings.TrimRight(address, "/") + tracesPath
	}
	l.cfg.Traces = t
}

// traceHeaders reads a list of headers, as W3C's baggage writes it.
func (l *loader) traceHeaders() map[string]Secret {
	headers := map[string]Secret{}
	for entry := range strings.SplitSeq(l.vars.OTelHeaders.Reveal(), ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		name, raw, found := strings.Cut(entry, "=")
		value, err := url.PathUnescape(strings.TrimSpace(raw))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			l.problem("OTEL_EXPORTER_OTLP_HEADERS", "is no list of headers; write name=value,name=value, percent-encoded")
			return nil
		}
		headers[name] = NewSecret(value)
	}
	return headers
}
