package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Check asks one part that a worker depends on.
type Check interface {
	// Name is one word, as database or redis.
	Name() string
	// Check returns nil when the part is fine, a *DegradedError when the worker does
	// its work without it, any other error when it can not. The text goes to whoever
	// asks, without authentication.
	Check(ctx context.Context) error
}

// NewCheck makes a Check of a function.
func NewCheck(name string, check func(ctx context.Context) error) Check {
	return checkFunc{name: name, check: check}
}

type checkFunc struct {
	name  string
	check func(ctx context.Context) error
}

func (c checkFunc) Name() string                    { return c.name }
func (c checkFunc) Check(ctx context.Context) error { return c.check(ctx) }

// DegradedError is a part that fails without keeping the worker from its work, as a
// broadcast does whose events wait in the outbox.
type DegradedError struct{ Reason string }

func (e *DegradedError) Error() string { return e.Reason }

// Status is how a part, or the whole, is.
type Status string

// The values of Status. Down is answered with 503.
const (
	StatusOK       Status = "ok"
	StatusDegraded Status = "degraded"
	StatusDown     Status = "down"
)

// Report is the body of both endpoints.
type Report struct {
	Status Status        `json:"status"`
	Checks []CheckReport `json:"checks,omitempty"`
}

// CheckReport is what one check said.
type CheckReport struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Error  string `json:"error,omitempty"`
}

// readiness asks all checks, at most once each CacheFor.
type readiness struct {
	cfg    ServerConfig
	probes []*probe

	mu     sync.Mutex
	latest Report
	at     time.Time
}

func newReadiness(cfg ServerConfig) *readiness {
	r := &readiness{cfg: cfg}
	for _, check := range cfg.Checks {
		r.probes = append(r.probes, &probe{check: check, free: make(chan struct{}, 1)})
	}
	return r
}

// report asks, or returns the answer that is still fresh. Requests that come
// meanwhile wait for the same answer. A drain is told at once: it is not cached.
func (r *readiness) report(ctx context.Context) Report {
	report := r.checks(ctx)
	if r.cfg.Draining() {
		drain := CheckReport{Name: "worker", Status: StatusDown, Error: "draining: the worker is shutting down and takes no more work"}
		report = Report{Status: StatusDown, Checks: append([]CheckReport{drain}, report.Checks...)}
	}
	return report
}

func (r *readiness) checks(ctx context.Context) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.at.IsZero() && time.Since(r.at) < r.cfg.CacheFor {
		return r.latest
	}
	// Not the request's context: others wait for this answer too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.CheckTimeout)
	defer cancel()
	reports := make([]CheckReport, len(r.probes))
	var group sync.WaitGroup
	for i, p := range r.probes {
		group.Go(func() { reports[i] = p.ask(ctx, r.cfg.CheckTimeout) })
	}
	group.Wait()
	status := StatusOK
	for _, report := range reports {
		if report.Status == StatusDown || report.Status == StatusDegraded && status == StatusOK {
			status = report.Status
		}
	}
	r.latest, r.at = Report{Status: status, Checks: reports}, time.Now()
	return r.latest
}

// probe runs one check at a time. One that ignores its context is not waited for,
// and not started again before it came back.
type probe struct {
	check Check
	free  chan struct{} // holds a token while the check runs
}

func (p *probe) ask(ctx context.Context, limit time.Duration) CheckReport {
	late := fmt.Errorf("no answer within %s", limit)
	select {
	case p.free <- struct{}{}:
	default:
		return p.reportOf(late)
	}
	answer := make(chan error, 1)
	go func() {
		err := p.run(ctx)
		<-p.free
		answer <- err
	}()
	select {
	case err := <-answer:
		if errors.Is(err, context.DeadlineExceeded) {
			err = late
		}
		return p.reportOf(err)
	case <-ctx.Done():
		return p.reportOf(late)
	}
}

func (p *probe) run(ctx context.Context) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the check crashed")
		}
	}()
	return p.check.Check(ctx)
}

func (p *probe) reportOf(err error) CheckReport {
	var degraded *DegradedError
	switch {
	case err == nil:
		return CheckReport{Name: p.check.Name(), Status: StatusOK}
	case errors.As(err, &degraded):
		return CheckReport{Name: p.check.Name(), Status: StatusDegraded, Error: short(degraded.Reason)}
	default:
		return CheckReport{Name: p.check.Name(), Status: StatusDown, Error: short(err.Error())}
	}
}

// short keeps a reason on one line of bounded length.
func short(text string) string {
	const limit = 300
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return text
}
