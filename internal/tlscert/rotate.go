package tlscert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// Validity of a re-issued certificate, in days.
const (
	DefaultValidDays = 365
	MaxValidDays     = 36500
)

// Rotation is a re-issued certificate.
type Rotation struct {
	cert, key []byte // the new content of the files; equal if one file holds both
	OldSerial string // decimal
	NewSerial string // decimal
	NotAfter  time.Time
}

// Times are the times at which a certificate is re-issued.
type Times struct {
	// Known is the newest time known before this boot. A boot whose clock is ahead
	// must not issue a pair that nobody accepts after the clock is corrected.
	Known time.Time
	Now   time.Time // the later of wall clock and time floor
}

// Rotate issues a successor of the bundle's leaf under the bundle's CA key. It has a new ECDSA
// P-256 key and a new random serial, and the subject, alternative names and usages of the old
// leaf. It is valid from the newest time known before this boot until validDays from now, but not
// beyond the CA's own end. Rotate writes nothing; see [Files.Install]. The error is an
// *errs.Error.
func Rotate(b *Bundle, validDays int, at Times) (*Rotation, error) {
	if b.Paths.CAKey == "" {
		return nil, &errs.Error{Check: check, Path: b.Paths.Cert, Kind: ErrNoCAKey, Next: "set transport.ca_key_file in the config, or deploy a new pair by hand"}
	}
	if validDays < 1 || validDays > MaxValidDays {
		return nil, &errs.Error{Check: check, Path: b.Paths.Cert, Kind: ErrValidDays, Detail: fmt.Sprintf("%d days", validDays),
			Next: fmt.Sprintf("pass --rotation-valid-days between 1 and %d", MaxValidDays)}
	}
	caKey, ca, err := signer(b)
	if err != nil {
		return nil, err
	}
	notBefore, notAfter, err := validity(b, ca, validDays, at)
	if err != nil {
		return nil, err
	}
	rotation, err := issue(b, caKey, ca, notBefore, notAfter)
	if err != nil {
		return nil, NotIssued(b, err, "check that the CA's key type and the old certificate's extensions are in order, or deploy a new pair by hand")
	}
	return rotation, nil
}

// NotIssued returns the error for a successor of b's leaf that cannot be used.
func NotIssued(b *Bundle, err error, next string) error {
	return &errs.Error{Check: check, Path: b.Paths.Cert, Kind: ErrIssue, Err: err, Next: next}
}

// signer reads the CA key and returns it with its CA certificate; of several, as after a renewal
// of the CA, the one that expires last.
func signer(b *Bundle) (crypto.Signer, *x509.Certificate, error) {
	data, err := durable.ReadHostFile(b.Paths.CAKey, MaxBytes)
	if err != nil {
		return nil, nil, unreadable(b.Paths.CAKey, err)
	}
	key, _, err := privateKey(b.Paths.CAKey, data)
	if err != nil {
		return nil, nil, err
	}
	var ca *x509.Certificate
	matching := 0
	for _, c := range b.CAs {
		if !belongs(key, c) {
			continue
		}
		matching++
		maySign := c.BasicConstraintsValid && c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0)
		if maySign && (ca == nil || c.NotAfter.After(ca.NotAfter)) {
			ca = c
		}
	}
	switch {
	case matching == 0:
		return nil, nil, &errs.Error{Check: check, Path: b.Paths.CAKey, Kind: ErrCAKeyMismatch, Detail: "the CA file is " + b.Paths.CA,
			Next: "deploy the key of the CA in transport.ca_file, or remove transport.ca_key_file"}
	case ca == nil:
		return nil, nil, &errs.Error{Check: check, Path: b.Paths.CA, Kind: ErrNotCA,
			Next: "deploy a CA certificate with CA:TRUE and, if it has key usages, keyCertSign"}
	}
	return key, ca, nil
}

// validity returns the new certificate's period, in whole seconds. A period that would not pass
// Check is refused here, before anything is replaced. A CA whose validity begins after now proves
// nothing, because now is a lower bound of the time.
func validity(b *Bundle, ca *x509.Certificate, days int, at Times) (notBefore, notAfter time.Time, err error) {
	notBefore, now := at.Known.UTC().Truncate(time.Second), at.Now.UTC().Truncate(time.Second)
	if notBefore.IsZero() {
		notBefore = ca.NotBefore // no time is known here
	}
	notAfter = now.AddDate(0, 0, days)
	if notAfter.Sub(now) < MinLeft {
		return now, now, &errs.Error{Check: check, Path: b.Paths.Cert, Kind: ErrValidDays, Detail: fmt.Sprintf("%d days", days),
			Next: fmt.Sprintf("pass --rotation-valid-days of at least %d; the next boot would refuse the certificate", MinLeft/(24*time.Hour))}
	}
	if ca.NotAfter.Sub(now) < MinLeft {
		return now, now, &errs.Error{Check: check, Path: b.Paths.CA, Kind: ErrCAExpiring, Detail: "valid until " + stamp(ca.NotAfter) + ", now " + stamp(now),
			Next: "check the node's clock; if it is right, renew the CA and deploy a pair of the new one"}
	}
	if notAfter.After(ca.NotAfter) {
		notAfter = ca.NotAfter
	}
	return notBefore, notAfter, nil
}

// inherited reports whether a successor takes over the extension byte for byte.
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
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	r := &Rotation{OldSerial: b.Leaf.SerialNumber.String(), NewSerial: serial.String(), NotAfter: notAfter}
	leafEdit := edit{b.leafPEM, pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})}
	keyEdit := edit{b.keyBlock, pem.EncodeToMemory(&pem.Block{Type: pemPKCS8, Bytes: pkcs8})}
	if b.oneFile {
		r.cert = splice(b.cert.data, leafEdit, keyEdit)
		r.key = r.cert
	} else {
		r.cert, r.key = splice(b.cert.data, leafEdit), splice(b.key.data, keyEdit)
	}
	return r, readBack(b, r)
}

// readBack reads the new files as the next boot will, before anything depends on the parts that
// were taken over byte for byte.
func readBack(b *Bundle, r *Rotation) error {
	if len(r.cert) > MaxBytes || len(r.key) > MaxBytes {
		return fmt.Errorf("a file would be larger than the limit of %d bytes", MaxBytes)
	}
	certs, _, err := certificates(b.Paths.Cert, r.cert, true)
	if err != nil {
		return err
	}
	key, _, err := privateKey(b.Paths.Key, r.key)
	if err != nil {
		return err
	}
	if certs[0].SerialNumber.String() != r.NewSerial || !belongs(key, certs[0].Certificate) {
		return errors.New("the new files would not hold the new pair")
	}
	return nil
}

// usage returns the old key usage without encipherment, which an ECDSA key cannot do (RFC 8813)
// and an RSA key may have had.
func usage(old *x509.Certificate) x509.KeyUsage {
	if old.KeyUsage == 0 {
		return 0 // a missing restriction stays missing
	}
	const encipherment = x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment
	return old.KeyUsage&^encipherment | x509.KeyUsageDigitalSignature
}

// newSerial returns 127 random bits below a set one: positive, never zero, and always of the same
// length.
func newSerial() (*big.Int, error) {
	var raw [16]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return nil, err
	}
	raw[0] |= 0x80
	return new(big.Int).SetBytes(raw[:]), nil
}
