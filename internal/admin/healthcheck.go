package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

const healthcheckTimeout = 3 * time.Second

// Healthcheck asks the worker that listens on addr, as HEALTH_ADDR has it, whether
// it is alive. It serves images without a shell: `worker -healthcheck`. It asks
// /livez and not /readyz, since orchestrators restart what is unhealthy, and a
// restart cures no database.
func Healthcheck(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	targets, err := loopback(addr)
	if err != nil {
		return err
	}
	// No proxy of the environment: the worker is on this machine.
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	var failures []error
	for _, target := range targets {
		err := ask(ctx, transport, "http://"+target+"/livez")
		var dial *net.OpError
		if err == nil || !errors.As(err, &dial) {
			return err
		}
		failures = append(failures, fmt.Errorf("no worker answers on %s: %w", target, dial.Err))
	}
	return errors.Join(failures...)
}

func ask(ctx context.Context, transport http.RoundTripper, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	if response.StatusCode == http.StatusOK {
		return nil
	}
	var report Report
	if err := json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&report); err == nil && len(report.Checks) > 0 {
		return fmt.Errorf("the worker is not alive: %s", short(report.Checks[0].Error))
	}
	return fmt.Errorf("the worker is not alive: %s answered HTTP %d", url, response.StatusCode)
}

// loopback returns the addresses under which a listener on addr is reached from the
// same machine. A listener on all addresses may have only one of the two families.
func loopback(addr string) ([]string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" || port == "0" {
		return nil, addrError(addr)
	}
	const four, six = "127.0.0.1", "::1"
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "":
		return []string{net.JoinHostPort(four, port), net.JoinHostPort(six, port)}, nil
	case err == nil && ip.IsUnspecified() && ip.Is4():
		return []string{net.JoinHostPort(four, port)}, nil
	case err == nil && ip.IsUnspecified():
		return []string{net.JoinHostPort(six, port), net.JoinHostPort(four, port)}, nil
	default:
		return []string{addr}, nil
	}
}

func addrError(addr string) error {
	return fmt.Errorf("HEALTH_ADDR %q is not a host and a port; write it as 127.0.0.1:8081, or :8081 for all addresses", addr)
}
