package nodeinit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/autonomyops/edged/internal/durable"
)

// Validity of the demonstration's certificates.
const (
	caYears  = 10
	leafDays = 365
)

// tls makes a CA for the demonstration and the node's certificate under it.
func (l *layout) tls() error {
	if err := l.mkdir(dirTLS, 0o750); err != nil {
		return err
	}
	hasCert, hasKey, err := l.pair(fileCert, fileKey)
	if err != nil {
		return err
	}
	ca, caKey, err := l.ca()
	if err != nil {
		return err
	}
	if hasCert != hasKey {
		l.half(fileCert, hasCert)
		l.half(fileKey, hasKey)
		return nil
	}
	if !hasCert && ca == nil {
		for _, name := range []string{fileCert, fileKey} {
			l.skip(name, "the CA's key is not here: issue the certificate where it is")
		}
		return nil
	}
	var certPEM, keyPEM []byte
	if !hasCert {
		if certPEM, keyPEM, err = issue(l.leaf(), ca, caKey); err != nil {
			return err
		}
	}
	if err := l.write(fileKey, keyPEM, 0o600, "TLS key of the node"); err != nil {
		return err
	}
	return l.write(fileCert, certPEM, 0o644, fmt.Sprintf("TLS certificate of the node, valid for %d days", leafDays))
}

func (l *layout) half(name string, there bool) {
	if there {
		l.done(name, false, "")
		return
	}
	l.skip(name, "only the other half of the pair is here, and a new one would not belong to it")
}

// ca makes the CA, or reads an existing one. It returns nil if only one half exists.
func (l *layout) ca() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	hasCert, hasKey, err := l.pair(fileCA, fileCAKey)
	if err != nil {
		return nil, nil, err
	}
	if hasCert != hasKey {
		l.half(fileCA, hasCert)
		l.half(fileCAKey, hasKey)
		return nil, nil, nil
	}
	if hasCert {
		l.done(fileCA, false, "")
		l.done(fileCAKey, false, "")
		return l.readCA()
	}
	certPEM, keyPEM, err := issue(l.authority(), nil, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := l.write(fileCAKey, keyPEM, 0o600, "key of a CA for the demonstration only"); err != nil {
		return nil, nil, err
	}
	if err := l.write(fileCA, certPEM, 0o644, "certificate of that CA"); err != nil {
		return nil, nil, err
	}
	return parsePair(certPEM, keyPEM)
}

func (l *layout) readCA() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPEM, _, err := durable.ReadFile(l.fs, fileCA, 1<<20)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, _, err := durable.ReadFile(l.fs, fileCAKey, 1<<20)
	if err != nil {
		return nil, nil, err
	}
	cert, key, err := parsePair(certPEM, keyPEM)
	if err != nil {
		return nil, nil, fmt.Errorf("%s and %s: %w; move them away and run init again", fileCA, fileCAKey, err)
	}
	return cert, key, nil
}

func (l *layout) authority() *x509.Certificate {
	now := l.opt.Now()
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: l.node + " demonstration CA"},
		NotBefore:             now.Add(-time.Hour), // for clocks that are a little behind
		NotAfter:              now.AddDate(caYears, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func (l *layout) leaf() *x509.Certificate {
	now := l.opt.Now()
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: l.node},
		DNSNames:    []string{l.node, "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore:   now.Add(-time.Hour),
		NotAfter:    now.AddDate(0, 0, leafDays),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

// issue signs template with the CA, or with its own key if there is none.
func issue(template, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate a TLS key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, fmt.Errorf("draw a serial number: %w", err)
	}
	if ca == nil {
		ca, caKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, nil, fmt.Errorf("issue a certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a TLS key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

func parsePair(certPEM, keyPEM []byte) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, nil, errors.New("not PEM")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok || !ec.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, errors.New("not a P-256 certificate and its key")
	}
	return cert, ec, nil
}
