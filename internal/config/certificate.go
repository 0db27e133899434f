package config

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"time"
)

// This file reads certificates at start, so that a wrong file is a sentence then and
// no failed handshake later.

// roots reads the certificates that a server is checked against.
func (l *loader) roots(name, path string) *x509.CertPool {
	if path == "" {
		return nil
	}
	pem, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		l.problem(name, "can not be read (%v); correct the path", err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		l.problem(name, "names %q, which holds no certificate; write certificates in PEM form into it", path)
		return nil
	}
	return pool
}

// ownCertificate reads the certificate that we show, and its key.
func (l *loader) ownCertificate(certName, certPath, keyName, keyPath string) []tls.Certificate {
	switch {
	case certPath == "" && keyPath == "":
		return nil
	case keyPath == "":
		l.problem(keyName, "is not set and %s is; set it to the file of the certificate's key", certName)
		return nil
	case certPath == "":
		l.problem(certName, "is not set and %s is; set it to the file of the key's certificate", keyName)
		return nil
	}
	for _, file := range []struct{ name, path string }{{certName, certPath}, {keyName, keyPath}} {
		if _, err := os.ReadFile(file.path); err != nil {
			l.problem(file.name, "can not be read (%v); correct the path, or let the user of this process read it", err)
		}
	}
	if l.broken[certName] || l.broken[keyName] {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		l.problem(certName, "and %s do not fit together (%v); write a certificate and its key, which has no password, in PEM form into them",
			keyName, err)
		return nil
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		l.problem(certName, "names %q, which ended %s; put a new certificate there", certPath, end.Format(time.DateOnly))
	}
	return []tls.Certificate{pair}
}

// onlyWithTLS reports settings that would do nothing.
func (l *loader) onlyWithTLS(cure string, names ...string) {
	for _, name := range names {
		if l.isSet(name) {
			l.problem(name, "is set, but TLS is off; %s or remove it", cure)
		}
	}
}
