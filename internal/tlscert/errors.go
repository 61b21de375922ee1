package tlscert

import "errors"

// The kinds of error. errors.Is finds them. No text of an error of this package holds key
// material.
var (
	ErrUnreadable     = errors.New("file cannot be read")
	ErrNoCertificate  = errors.New("file holds no certificate")
	ErrBadCertificate = errors.New("certificate cannot be parsed")
	ErrNoKey          = errors.New("file holds no private key")
	ErrBadKey         = errors.New("private key cannot be parsed")
	ErrLargeKey       = errors.New("private key is too large")
	ErrEncryptedKey   = errors.New("private key is encrypted with a passphrase, which nobody can enter at a boot")
	ErrKeyMismatch    = errors.New("private key does not belong to the certificate")
	ErrExpired        = errors.New("certificate has expired")
	ErrExpiring       = errors.New("certificate expires too soon")
	ErrSkipped        = errors.New("a part of the file cannot be used")

	ErrNoCAKey       = errors.New("no CA key is configured")
	ErrCAKeyMismatch = errors.New("CA key does not belong to a CA certificate")
	ErrNotCA         = errors.New("CA certificate may not sign certificates")
	ErrCAExpiring    = errors.New("CA certificate is not valid for long enough")
	ErrValidDays     = errors.New("number of days is out of range")
	ErrIssue         = errors.New("certificate could not be issued")
	ErrInstall       = errors.New("certificate and key could not be replaced")
	ErrTidy          = errors.New("a file of a replacement could not be renamed or removed")
)

// check begins the text of every error of this package.
const check = "check TLS files:"
