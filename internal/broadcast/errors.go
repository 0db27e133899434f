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
}

func (e *PublishError) Error() string {
	text := fmt.Sprintf("the Pusher server answered %d", e.Status)
	if e.Msg != "" {
		text += ": " + e.Msg
	}
	switch e.Status {
	case http.StatusUnauthorized:
		text += "; check PUSHER_APP_KEY and PUSHER_APP_SECRET"
	case http.StatusForbidden:
		text += "; check whether the app is enabled and within its quota"
	case http.StatusNotFound:
		text += "; check PUSHER_APP_ID, PUSHER_HOST and PUSHER_PORT"
	default:
		if e.class() == misconfigured {
			text += "; check PUSHER_HOST, PUSHER_PORT and PUSHER_SCHEME"
		}
	}
	return text
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
