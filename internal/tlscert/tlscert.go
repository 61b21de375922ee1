// Package tlscert reads a node's TLS certificate, key and CA, judges them,
// and re-issues the certificate.
//
// It builds no chains: it checks what the daemon needs to serve, not whether a peer accepts the
// certificate.
//
// # Replacing a pair
//
// Certificate and key are two files. Two renames replace them, and a crash
// between the two leaves a key that belongs to another certificate. The gate
// always runs before the daemon, and its next run completes the replacement.
// Every file is written beside the one from which it is made, with its owner and mode. Each step
// is durable before the next one begins:
//
//	.node.key.edged-previous, .node.crt.edged-previous   1  copies of the pair
//	.node.crt.edged-next                                 2  the new certificate file
//	.node.key.edged-tmp, .node.crt.edged-tmp             3  the files to be renamed
//	node.key                                             4  the commit point
//	node.crt                                             5
//	(the caller journals CertificateRotated)             6
//	node.key.previous, node.crt.previous                 7
//	.node.crt.edged-next is removed                      8
//
// After a power cut .node.crt.edged-next shows the progress: it exists from step 2 to step 8, and
// the key belongs to it from step 4 on. So [Files.Load] reports a replacement that is committed
// ([Bundle.Unfinished]) and reads the new pair; [Files.Complete], the caller's record and
// [Files.Finish] do the remaining steps. A replacement that was not committed has changed neither
// file; [Files.Sweep] removes its files.
//
// If one file holds both, there is no step 4 and step 5 is the commit point.
package tlscert

import (
	"crypto"
	"crypto/x509"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// MaxBytes is the greatest size of each file.
const MaxBytes = 1 << 20

// MinLeft is the time for which a certificate must still be valid.
const MinLeft = 7 * 24 * time.Hour

// Paths are the files that a config names.
type Paths struct {
	Cert  string // the leaf first, then any intermediates
	Key   string
	CA    string
	CAKey string // "" if the gate may not re-issue the certificate
}

// Bundle is the content of the files. The key matches the leaf.
type Bundle struct {
	Paths Paths
	Leaf  *x509.Certificate
	Chain []*x509.Certificate // the usable certificates after the leaf in its file
	CAs   []*x509.Certificate // at least one
	Key   crypto.Signer

	// Unfinished is a committed replacement that a crash cut short, nil
	// otherwise. Its certificate is the one in this bundle.
	Unfinished *Rotation
	// Skipped holds an error for each file with unusable parts. None of those is
	// needed to serve the pair.
	Skipped []*errs.Error

	cert, key         content
	leafPEM, keyBlock block
	oneFile           bool // cert and key are the same file
}

// content is the content of a file, with its Info.
type content struct {
	data []byte
	info durable.Info
}

// belongs reports whether key is the private half of cert's public key.
func belongs(key crypto.Signer, cert *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}

// InWindow reports whether the leaf has expired at now or has less than minLeft left, which a
// re-issue repairs.
func (b *Bundle) InWindow(now time.Time, minLeft time.Duration) bool {
	return b.Leaf.NotAfter.Sub(now) < minLeft
}

// NotYetValid reports whether the leaf's validity begins after now. If now is only a lower bound
// of the time, this proves nothing against the leaf.
func (b *Bundle) NotYetValid(now time.Time) bool { return now.Before(b.Leaf.NotBefore) }

// Check checks that the leaf is valid for minLeft after now, the later of wall clock and time
// floor. The error is an *errs.Error.
func Check(b *Bundle, now time.Time, minLeft time.Duration) error {
	if !b.InWindow(now, minLeft) {
		return nil
	}
	e := &errs.Error{Check: check, Path: b.Paths.Cert, Kind: ErrExpiring, Detail: "valid until " + stamp(b.Leaf.NotAfter) + ", now " + stamp(now)}
	if now.After(b.Leaf.NotAfter) {
		e.Kind = ErrExpired
	}
	later := -1
	for i, c := range b.Chain {
		if belongs(b.Key, c) && c.NotAfter.Sub(now) >= minLeft {
			later = i
		}
	}
	switch {
	case later >= 0:
		e.Next = "a later certificate in the same file, of the same key, is valid until " + stamp(b.Chain[later].NotAfter) + ": put it first in the file"
	case b.Paths.CAKey == "":
		e.Next = "deploy a new pair, or set transport.ca_key_file so that the gate re-issues the certificate"
	default:
		e.Next = "run precheck --rotate-certs, or deploy a new pair"
	}
	return e
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
