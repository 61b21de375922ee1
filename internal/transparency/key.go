package transparency

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/signing"
)

// space are the characters that may surround a key in its file: a line feed, and
// others that editors and mail programs add.
const space = " \t\r\n"

// algEd25519 is the type byte before an Ed25519 key in the key of a note.
const algEd25519 = 1

// Verifier is a public checkpoint key.
type Verifier struct {
	note note.Verifier
	text string
	key  ed25519.PublicKey
}

// NewVerifier reads a public key, NAME+HASH+KEY. The error is [ErrKey], or
// [signing.ErrWeakKey] for a key of small order: anybody can make a signature that
// verifies under it for every checkpoint, and package note accepts such a key.
func NewVerifier(text string) (Verifier, error) {
	text = strings.Trim(text, space)
	v, err := note.NewVerifier(text)
	if err != nil {
		return Verifier{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	_, rest, _ := strings.Cut(text, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algEd25519 {
		return Verifier{}, ErrKey
	}
	if err := signing.CheckPublic(raw[1:]); err != nil {
		return Verifier{}, fmt.Errorf("checkpoint key of %s: %w; trust nothing that it signed", v.Name(), err)
	}
	return Verifier{v, text, raw[1:]}, nil
}

// ForJournal returns the key in its text form with the origin of a journal as its
// name, as others need it to verify the journal's checkpoints.
func (v Verifier) ForJournal(journalID string) (string, error) {
	return note.NewEd25519VerifierKey(Origin(journalID), v.key)
}

// named returns the key under another name, which the hash in a signature line
// covers too. It returns an error if a note cannot have such a name.
func (v Verifier) named(name string) (note.Verifier, error) {
	text, err := note.NewEd25519VerifierKey(name, v.key)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(text)
}

// MaxKey is the largest file of a key that is read, in bytes.
const MaxKey = 4096

// InForce returns an error if v is not the key that the history names last. named
// is that key's BLAKE3, "" if the history names none.
func (v Verifier) InForce(named string) error {
	if named != "" && named != v.BLAKE3() {
		return fmt.Errorf("key %s, but the journal names key %s", v.BLAKE3(), named)
	}
	return nil
}

// String returns the key in its text form.
func (v Verifier) String() string { return v.text }

// Name returns the name in the key's file.
func (v Verifier) Name() string { return v.note.Name() }

// Key returns the raw Ed25519 key.
func (v Verifier) Key() ed25519.PublicKey { return v.key }

// BLAKE3 returns the BLAKE3 of the raw key in lower-case hex, as in events.
func (v Verifier) BLAKE3() string {
	return digest.Of(v.key)
}

// Signer is a private checkpoint key.
type Signer struct {
	note     note.Signer
	verifier Verifier
	text     string
}

// NewSigner reads a private key, PRIVATE+KEY+NAME+HASH+KEY. The error is
// [ErrKey], and never contains the key.
func NewSigner(text string) (Signer, error) {
	text = strings.Trim(text, space)
	s, err := note.NewSigner(text)
	if err != nil {
		return Signer{}, ErrKey
	}
	parts := strings.SplitN(text, "+", 5)
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != algEd25519 {
		return Signer{}, ErrKey
	}
	vkey, err := note.NewEd25519VerifierKey(s.Name(), ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey))
	if err != nil {
		return Signer{}, ErrKey
	}
	v, err := NewVerifier(vkey)
	if err != nil {
		return Signer{}, err
	}
	return Signer{s, v, text}, nil
}

// GenerateSigner generates a key with this name.
func GenerateSigner(name string) (Signer, error) {
	skey, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return Signer{}, fmt.Errorf("generate a checkpoint key: %w", err)
	}
	return NewSigner(skey)
}

// named returns the key under another name.
func (s Signer) named(name string) (note.Signer, error) {
	v, err := s.verifier.named(name)
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(s.text, "+", 5)
	return note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, v.KeyHash(), parts[4]))
}

// Verifier returns the public key.
func (s Signer) Verifier() Verifier { return s.verifier }

// Secret returns the private key in its text form, to be kept with mode 0600.
func (s Signer) Secret() string { return s.text }
