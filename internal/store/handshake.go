package store

import (
	"crypto/x509"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// pgWrongUser is the SQLSTATE of refusals by pg_hba.conf, which are those about TLS
// and certificates too.
const pgWrongUser = "28000"

// handshake takes apart the failure to agree on TLS: its reason, without pgx's
// account of every try, and its cure. Both are empty for other errors.
func handshake(err error) (reason, cure string) {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		op        *net.OpError
		pg        *pgconn.PgError
	)
	switch {
	case errors.As(err, &authority):
		return authority.Error(), "set DB_SSLROOTCERT to the file of the authority that signed its certificate"
	case errors.As(err, &name):
		return name.Error(), "write DB_HOST as its certificate has it, or set DB_SSLMODE=verify-ca to trust any name"
	case errors.As(err, &invalid):
		return invalid.Error(), "give PostgreSQL a new certificate, or correct this machine's clock"
	case errors.As(err, &op) && op.Op == "remote error": // what the other end of TLS says
		return op.Error(), "it refuses our certificate; set DB_SSLCERT and DB_SSLKEY to one that its authority signed"
	case errors.As(err, &pg) && pg.Code == pgWrongUser && strings.Contains(pg.Message, "certificate"):
		return firstLine(pg.Message), "set DB_SSLCERT and DB_SSLKEY"
	case errors.As(err, &pg) && pg.Code == pgWrongUser && strings.Contains(pg.Message, "no encryption"):
		return firstLine(pg.Message), "set DB_SSLMODE=verify-full, or let pg_hba.conf admit us without TLS"
	case err != nil && strings.Contains(err.Error(), "server refused TLS connection"):
		return "it speaks no TLS", "switch ssl on there, or set DB_SSLMODE=disable where the network is trusted"
	default:
		return "", ""
	}
}
