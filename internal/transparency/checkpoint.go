package transparency

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxCheckpoint is the largest signed checkpoint that is read, in bytes.
const MaxCheckpoint = 64 << 10

// Checkpoint commits to the first Size records of a journal.
type Checkpoint struct {
	Journal string
	Size    uint64
	Root    tlog.Hash
}

// Text returns the text of the note: origin, size and root in base64, a line
// each.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", Origin(c.Journal), c.Size, c.Root)
}

// Sign returns the signed note. The name in the signature line is the origin,
// which readers of logs expect there, rather than the name in the key's file: a
// key can sign for several journals.
func (c Checkpoint) Sign(key Signer) ([]byte, error) {
	if key.note == nil {
		return nil, ErrKey
	}
	named, err := key.named(Origin(c.Journal))
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: c.Text()}, named)
}

// Read reads a signed checkpoint and verifies no signature. Errors are
// [ErrCheckpoint] and [ErrExtension].
func Read(signed []byte) (Checkpoint, error) {
	c, _, err := Open(signed)
	if errors.Is(err, ErrSigner) {
		err = nil
	}
	return c, err
}

// Open reads a signed checkpoint and returns it with one of keys that signed it.
// Only a line with the checkpoint's origin as its name can be such a
// signature; lines with other names, as of witnesses, are ignored. If none of keys
// signed it, Open returns the checkpoint, not verified, and [ErrSigner]. Other
// errors are [ErrCheckpoint] and [ErrExtension].
func Open(signed []byte, keys ...Verifier) (Checkpoint, Verifier, error) {
	if len(signed) > MaxCheckpoint {
		return Checkpoint{}, Verifier{}, fmt.Errorf("%w: it has %d bytes", ErrCheckpoint, len(signed))
	}
	origin, _, _ := bytes.Cut(signed, []byte("\n"))
	ring, err := under(string(origin), keys)
	if err != nil {
		return Checkpoint{}, Verifier{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	n, err := note.Open(signed, ring)
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &unverified):
		n = unverified.Note
	case bytes.Contains(signed, []byte("\r\n")), bytes.HasPrefix(signed, []byte("\xef\xbb\xbf")):
		return Checkpoint{}, Verifier{}, fmt.Errorf("%w: its lines end in CR LF, or it begins with a byte-order mark: a program copied it as text; copy it again in binary mode", ErrCheckpoint)
	case err != nil:
		return Checkpoint{}, Verifier{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if err := canonical(n); err != nil {
		return Checkpoint{}, Verifier{}, err
	}
	c, err := parse(n.Text)
	if err != nil {
		return Checkpoint{}, Verifier{}, err
	}
	for _, sig := range n.Sigs { // the verified ones
		for _, k := range ring {
			if k.note.KeyHash() == sig.Hash {
				return c, k.Verifier, nil
			}
		}
	}
	return c, Verifier{}, ErrSigner
}

// canonical refuses a signature whose base64 is not canonical: otherwise one
// signature would have several texts.
func canonical(n *note.Note) error {
	for _, sig := range slices.Concat(n.Sigs, n.UnverifiedSigs) {
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			return fmt.Errorf("%w: a signature is not in canonical base64", ErrCheckpoint)
		}
	}
	return nil
}

// keyring holds keys under the name of one origin. It may hold a key twice, which
// note.VerifierList would refuse.
type keyring []namedVerifier

type namedVerifier struct {
	Verifier
	note note.Verifier
}

func under(origin string, keys []Verifier) (ring keyring, err error) {
	for _, k := range keys {
		v, err := k.named(origin)
		if err != nil {
			return nil, err
		}
		ring = append(ring, namedVerifier{k, v})
	}
	return ring, nil
}

// Verifier implements note.Verifiers.
func (r keyring) Verifier(name string, hash uint32) (note.Verifier, error) {
	for _, k := range r {
		if k.note.Name() == name && k.note.KeyHash() == hash {
			return k.note, nil
		}
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

func parse(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return Checkpoint{}, ErrCheckpoint
	}
	id, ok := strings.CutPrefix(lines[0], Origin(""))
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if !ok || id == "" || err != nil || strconv.FormatUint(size, 10) != lines[1] || size == 0 {
		return Checkpoint{}, ErrCheckpoint
	}
	root, ok := parseHash(lines[2])
	if !ok {
		return Checkpoint{}, ErrCheckpoint
	}
	if len(lines) != 4 {
		return Checkpoint{}, ErrExtension
	}
	return Checkpoint{Journal: id, Size: size, Root: root}, nil
}

func parseHash(text string) (tlog.Hash, bool) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != tlog.HashSize || base64.StdEncoding.EncodeToString(raw) != text {
		return tlog.Hash{}, false
	}
	return tlog.Hash(raw), true
}
