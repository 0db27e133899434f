package task

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
)

// handshakeCure says what to do about a connection that ended before Redis could
// answer because both ends do not agree on TLS. Empty for other errors.
func handshakeCure(err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		plain     tls.RecordHeaderError
		op        *net.OpError
	)
	switch {
	case errors.As(err, &authority):
		return "set REDIS_CA_FILE to the file of the authority that signed its certificate"
	case errors.As(err, &name):
		return "write the host as its certificate has it, or set REDIS_SERVER_NAME to the certificate's name"
	case errors.As(err, &invalid):
		return "give Redis a new certificate, or correct this machine's clock"
	case errors.As(err, &plain):
		return "it speaks no TLS on this port; correct the port, or remove REDIS_TLS"
	case errors.As(err, &op) && op.Op == "remote error": // what the other end of TLS says
		return "it refuses our certificate; set REDIS_CERT_FILE and REDIS_KEY_FILE to one that its authority signed"
	case errors.Is(err, context.DeadlineExceeded): // a server without TLS waits for the end of our first line
		return "start it, correct REDIS_URL or REDIS_HOST and REDIS_PORT, or switch REDIS_TLS off if it speaks no TLS"
	case errors.Is(err, io.EOF):
		return "it hung up; set REDIS_TLS=on if it speaks TLS"
	default:
		return ""
	}
}
