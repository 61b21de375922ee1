package tlscert

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// Types of PEM blocks.
const (
	pemCertificate = "CERTIFICATE"
	pemPKCS8       = "PRIVATE KEY"
	pemEC          = "EC PRIVATE KEY"
	pemRSA         = "RSA PRIVATE KEY"
	pemEncrypted   = "ENCRYPTED PRIVATE KEY"
)

// parseCertificates gives the certificates of a PEM file, at least one, in
// order. Other blocks and text between blocks are skipped, as TLS libraries do.
func parseCertificates(path string, data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemCertificate {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &Error{Path: path, Kind: ErrBadCertificate, Detail: fmt.Sprintf("number %d in the file", len(certs)+1),
				Err: err, Next: "deploy the certificate again; openssl x509 -text shows what it holds"}
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, &Error{Path: path, Kind: ErrNoCertificate, Detail: describe(data),
			Next: "deploy it in PEM form (-----BEGIN CERTIFICATE-----)"}
	}
	return certs, nil
}

// parseKey gives the first private key of a PEM file. Blocks before it, such
// as EC PARAMETERS, are skipped.
func parseKey(path string, data []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemPKCS8 && !strings.HasSuffix(block.Type, " "+pemPKCS8) {
			continue
		}
		if block.Type == pemEncrypted || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, &Error{Path: path, Kind: ErrEncryptedKey,
				Next: "deploy the key without a passphrase (openssl pkey -in FILE -out PLAIN), readable for the daemon's user only"}
		}
		return decodeKey(path, block)
	}
	return nil, &Error{Path: path, Kind: ErrNoKey, Detail: describe(data),
		Next: "deploy it in PEM form (-----BEGIN PRIVATE KEY-----)"}
}

func decodeKey(path string, block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case pemPKCS8:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case pemEC:
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case pemRSA:
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		err = fmt.Errorf("keys of type %q are not supported", shortType(block.Type))
	}
	const next = "deploy an ECDSA, RSA or Ed25519 key as PKCS#8, SEC1 or PKCS#1"
	if err != nil {
		return nil, &Error{Path: path, Kind: ErrBadKey, Err: err, Next: next}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, &Error{Path: path, Kind: ErrBadKey, Detail: "it cannot sign", Next: next}
	}
	return signer, nil
}

// shortType keeps a block type, which comes from the file, short.
func shortType(s string) string { return s[:min(len(s), 32)] }

// describe says what a file without the wanted PEM block looks like.
func describe(data []byte) string {
	switch {
	case len(data) == 0:
		return "it is empty"
	case data[0] == 0x30:
		return "it looks like DER (binary)"
	}
	if block, _ := pem.Decode(data); block != nil {
		return fmt.Sprintf("it begins with a PEM block of type %q", shortType(block.Type))
	}
	return "it holds no PEM block"
}
