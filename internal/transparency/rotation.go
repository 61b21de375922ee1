package transparency

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/autonomyops/edged/machine"
)

// rotationTitle is the first line of a rotation statement.
const rotationTitle = "edged checkpoint key rotation"

// Rotation is the statement that the new checkpoint key replaces the old one. Its
// text has four lines: title, journal id, old key, new key. Both keys sign it as a
// note: the old one names its successor, the new one proves that somebody holds
// it.
type Rotation struct {
	Journal  string
	Old, New Verifier
}

func (r Rotation) text() string {
	return fmt.Sprintf("%s\n%s\n%s\n%s\n", rotationTitle, r.Journal, r.Old, r.New)
}

// Rotate returns the event of a rotation. Its statement is the text of the note,
// its signature the two signature lines, old key first: statement, empty line and
// signature are the signed note.
func Rotate(journalID string, old, next Signer) (machine.KeyRotated, error) {
	r := Rotation{journalID, old.Verifier(), next.Verifier()}
	signed, err := note.Sign(&note.Note{Text: r.text()}, old.note, next.note)
	if err != nil {
		return machine.KeyRotated{}, fmt.Errorf("sign the rotation: %w", err)
	}
	text := r.text()
	return machine.KeyRotated{V: 1, Purpose: machine.PurposeCheckpoint, OldKey: r.Old.BLAKE3(), NewKey: r.New.BLAKE3(),
		Statement: []byte(text), Signature: signed[len(text)+1:]}, nil
}

// Note returns the statement of an event that rotates a checkpoint key, as the signed
// note that [OpenRotation] reads.
func Note(e machine.KeyRotated) []byte {
	return slices.Concat(e.Statement, []byte("\n"), e.Signature)
}

// ReadRotation verifies the statement of an event that rotates a checkpoint key in
// the journal with this id: both signatures, and that the event agrees. The caller
// must decide whether to trust the old key. The error is [ErrRotation].
func ReadRotation(journalID string, e machine.KeyRotated) (Rotation, error) {
	r, err := OpenRotation(journalID, Note(e))
	switch {
	case err != nil:
		return Rotation{}, err
	case r.text() != string(e.Statement), e.Purpose != machine.PurposeCheckpoint, r.Old.BLAKE3() != e.OldKey, r.New.BLAKE3() != e.NewKey:
		return Rotation{}, fmt.Errorf("%w: the event names other keys than the statement", ErrRotation)
	}
	return r, nil
}

// OpenRotation verifies a signed note that rotates the checkpoint key of the journal
// with this id. The caller must decide whether to trust the old key. The error is
// [ErrRotation].
func OpenRotation(journalID string, signed []byte) (Rotation, error) {
	refuse := func(format string, args ...any) (Rotation, error) {
		return Rotation{}, fmt.Errorf("%w: %s", ErrRotation, fmt.Sprintf(format, args...))
	}
	text, _, _ := strings.Cut(string(signed), "\n\n")
	text += "\n"
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[0] != rotationTitle || lines[4] != "" {
		return refuse("it is not about a checkpoint key")
	}
	r := Rotation{Journal: lines[1]}
	var err error
	if r.Old, err = NewVerifier(lines[2]); err != nil {
		return refuse("read the old key: %v", err)
	}
	if r.New, err = NewVerifier(lines[3]); err != nil {
		return refuse("read the new key: %v", err)
	}
	switch {
	case r.text() != text:
		return refuse("it is not in canonical form")
	case r.Old.BLAKE3() == r.New.BLAKE3():
		return refuse("the new key is the old one")
	case r.Journal != journalID:
		return refuse("it is for journal %s", r.Journal)
	}
	for _, k := range []Verifier{r.Old, r.New} {
		if n, err := note.Open(signed, note.VerifierList(k.note)); err != nil || n.Text != text {
			return refuse("%s has not signed it", k.note.Name())
		}
	}
	return r, nil
}
