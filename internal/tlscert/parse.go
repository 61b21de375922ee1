package tlscert

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"

	"github.com/autonomyops/edged/internal/errs"
)

const (
	// maxRSABits is the largest RSA key, which is also crypto/tls's limit.
	maxRSABits = 8192
	// maxKeyDER is larger than any key of that size, in bytes.
	maxKeyDER = 8 << 10
)

// plainPEM is the advice for a file with found that are not read.
const plainPEM = "save the file as plain ASCII, with each BEGIN and END line on a line of its own"

// certificate is one certificate of a file.
type certificate struct {
	*x509.Certificate
	block  block
	number int // among the certificates of the file, from 1
}

// certificates returns the usable certificates of a PEM file in order, and an error about the
// unusable ones. It fails if none is usable, or, if must is set, if the first is not. Other
// blocks and text between blocks are skipped.
func certificates(path string, data []byte, must bool) ([]certificate, *errs.Error, error) {
	list := blocks(data)
	var good []certificate
	var bad []string
	var first error
	number := 0
	for _, b := range list {
		if b.Type != pemCertificate {
			continue
		}
		number++
		cert, err := x509.ParseCertificate(b.Bytes)
		if err == nil {
			good = append(good, certificate{cert, b, number})
			continue
		}
		bad = append(bad, fmt.Sprintf("certificate number %d", number))
		if first == nil {
			first = err
		}
	}
	const again = "deploy the certificate again; openssl x509 -text shows its content"
	switch {
	case number == 0:
		return nil, nil, &errs.Error{Check: check, Path: path, Kind: ErrNoCertificate, Detail: describe(data, list),
			Next: "deploy it in PEM form (-----BEGIN CERTIFICATE-----); " + plainPEM}
	case len(good) == 0 || must && good[0].number != 1:
		found := append(bounded(bad), unread(data, list)...)
		return nil, nil, &errs.Error{Check: check, Path: path, Kind: ErrBadCertificate, Detail: strings.Join(found, ", "), Err: first, Next: again}
	}
	found := append(bounded(bad), unread(data, list)...)
	if len(found) == 0 {
		return good, nil, nil
	}
	skipped := &errs.Error{Check: check, Path: path, Kind: ErrSkipped, Detail: strings.Join(found, ", "), Err: first, Next: again}
	if first == nil {
		skipped.Next = plainPEM
	}
	return good, skipped, nil
}

// privateKey returns the first private key of a PEM file and its block. It skips blocks before
// it, such as EC PARAMETERS.
func privateKey(path string, data []byte) (crypto.Signer, block, error) {
	list := blocks(data)
	for _, b := range list {
		if b.isKey() {
			key, err := decodeKey(path, b)
			return key, b, err
		}
	}
	return nil, block{}, &errs.Error{Check: check, Path: path, Kind: ErrNoKey, Detail: describe(data, list),
		Next: "deploy it in PEM form (-----BEGIN PRIVATE KEY-----); " + plainPEM}
}

func decodeKey(path string, b block) (crypto.Signer, error) {
	fail := func(kind error, detail string, err error, next string) (crypto.Signer, error) {
		return nil, &errs.Error{Check: check, Path: path, Kind: kind, Detail: detail, Err: err, Next: next}
	}
	if b.Type == pemEncrypted || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
		return fail(ErrEncryptedKey, "", nil,
			"deploy the key without a passphrase (openssl pkey -in FILE -out PLAIN), readable for the daemon's user only")
	}
	const next = "deploy an ECDSA, RSA or Ed25519 key as PKCS#8, SEC1 or PKCS#1"
	// Before any arithmetic: the parser proves primes, in a time that grows with
	// the cube of a key's length.
	if len(b.Bytes) > maxKeyDER {
		return fail(ErrLargeKey, fmt.Sprintf("%d bytes", len(b.Bytes)), nil, next+fmt.Sprintf("; RSA keys have at most %d bits", maxRSABits))
	}
	if bits := rsaBits(b); bits > maxRSABits {
		return fail(ErrLargeKey, fmt.Sprintf("RSA with %d bits", bits), nil, next+fmt.Sprintf("; RSA keys have at most %d bits", maxRSABits))
	}
	var key any
	var err error
	switch b.Type {
	case pemPKCS8:
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	case pemEC:
		key, err = x509.ParseECPrivateKey(b.Bytes)
	case pemRSA:
		key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	default:
		err = fmt.Errorf("keys of type %q are not supported", shortType(b.Type))
	}
	if err != nil {
		return fail(ErrBadKey, "", err, next)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return fail(ErrBadKey, "it cannot sign", nil, next)
	}
	return signer, nil
}

// rsaBits returns the length of an RSA key's modulus in bits, 0 if b is no RSA key or cannot be
// parsed.
func rsaBits(b block) int {
	der := b.Bytes
	switch b.Type {
	case pemRSA:
	case pemPKCS8:
		var outer struct {
			Version    int
			Algorithm  pkix.AlgorithmIdentifier
			PrivateKey []byte
		}
		if _, err := asn1.Unmarshal(der, &outer); err != nil || !outer.Algorithm.Algorithm.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}) {
			return 0
		}
		der = outer.PrivateKey
	default:
		return 0
	}
	var inner struct {
		Version int
		N       *big.Int
	}
	if _, err := asn1.Unmarshal(der, &inner); err != nil {
		return 0
	}
	return inner.N.BitLen()
}
