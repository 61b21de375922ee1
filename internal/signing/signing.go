// Package signing reads, makes and uses the Ed25519 keys that sign runtime
// manifests.
//
// A verify key is 32 raw bytes (identity/manifest-verify.pub), a signing key
// 64 raw bytes (seed, then public key, as in crypto/ed25519), a signature
// 64 raw bytes. Keys in PEM, PKCS#8 and SPKI, are read too.
package signing

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/autonomyops/edged/internal/digest"
)

// MaxKeyFile is the greatest size of a key file in bytes; a PEM file has a few hundred.
const MaxKeyFile = 16 << 10

// ErrKey: the bytes are not a key of the wanted kind.
var ErrKey = errors.New("not an Ed25519 key")

// ParsePublic reads a public key: 32 raw bytes, or PEM ("PUBLIC KEY", SPKI).
// The key shares no memory with data. The error is ErrKey or ErrWeakKey.
func ParsePublic(data []byte) (ed25519.PublicKey, error) {
	if len(data) == ed25519.PublicKeySize { // before PEM: no PEM is that short
		key := ed25519.PublicKey(slices.Clone(data))
		return key, CheckPublic(key)
	}
	der, found, err := pemBlock(data, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("%w: %d bytes, want %d raw bytes or PEM", ErrKey, len(data), ed25519.PublicKeySize)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: it is a %T", ErrKey, key)
	}
	return public, CheckPublic(public)
}

// ParsePrivate reads a signing key: 64 raw bytes, or PEM ("PRIVATE KEY",
// PKCS#8). The key shares no memory with data. The error is ErrKey.
func ParsePrivate(data []byte) (ed25519.PrivateKey, error) {
	if len(data) == ed25519.PrivateKeySize {
		key := ed25519.PrivateKey(slices.Clone(data))
		if !ed25519.NewKeyFromSeed(key.Seed()).Equal(key) {
			return nil, fmt.Errorf("%w: its public half does not belong to its seed", ErrKey)
		}
		return key, nil
	}
	der, found, err := pemBlock(data, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	switch {
	case found:
	case len(data) == ed25519.PublicKeySize:
		return nil, fmt.Errorf("%w: %d bytes are a verify key or a bare seed, want %d raw bytes or PEM", ErrKey, len(data), ed25519.PrivateKeySize)
	default:
		return nil, fmt.Errorf("%w: %d bytes, want %d raw bytes or PEM", ErrKey, len(data), ed25519.PrivateKeySize)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if private, ok := key.(ed25519.PrivateKey); ok {
		return private, nil
	}
	return nil, fmt.Errorf("%w: it is a %T", ErrKey, key)
}

// pemBlock returns the first PEM block, which must be of the wanted type.
func pemBlock(data []byte, want string) (der []byte, found bool, err error) {
	if len(data) > MaxKeyFile {
		return nil, false, fmt.Errorf("%w: it has %d bytes, the limit is %d", ErrKey, len(data), MaxKeyFile)
	}
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, false, nil
	case block.Type != want:
		return nil, true, fmt.Errorf("%w: the PEM block is %q, want %s, not encrypted", ErrKey, block.Type, want)
	}
	return block.Bytes, true, nil
}

// Generate makes a new signing key. An error means that the system has no randomness.
func Generate() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// Public returns the verify key of a signing key.
func Public(key ed25519.PrivateKey) ed25519.PublicKey {
	return ed25519.PublicKey(slices.Clone(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:]))
}

// Hash returns the lower-case hex BLAKE3-256 of a raw public key. The journal and the config's
// pin name keys by it.
func Hash(key ed25519.PublicKey) string {
	return digest.Of(key)
}
