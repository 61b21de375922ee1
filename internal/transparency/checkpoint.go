package transparency

import (
	"encoding/base64"
	"errors"
	"fmt"
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

// Text is the body of the note: origin, size, base64 of the root, a line each.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", Origin(c.Journal), c.Size, c.Root)
}

// Sign gives the signed note.
func (c Checkpoint) Sign(key Signer) ([]byte, error) {
	if key.note == nil {
		return nil, ErrKey
	}
	return note.Sign(&note.Note{Text: c.Text()}, key.note)
}

// Read reads a signed checkpoint and verifies no signature: what it says is
// anybody's word. Errors are [ErrCheckpoint] and [ErrExtension].
func Read(signed []byte) (Checkpoint, error) {
	c, _, err := Open(signed)
	if errors.Is(err, ErrSigner) {
		err = nil
	}
	return c, err
}

// Open reads a signed checkpoint. The second result is the key that signed it,
// of those given. Without one of their signatures the checkpoint is given with
// [ErrSigner]; what it says is then anybody's word. Other errors are
// [ErrCheckpoint] and [ErrExtension].
func Open(signed []byte, keys ...Verifier) (Checkpoint, Verifier, error) {
	if len(signed) > MaxCheckpoint {
		return Checkpoint{}, Verifier{}, fmt.Errorf("%w: it has %d bytes", ErrCheckpoint, len(signed))
	}
	n, err := note.Open(signed, keyring(keys))
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &unverified):
		n = unverified.Note
	case err != nil:
		return Checkpoint{}, Verifier{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	c, err := parse(n.Text)
	if err != nil {
		return Checkpoint{}, Verifier{}, err
	}
	for _, sig := range n.Sigs { // those that were verified
		for _, k := range keys {
			if k.Name() == sig.Name && k.note.KeyHash() == sig.Hash {
				return c, k, nil
			}
		}
	}
	return c, Verifier{}, ErrSigner
}

// keyring gives each key once: note refuses a list that names one twice.
type keyring []Verifier

// Verifier implements note.Verifiers.
func (r keyring) Verifier(name string, hash uint32) (note.Verifier, error) {
	for _, k := range r {
		if k.Name() == name && k.note.KeyHash() == hash {
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
	root, err := parseHash(lines[2])
	if err != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	if len(lines) != 4 {
		return Checkpoint{}, ErrExtension
	}
	return Checkpoint{Journal: id, Size: size, Root: root}, nil
}

func parseHash(text string) (tlog.Hash, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != tlog.HashSize || base64.StdEncoding.EncodeToString(raw) != text {
		return tlog.Hash{}, fmt.Errorf("%w: %q is no hash", ErrProof, text)
	}
	return tlog.Hash(raw), nil
}
