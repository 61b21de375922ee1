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

// space is what may surround a key in its file: a line feed, and what editors
// and mail add.
const space = " \t\r\n"

// algEd25519 is the type byte before an Ed25519 key in a note's key.
const algEd25519 = 1

// Verifier is a public checkpoint key.
type Verifier struct {
	note note.Verifier
	text string
	key  ed25519.PublicKey
}

// NewVerifier reads a public key, NAME+HASH+KEY. The error is [ErrKey], or
// [signing.ErrWeakKey] for one of small order: one signature under it, made by
// anybody, fits every checkpoint, and a note's own verifier takes it.
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
		return Verifier{}, fmt.Errorf("checkpoint key of %s: %w: believe nothing that it signed", v.Name(), err)
	}
	return Verifier{v, text, raw[1:]}, nil
}

// named is the key under another name, which the hash in a signature line
// covers too. It fails where a note cannot have such a name.
func (v Verifier) named(name string) (note.Verifier, error) {
	text, err := note.NewEd25519VerifierKey(name, v.key)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(text)
}

// MaxKey is the largest file of a key that is read, in bytes.
const MaxKey = 4096

// InForce refuses a key that is not the one that a history names last: its
// BLAKE3, "" where it names none, which is so until the first change.
func (v Verifier) InForce(named string) error {
	if named != "" && named != v.BLAKE3() {
		return fmt.Errorf("key %s, the journal names key %s", v.BLAKE3(), named)
	}
	return nil
}

// String is the key in its text form.
func (v Verifier) String() string { return v.text }

// Name is the name that it signs under.
func (v Verifier) Name() string { return v.note.Name() }

// Key is the raw Ed25519 key.
func (v Verifier) Key() ed25519.PublicKey { return v.key }

// BLAKE3 is the lower-case hex BLAKE3 of the raw key, as events name keys.
func (v Verifier) BLAKE3() string {
	return digest.Of(v.key)
}

// Signer is a private checkpoint key.
type Signer struct {
	note     note.Signer
	verifier Verifier
	text     string
}

// NewSigner reads a private key, PRIVATE+KEY+NAME+HASH+KEY. The error, [ErrKey],
// never quotes it.
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

// GenerateSigner makes a key of this name.
func GenerateSigner(name string) (Signer, error) {
	skey, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return Signer{}, fmt.Errorf("generate a checkpoint key: %w", err)
	}
	return NewSigner(skey)
}

// named is the key under another name.
func (s Signer) named(name string) (note.Signer, error) {
	v, err := s.verifier.named(name)
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(s.text, "+", 5)
	return note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, v.KeyHash(), parts[4]))
}

// Verifier is the public half.
func (s Signer) Verifier() Verifier { return s.verifier }

// Secret is the text form of the private half, to be kept with mode 0600.
func (s Signer) Secret() string { return s.text }
