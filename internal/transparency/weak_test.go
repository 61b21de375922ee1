package transparency_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/zeebo/blake3"
	"golang.org/x/mod/sumdb/note"

	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/machine"
)

// neutral is the curve's neutral point. Under it as a key, itself with S = 0 is a
// signature over any text.
var neutral = append([]byte{1}, make([]byte, 31)...)

// weakKey returns key in the form of signed notes, and a signature line that
// crypto/ed25519 accepts under any text if key is the neutral point.
func weakKey(name string, key []byte) (text, line string) {
	alg := append([]byte{1}, key...)
	hash := sha256.Sum256(append([]byte(name+"\n"), alg...))
	signature := append(append(hash[:4:4], neutral...), make([]byte, 32)...)
	return fmt.Sprintf("%s+%x+%s", name, hash[:4], base64.StdEncoding.EncodeToString(alg)),
		"\u2014 " + name + " " + base64.StdEncoding.EncodeToString(signature) + "\n"
}

// A key under which anybody can sign is refused, although package note accepts it.
func TestWeakKeys(t *testing.T) {
	text, line := weakKey("n", neutral)
	v, err := note.NewVerifier(text)
	check(t, err)
	if _, err := note.Open([]byte("any text\n\n"+line), note.VerifierList(v)); err != nil {
		t.Fatal("the test forges nothing: it proves nothing:", err)
	}
	minus := append([]byte(nil), neutral...)
	minus[31] |= 0x80
	for name, key := range map[string][]byte{"neutral": neutral, "its sign": minus, "zeros": make([]byte, ed25519.PublicKeySize)} {
		text, _ := weakKey("n", key)
		if _, err := transparency.NewVerifier(text); !errors.Is(err, signing.ErrWeakKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A rotation to such a key, or from one, is refused: anybody could make it.
func TestRotationWeak(t *testing.T) {
	text, line := weakKey("n", neutral)
	sum := blake3.Sum256(neutral)
	a, b := signer(t, "n"), signer(t, "n")
	for name, old := range map[string]bool{"old": true, "new": false} {
		e, err := transparency.Rotate("j", a, b)
		check(t, err)
		strong, replaced := a, b.Verifier().String()
		if old {
			strong, replaced = b, a.Verifier().String()
		}
		statement := strings.Replace(string(e.Statement), replaced, text, 1)
		s, err := note.NewSigner(strong.Secret())
		check(t, err)
		signed, err := note.Sign(&note.Note{Text: statement}, s)
		check(t, err)
		e = machine.KeyRotated{V: 1, Purpose: machine.PurposeCheckpoint, OldKey: a.Verifier().BLAKE3(), NewKey: b.Verifier().BLAKE3(),
			Statement: []byte(statement), Signature: append(signed[len(statement)+1:], line...)}
		if old {
			e.OldKey = hex.EncodeToString(sum[:])
		} else {
			e.NewKey = hex.EncodeToString(sum[:])
		}
		if _, err := transparency.ReadRotation("j", e); !errors.Is(err, transparency.ErrRotation) || !strings.Contains(fmt.Sprint(err), "small order") {
			t.Errorf("%s key: %v", name, err)
		}
	}
}
