package signing

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
)

// ErrWeakKey: anybody can forge signatures under this key.
var ErrWeakKey = errors.New("the key is a point of small order, under which anybody can sign")

// smallOrder holds the encodings of the curve's points of order 1, 2, 4 and 8, including those
// that are not reduced, without the sign bit. Bytes 1 to 30 of most are the same. crypto/ed25519
// accepts them as keys. A file that a disk returned as zeros is the first of them.
var smallOrder = [...][ed25519.PublicKeySize]byte{
	{},
	{0: 1},
	{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
	aroundPrime(0xec),
	aroundPrime(0xed),
	aroundPrime(0xee),
}

// aroundPrime returns a number whose lowest byte is low, near the field's prime 2^255-19 (0x7f
// ff … ff ed).
func aroundPrime(low byte) (p [ed25519.PublicKeySize]byte) {
	for i := range p {
		p[i] = 0xff
	}
	p[0], p[len(p)-1] = low, 0x7f
	return p
}

// CheckPublic returns ErrKey if the key is not 32 bytes long, and ErrWeakKey if it is of small
// order. Whether the key is on the curve is checked when it verifies.
func CheckPublic(key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: %d bytes, want %d", ErrKey, len(key), ed25519.PublicKeySize)
	}
	last := len(key) - 1
	for _, weak := range smallOrder {
		if bytes.Equal(key[:last], weak[:last]) && key[last]&0x7f == weak[last] {
			return ErrWeakKey
		}
	}
	return nil
}

// Verify reports whether signature is key's over message. It returns false for wrong sizes and
// for weak keys, and never panics.
func Verify(key ed25519.PublicKey, message, signature []byte) bool {
	return CheckPublic(key) == nil && len(signature) == ed25519.SignatureSize && ed25519.Verify(key, message, signature)
}
