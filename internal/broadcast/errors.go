package broadcast

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// PublishError is a server's refusal.
type PublishError struct {
	// Status is the HTTP status, or the one inside the body where the server hides
	// it there. It is 200 when something answered that is no Pusher server.
	Status int
	// Msg is the server's text, shortened.
	Msg string
	// RetryAfter is what the server asked for, 0 when it did not, at most a minute.
	RetryAfter time.Duration
	// Driver is the configured kind of server, whose variables the cure names.
	Driver Driver
}

func (e *PublishError) Error() string {
	text := fmt.Sprintf("the Pusher server answered %d", e.Status)
	if e.Msg != "" {
		text += ": " + e.Msg
	}
	variable := e.Driver.variable
	switch e.Status {
	case http.StatusUnauthorized:
		text += "; check " + variable("APP_KEY") + " and " + variable("APP_SECRET") + ", and this machine's clock"
	case http.StatusForbidden:
		text += "; check whether the app is enabled and within its quota, and what a firewall on the way forbids"
	case http.StatusNotFound:
		text += "; check " + variable("APP_ID") + ", " + variable("HOST") + " and " + variable("PORT")
	default:
		if e.class() == misconfigured {
			text += "; check " + variable("HOST") + ", " + variable("PORT") + " and " + variable("SCHEME")
		}
	}
	return text
}

// variable is the name of an environment variable of Laravel's for the driver.
func (d Driver) variable(name string) string {
	if d == DriverReverb {
		return "REVERB_" + name
	}
	return "PUSHER_" + name
}

func (e *PublishError) class() class {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return refused
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return transient
	}
	if e.Status >= 500 {
		return transient
	}
	return misconfigured
}

// class says what to do about a failed publish.
type class int

const (
	transient     class = iota // try again later
	refused                    // this event, as it is, will never pass
	misconfigured              // no event will pass until somebody acts
)

// classify sorts the errors of Publish and Check.
func classify(err error) class {
	if answer, ok := errors.AsType[*PublishError](err); ok {
		return answer.class()
	}
	// A certificate that does not fit and the wrong scheme do not mend themselves.
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return misconfigured
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return misconfigured
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return misconfigured
	}
	return transient
}
