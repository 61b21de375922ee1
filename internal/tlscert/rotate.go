package tlscert

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Validity of a re-issued certificate, in days.
const (
	DefaultValidDays = 365
	MaxValidDays     = 36500
)

// backdate is how far before now a certificate begins, for peers whose clocks
// are behind this node's.
const backdate = time.Hour

// Rotation is a re-issued certificate that is not installed yet.
type Rotation struct {
	CertPEM   []byte // the new leaf, then the old file's intermediates
	KeyPEM    []byte // PKCS#8
	OldSerial string // decimal
	NewSerial string // decimal
	NotAfter  time.Time
}

// Rotate issues a successor of the bundle's leaf under the CA key at
// caKeyPath: a new ECDSA P-256 key and a new random serial; subject,
// alternative names and usages of the old one; validDays from now, but not
// beyond the CA's own end. It writes nothing; see [Install]. The error is an
// *Error.
func Rotate(b *Bundle, caKeyPath string, validDays int, now time.Time) (*Rotation, error) {
	if caKeyPath == "" {
		return nil, &Error{Kind: ErrNoCAKey, Next: "set transport.ca_key_file in the config, or deploy a new pair by hand"}
	}
	if validDays < 1 || validDays > MaxValidDays {
		return nil, &Error{Path: b.Paths.Cert, Kind: ErrValidDays, Detail: fmt.Sprintf("%d days", validDays),
			Next: fmt.Sprintf("give --rotation-valid-days between 1 and %d", MaxValidDays)}
	}
	caKey, ca, err := signer(b, caKeyPath)
	if err != nil {
		return nil, err
	}
	notBefore, notAfter, err := validity(b, ca, validDays, now)
	if err != nil {
		return nil, err
	}
	rotation, err := issue(b, caKey, ca, notBefore, notAfter)
	if err != nil {
		return nil, &Error{Path: b.Paths.Cert, Kind: ErrIssue, Err: err,
			Next: "check that the CA's key type and the old certificate's extensions are in order, or deploy a new pair by hand"}
	}
	return rotation, nil
}

// signer reads the CA key and finds the CA certificate that it belongs to.
func signer(b *Bundle, caKeyPath string) (crypto.Signer, *x509.Certificate, error) {
	data, err := read(caKeyPath)
	if err != nil {
		return nil, nil, err
	}
	key, err := parseKey(caKeyPath, data)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(b.CAs, func(c *x509.Certificate) bool { return belongs(key, c) })
	if i < 0 {
		return nil, nil, &Error{Path: caKeyPath, Kind: ErrCAKeyMismatch, Detail: "the CA file is " + b.Paths.CA,
			Next: "deploy the key of the CA in transport.ca_file, or remove transport.ca_key_file"}
	}
	ca := b.CAs[i]
	if !ca.BasicConstraintsValid || !ca.IsCA || ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, nil, &Error{Path: b.Paths.CA, Kind: ErrNotCA,
			Next: "deploy a CA certificate with CA:TRUE and, if it has key usages, keyCertSign"}
	}
	return key, ca, nil
}

// validity is the new certificate's period, in whole seconds. One that would
// not pass Check is refused here, before anything is replaced.
func validity(b *Bundle, ca *x509.Certificate, days int, now time.Time) (notBefore, notAfter time.Time, err error) {
	now = now.UTC().Truncate(time.Second)
	if now.Before(ca.NotBefore) || ca.NotAfter.Sub(now) < MinLeft {
		return now, now, &Error{Path: b.Paths.CA, Kind: ErrCAExpiring,
			Detail: "valid from " + stamp(ca.NotBefore) + " until " + stamp(ca.NotAfter) + ", now " + stamp(now),
			Next:   "check the node's clock; if it is right, renew the CA and deploy a pair of the new one"}
	}
	notBefore, notAfter = now.Add(-backdate), now.AddDate(0, 0, days)
	if notBefore.Before(ca.NotBefore) {
		notBefore = ca.NotBefore
	}
	if notAfter.After(ca.NotAfter) {
		notAfter = ca.NotAfter
	}
	if notAfter.Sub(now) < MinLeft {
		return now, now, &Error{Path: b.Paths.Cert, Kind: ErrValidDays, Detail: fmt.Sprintf("%d days", days),
			Next: fmt.Sprintf("give --rotation-valid-days of at least %d, or the next boot would refuse the certificate", MinLeft/(24*time.Hour))}
	}
	return notBefore, notAfter, nil
}

// inherited are the extensions that a successor takes over byte for byte.
func inherited(id asn1.ObjectIdentifier) bool {
	for _, keep := range []asn1.ObjectIdentifier{
		{2, 5, 29, 17},              // subject alternative name, also of types that x509 does not parse
		{2, 5, 29, 37},              // extended key usage
		{2, 5, 29, 32},              // certificate policies
		{2, 5, 29, 31},              // CRL distribution points
		{1, 3, 6, 1, 5, 5, 7, 1, 1}, // authority information access
	} {
		if id.Equal(keep) {
			return true
		}
	}
	return false
}

func issue(b *Bundle, caKey crypto.Signer, ca *x509.Certificate, notBefore, notAfter time.Time) (*Rotation, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(spki)
	template := &x509.Certificate{
		SerialNumber:          serial,
		RawSubject:            b.Leaf.RawSubject,
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		KeyUsage:              usage(b.Leaf),
		SubjectKeyId:          id[:20],
		BasicConstraintsValid: b.Leaf.BasicConstraintsValid, // and never a CA
		ExtraExtensions: slices.DeleteFunc(slices.Clone(b.Leaf.Extensions),
			func(e pkix.Extension) bool { return !inherited(e.Id) }),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		return nil, err
	}
	// What was taken over byte for byte is read once before anything depends on it.
	if _, err := x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var certs bytes.Buffer
	certs.Write(pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der}))
	for _, c := range b.Chain {
		certs.Write(pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: c.Raw}))
	}
	return &Rotation{
		CertPEM:   certs.Bytes(),
		KeyPEM:    pem.EncodeToMemory(&pem.Block{Type: pemPKCS8, Bytes: pkcs8}),
		OldSerial: b.Leaf.SerialNumber.String(),
		NewSerial: serial.String(),
		NotAfter:  notAfter,
	}, nil
}

// usage is the old key usage without encipherment, which an ECDSA key cannot
// do (RFC 8813) and an RSA key may have had.
func usage(old *x509.Certificate) x509.KeyUsage {
	if old.KeyUsage == 0 {
		return 0 // no restriction stays no restriction
	}
	const encipherment = x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment
	return old.KeyUsage&^encipherment | x509.KeyUsageDigitalSignature
}

// newSerial is 127 random bits below a set one: positive, never zero, and of a
// length that does not vary.
func newSerial() (*big.Int, error) {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return nil, err
	}
	raw[0] |= 0x80
	return new(big.Int).SetBytes(raw[:]), nil
}
