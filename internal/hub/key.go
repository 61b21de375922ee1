package hub

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"

	"github.com/autonomyops/edged/internal/transparency"
)

// algCosignature is the type byte of a key for cosignatures (c2sp.org/signed-note).
const algCosignature = 4

// ErrKey: the text is not a private key for cosignatures.
var ErrKey = errors.New("not a private key for cosignatures (one line, PRIVATE+KEY+NAME+HASH+KEY); edgehub key makes one")

// Key is the hub's private key. It signs C2SP cosignature/v1, Ed25519: the statement
// that the hub holds all records of a checkpoint, and that they only grew.
type Key struct {
	key      ed25519.PrivateKey
	verifier *torchwood.CosignatureVerifier
	public   string
}

// NewKey reads a private key. The error is [ErrKey], and never contains the key.
func NewKey(text string) (*Key, error) {
	parts := strings.SplitN(strings.TrimSpace(text), "+", 5)
	if len(parts) != 5 || parts[0] != "PRIVATE" || parts[1] != "KEY" {
		return nil, ErrKey
	}
	seed, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(seed) != 1+ed25519.SeedSize || seed[0] != algCosignature {
		return nil, ErrKey
	}
	k, err := keyOf(parts[2], ed25519.NewKeyFromSeed(seed[1:]))
	if err != nil || fmt.Sprintf("%08x", k.verifier.KeyHash()) != parts[3] {
		return nil, ErrKey
	}
	return k, nil
}

// GenerateKey returns a new key with this name, and its text, to be kept with mode 0600.
func GenerateKey(name string) (*Key, string, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", err
	}
	k, err := keyOf(name, key)
	if err != nil {
		return nil, "", err
	}
	seed := append([]byte{algCosignature}, key.Seed()...)
	return k, fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s\n", name, k.verifier.KeyHash(), base64.StdEncoding.EncodeToString(seed)), nil
}

func keyOf(name string, key ed25519.PrivateKey) (*Key, error) {
	signer, err := torchwood.NewCosignatureSigner(name, key)
	if err != nil {
		return nil, fmt.Errorf("the name %q of a hub's key: %w; a name is like a host's, without spaces and plus signs", name, err)
	}
	v := signer.Verifier()
	raw := append([]byte{algCosignature}, key.Public().(ed25519.PublicKey)...)
	return &Key{key, v, fmt.Sprintf("%s+%08x+%s", name, v.KeyHash(), base64.StdEncoding.EncodeToString(raw))}, nil
}

// Public returns the public key, NAME+HASH+KEY.
func (k *Key) Public() string { return k.public }

// Name returns the name in the key.
func (k *Key) Name() string { return k.verifier.Name() }

// id names the key in the store.
func (k *Key) id() string { return fmt.Sprintf("%08x", k.verifier.KeyHash()) }

// cosign returns the cosignature of a signed checkpoint at a time, in whole seconds.
func (k *Key) cosign(signed []byte, at time.Time) (transparency.Cosignature, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return transparency.Cosignature{}, transparency.ErrCheckpoint
	}
	n, err := note.Sign(&note.Note{Text: text + "\n"}, cosigner{k, at.Unix()})
	if err != nil {
		return transparency.Cosignature{}, err
	}
	return transparency.Cosignature{Line: string(n[len(text)+2:]), Time: at}, nil
}

// cosigner is a note.Signer of c2sp.org/tlog-cosignature for a time. The one of
// torchwood always takes the clock's, which must not go back.
type cosigner struct {
	*Key
	at int64
}

func (c cosigner) KeyHash() uint32 { return c.verifier.KeyHash() }

func (c cosigner) Sign(text []byte) ([]byte, error) {
	sig := ed25519.Sign(c.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", c.at, text))
	return append(binary.BigEndian.AppendUint64(nil, uint64(c.at)), sig...), nil //nolint:gosec // after 1970
}
