package tlscert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// caTemplate is a CA of ten years around now.
func caTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Fleet CA"},
		NotBefore:             now.Add(-5 * 365 * day),
		NotAfter:              now.Add(5 * 365 * day),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
}

// leafTemplate is a node's certificate with everything that a successor takes over, and five days
// left.
func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(4711),
		Subject:               pkix.Name{CommonName: "node-01", Organization: []string{"Fleet"}, SerialNumber: "7"},
		NotBefore:             now.Add(-360 * day),
		NotAfter:              now.Add(5 * day),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"node-01.example", "*.node-01.example"},
		IPAddresses:           []net.IP{net.IPv4(192, 0, 2, 7).To4(), net.ParseIP("2001:db8::7")},
		URIs:                  []*url.URL{{Scheme: "spiffe", Host: "fleet.example", Path: "/node/01"}},
		EmailAddresses:        []string{"node-01@example.org"},
		CRLDistributionPoints: []string{"http://crl.example/ca.crl"},
		OCSPServer:            []string{"http://ocsp.example"},
	}
}

func sign(t testing.TB, template, parent *x509.Certificate, key, parentKey crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func certPEM(der ...[]byte) []byte {
	var out []byte
	for _, d := range der {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d})...)
	}
	return out
}

func pkcs8PEM(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func put(t testing.TB, path string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// node is a set of files as an operator deploys them.
type node struct {
	Paths
	ca, leaf        *x509.Certificate
	certPEM, keyPEM []byte
}

// makeNode deploys a leaf and its CA, whose templates edit may change, into dir.
func makeNode(t testing.TB, dir string, leafKey, caKey crypto.Signer, edit func(ca, leaf *x509.Certificate)) *node {
	t.Helper()
	caT, leafT := caTemplate(), leafTemplate()
	if edit != nil {
		edit(caT, leafT)
	}
	parse := func(der []byte) *x509.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	n := &node{Paths: Paths{Cert: filepath.Join(dir, "node.crt"), Key: filepath.Join(dir, "node.key"), CA: filepath.Join(dir, "ca.crt"),
		CAKey: filepath.Join(dir, "ca.key")}}
	n.ca = parse(sign(t, caT, caT, caKey, caKey))
	n.leaf = parse(sign(t, leafT, n.ca, leafKey, caKey))
	n.certPEM, n.keyPEM = certPEM(n.leaf.Raw), pkcs8PEM(t, leafKey)
	put(t, n.Cert, n.certPEM, 0o644)
	put(t, n.Key, n.keyPEM, 0o600)
	put(t, n.CA, certPEM(n.ca.Raw), 0o644)
	put(t, n.CAKey, pkcs8PEM(t, caKey), 0o600)
	return n
}

func load(t testing.TB, p Paths) *Bundle {
	t.Helper()
	b, err := loadPaths(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loadPaths opens the files of this host and loads them, as a gate does.
func loadPaths(p Paths) (*Bundle, error) {
	f, err := Open(p)
	if err != nil {
		return nil, err
	}
	b, err := f.Load()
	return b, errors.Join(err, f.Close())
}

// times returns the Times of a boot whose clock is right.
func times() Times { return Times{Known: now.Add(-day), Now: now} }
