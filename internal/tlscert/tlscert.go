// Package tlscert reads a node's TLS certificate, key and CA, judges them,
// and re-issues the certificate.
//
// It builds no chains: it answers for what would keep the daemon from
// serving, and not for what a peer believes.
//
// # Replacing a pair
//
// Certificate and key are two files, and a crash between two renames would
// leave a key that belongs to another certificate. [Install] therefore never
// has the two names change one after the other. Both are first made to lead,
// each by a symbolic link with unchanged content, through one link `pair`; one
// rename of `pair` switches both (the commit point); then both become regular
// files again, with unchanged content. Whoever reads the two paths, at any
// moment and after any crash, reads a matching pair, also before [Recover] has
// tidied up:
//
//	node.key -> .node.crt.edged-rotation/pair/key     1
//	node.crt -> .node.crt.edged-rotation/pair/cert    2
//	.node.crt.edged-rotation/pair -> old  =>  new     3, the commit point
//	node.key, node.crt regular again                  4, 5
//
// The rejected alternative, an intent file that the next start completes,
// leaves a mismatched pair until then.
package tlscert

import (
	"crypto"
	"crypto/x509"
	"time"

	"github.com/autonomyops/edged/internal/durable"
)

// MaxBytes bounds each file.
const MaxBytes = 1 << 20

// MinLeft is how long a certificate must still be valid.
const MinLeft = 7 * 24 * time.Hour

// Paths are the files that a config names.
type Paths struct {
	Cert string // the leaf first, then any intermediates
	Key  string
	CA   string
}

// Bundle is what the files hold, with the key known to match the leaf.
type Bundle struct {
	Paths Paths
	Leaf  *x509.Certificate
	Chain []*x509.Certificate // what follows the leaf in its file
	CAs   []*x509.Certificate // at least one
	Key   crypto.Signer

	certPEM, keyPEM []byte // as read
}

// Load reads and parses the three files and checks that the key belongs to
// the certificate. Validity in time is judged by Check. The error is an *Error.
func Load(p Paths) (*Bundle, error) {
	certPEM, err := read(p.Cert)
	if err != nil {
		return nil, err
	}
	certs, err := parseCertificates(p.Cert, certPEM)
	if err != nil {
		return nil, err
	}
	keyPEM, err := read(p.Key)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(p.Key, keyPEM)
	if err != nil {
		return nil, err
	}
	caPEM, err := read(p.CA)
	if err != nil {
		return nil, err
	}
	cas, err := parseCertificates(p.CA, caPEM)
	if err != nil {
		return nil, err
	}
	if !belongs(key, certs[0]) {
		return nil, &Error{Path: p.Key, Kind: ErrKeyMismatch, Detail: "the certificate is " + p.Cert,
			Next: "deploy certificate and key that were made together"}
	}
	return &Bundle{Paths: p, Leaf: certs[0], Chain: certs[1:], CAs: cas, Key: key, certPEM: certPEM, keyPEM: keyPEM}, nil
}

func read(path string) ([]byte, error) {
	data, err := durable.ReadHostFile(path, MaxBytes)
	if err != nil {
		return nil, &Error{Path: path, Kind: ErrUnreadable, Err: err,
			Next: "check the path in the config's transport section and that the gate's user may read the file"}
	}
	return data, nil
}

// belongs reports whether key is the private half of cert's public key.
func belongs(key crypto.Signer, cert *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}

// InWindow reports whether the leaf has less than minLeft to live at now, or
// none: what a re-issue would mend.
func (b *Bundle) InWindow(now time.Time, minLeft time.Duration) bool {
	return b.Leaf.NotAfter.Sub(now) < minLeft
}

// Check judges the leaf's validity at now, which is the wall clock or the time
// floor. The error is an *Error.
func Check(b *Bundle, now time.Time, minLeft time.Duration) error {
	const renew = "renew it: set transport.ca_key_file so that the gate does, run precheck --rotate-certs, or deploy a new pair"
	fail := func(kind error, detail, next string) error {
		return &Error{Path: b.Paths.Cert, Kind: kind, Detail: detail, Next: next}
	}
	switch at := stamp(now); {
	case now.Before(b.Leaf.NotBefore):
		return fail(ErrNotYetValid, "valid from "+stamp(b.Leaf.NotBefore)+", now "+at,
			"check the node's clock; if it is right, deploy a certificate that is valid now")
	case now.After(b.Leaf.NotAfter):
		return fail(ErrExpired, "valid until "+stamp(b.Leaf.NotAfter)+", now "+at, renew)
	case b.InWindow(now, minLeft):
		return fail(ErrExpiring, "valid until "+stamp(b.Leaf.NotAfter)+", now "+at, renew)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
