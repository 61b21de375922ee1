// Package signing reads, makes and uses the Ed25519 keys that sign runtime
// manifests.
//
// A verify key is 32 raw bytes (identity/manifest-verify.pub), a signing key
// 64 raw bytes (seed, then public key, as crypto/ed25519 has it), a signature
// 64 raw bytes. Keys in PEM, PKCS#8 and SPKI, are read as well.
package signing

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/zeebo/blake3"
)

// MaxKeyFile bounds a key file in bytes; a PEM file has a few hundred.
const MaxKeyFile = 16 << 10

// ErrKey: the bytes are not a key of the kind that was asked for.
var ErrKey = errors.New("not an Ed25519 key")

// ParsePublic reads a public key: 32 raw bytes, or PEM ("PUBLIC KEY").
func ParsePublic(data []byte) (ed25519.PublicKey, error) {
	if block, _ := pem.Decode(data); block != nil {
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("%w: the PEM block is %q, want PUBLIC KEY", ErrKey, block.Type)
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		if pub, ok := key.(ed25519.PublicKey); ok {
			return pub, nil
		}
		return nil, fmt.Errorf("%w: it is a %T", ErrKey, key)
	}
	if len(data) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: %d bytes, want %d raw bytes or PEM", ErrKey, len(data), ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(data), nil
}

// ParsePrivate reads a signing key: 64 raw bytes, or PEM ("PRIVATE KEY", PKCS#8).
func ParsePrivate(data []byte) (ed25519.PrivateKey, error) {
	if block, _ := pem.Decode(data); block != nil {
		if block.Type != "PRIVATE KEY" {
			return nil, fmt.Errorf("%w: the PEM block is %q, want PRIVATE KEY (PKCS#8, not encrypted)", ErrKey, block.Type)
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		if private, ok := key.(ed25519.PrivateKey); ok {
			return private, nil
		}
		return nil, fmt.Errorf("%w: it is a %T", ErrKey, key)
	}
	if len(data) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: %d bytes, want %d raw bytes or PEM", ErrKey, len(data), ed25519.PrivateKeySize)
	}
	key := ed25519.PrivateKey(data)
	if !ed25519.NewKeyFromSeed(key.Seed()).Equal(key) {
		return nil, fmt.Errorf("%w: its public half does not belong to its seed", ErrKey)
	}
	return key, nil
}

// Generate makes a new signing key.
func Generate() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// Hash is the lower-case hex BLAKE3-256 of a raw public key: how the journal
// and the config's pin name it.
func Hash(key ed25519.PublicKey) string {
	sum := blake3.Sum256(key)
	return hex.EncodeToString(sum[:])
}
