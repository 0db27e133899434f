package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a private certificate authority, which nobody trusts but whoever is
// given its File.
type Authority struct {
	File string // its certificate, PEM

	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// KeyPair is a certificate and its key, in PEM files.
type KeyPair struct{ CertFile, KeyFile string }

// Config is a server's configuration with the certificate.
func (p KeyPair) Config(t testing.TB) *tls.Config {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
}

// NewAuthority makes an authority for the test.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: t.TempDir()}
	a.File = filepath.Join(a.dir, "authority.pem")
	a.cert = &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority " + rand.Text()}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	a.key = a.write(a.cert, a.cert, nil, KeyPair{CertFile: a.File, KeyFile: filepath.Join(a.dir, "authority.key")})
	return a
}

// Issue makes a certificate for one hour that servers of this machine and clients can
// use. Without hosts it is for 127.0.0.1 and localhost; name is its common name, which
// PostgreSQL takes for a user.
func (a *Authority) Issue(name string, hosts ...string) KeyPair {
	a.t.Helper()
	return a.issue(name, time.Now().Add(time.Hour), hosts)
}

// IssueExpired makes a certificate that ended yesterday.
func (a *Authority) IssueExpired(name string) KeyPair {
	a.t.Helper()
	return a.issue(name, time.Now().Add(-24*time.Hour), nil)
}

func (a *Authority) issue(name string, end time.Time, hosts []string) KeyPair {
	a.t.Helper()
	if len(hosts) == 0 {
		hosts = []string{"127.0.0.1", "localhost"}
	}
	cert := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			cert.IPAddresses = append(cert.IPAddresses, ip)
		} else {
			cert.DNSNames = append(cert.DNSNames, host)
		}
	}
	dir, err := os.MkdirTemp(a.dir, "")
	if err != nil {
		a.t.Fatal(err)
	}
	pair := KeyPair{CertFile: filepath.Join(dir, name+".pem"), KeyFile: filepath.Join(dir, name+".key")}
	a.write(cert, a.cert, a.key, pair)
	return pair
}

// write makes a key, signs the certificate by the authority's, or by itself without
// one, and writes both.
func (a *Authority) write(cert, by *x509.Certificate, signer *ecdsa.PrivateKey, to KeyPair) *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	cert.SerialNumber = big.NewInt(time.Now().UnixNano())
	cert.NotBefore = cert.NotAfter.Add(-48 * time.Hour)
	signed, err := x509.CreateCertificate(rand.Reader, cert, by, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		to.CertFile: {Type: "CERTIFICATE", Bytes: signed}, to.KeyFile: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return key
}
