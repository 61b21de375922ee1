package transparency

import (
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/autonomyops/edged/machine"
)

// rotationTitle is the first line of a rotation statement.
const rotationTitle = "edged checkpoint key rotation"

// Rotation is the statement that one checkpoint key is followed by another. As
// a text it has four lines: the title, the journal's id, the old key, the new
// one. It is signed, as a note, by both: the old key says who follows it, the
// new one that somebody holds it.
type Rotation struct {
	Journal  string
	Old, New Verifier
}

func (r Rotation) text() string {
	return fmt.Sprintf("%s\n%s\n%s\n%s\n", rotationTitle, r.Journal, r.Old, r.New)
}

// Rotate makes the event of a rotation. Its statement is the note's text, its
// signature the note's two signature lines, old key first: the statement, an
// empty line and the signature together are the signed note.
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

// ReadRotation verifies the statement of an event that rotates a checkpoint
// key in the journal with this id: both signatures, and that the event says
// the same. Whether the old key is to be believed is for the caller. The error
// is [ErrRotation].
func ReadRotation(journalID string, e machine.KeyRotated) (Rotation, error) {
	refuse := func(format string, args ...any) (Rotation, error) {
		return Rotation{}, fmt.Errorf("%w: %s", ErrRotation, fmt.Sprintf(format, args...))
	}
	lines := strings.Split(string(e.Statement), "\n")
	if len(lines) != 5 || lines[0] != rotationTitle || lines[4] != "" {
		return refuse("it is not one of a checkpoint key")
	}
	r := Rotation{Journal: lines[1]}
	var err error
	if r.Old, err = NewVerifier(lines[2]); err != nil {
		return refuse("the old key is none: %v", err)
	}
	if r.New, err = NewVerifier(lines[3]); err != nil {
		return refuse("the new key is none: %v", err)
	}
	switch {
	case r.text() != string(e.Statement):
		return refuse("it is not in its one form")
	case e.Purpose != machine.PurposeCheckpoint || r.Old.BLAKE3() != e.OldKey || r.New.BLAKE3() != e.NewKey:
		return refuse("the event names other keys than the statement")
	case e.OldKey == e.NewKey:
		return refuse("it leads to the key itself")
	case r.Journal != journalID:
		return refuse("it is for journal %s", r.Journal)
	}
	signed := string(e.Statement) + "\n" + string(e.Signature)
	for _, k := range []Verifier{r.Old, r.New} {
		if n, err := note.Open([]byte(signed), note.VerifierList(k.note)); err != nil || n.Text != string(e.Statement) {
			return refuse("%s has not signed it", k.note.Name())
		}
	}
	return r, nil
}
