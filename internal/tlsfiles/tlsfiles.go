// Package tlsfiles reads certificates and keys for TLS from PEM files.
package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/autonomyops/edged/internal/durable"
)

// maxPEM is the largest file that is read, in bytes.
const maxPEM = 1 << 20

// Pool returns the certificates in a file; nil for no file, "".
func Pool(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := durable.ReadHostFile(file, maxPEM)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: it holds no certificate in PEM", file)
	}
	return pool, nil
}

// Pair returns a certificate and its key.
func Pair(certificate, key string) (tls.Certificate, error) {
	cert, err := durable.ReadHostFile(certificate, maxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := durable.ReadHostFile(key, maxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, private)
	if err != nil {
		err = fmt.Errorf("%s and %s: %w", certificate, key, err)
	}
	return pair, err
}

// Client returns the configuration of a client that trusts the authorities in ca, those of
// the system if it is "", and that has a certificate, or none if it is "".
func Client(ca, certificate, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	var err error
	if c.RootCAs, err = Pool(ca); err != nil || certificate == "" {
		return c, err
	}
	pair, err := Pair(certificate, key)
	c.Certificates = []tls.Certificate{pair}
	return c, err
}
