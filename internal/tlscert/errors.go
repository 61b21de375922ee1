package tlscert

import (
	"errors"
	"strings"
)

// What can be wrong. [Error] answers errors.Is for them.
var (
	ErrUnreadable     = errors.New("file cannot be read")
	ErrNoCertificate  = errors.New("file holds no certificate")
	ErrBadCertificate = errors.New("certificate cannot be parsed")
	ErrNoKey          = errors.New("file holds no private key")
	ErrBadKey         = errors.New("private key cannot be parsed")
	ErrLargeKey       = errors.New("private key is too large")
	ErrEncryptedKey   = errors.New("private key is encrypted with a passphrase, which nobody is there to enter")
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
	ErrTidy          = errors.New("a file of a replacement could not be put away")
)

// Error says what is wrong with which file and what to do about it. No text of
// an Error holds key material.
type Error struct {
	Path   string
	Kind   error  // one of the sentinels above
	Detail string // what was found, may be ""
	Err    error  // the underlying error, may be nil
	Next   string // what to do about it
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("check TLS files")
	if e.Path != "" {
		b.WriteString(": " + e.Path)
	}
	b.WriteString(": " + e.Kind.Error())
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	b.WriteString(": " + e.Next)
	return b.String()
}

// Unwrap gives the kind and the underlying error, for errors.Is.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
