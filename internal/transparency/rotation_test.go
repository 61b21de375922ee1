package transparency_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/machine"
)

func TestRotation(t *testing.T) {
	const id = "6f0d1f6e-0000-4000-8000-000000000001"
	a, b, c := signer(t, "n"), signer(t, "n"), signer(t, "n")
	ab, err := transparency.Rotate(id, a, b)
	check(t, err)
	bc, err := transparency.Rotate(id, b, c)
	check(t, err)
	held := a.Verifier()
	for _, e := range []machine.KeyRotated{ab, bc} {
		r, err := transparency.ReadRotation(id, e)
		if err != nil || r.Old.String() != held.String() || r.Journal != id {
			t.Fatalf("%+v, %v", r, err)
		}
		held = r.New
	}
	if held.String() != c.Verifier().String() {
		t.Errorf("the first key leads to %s", held)
	}
	aa, err := transparency.Rotate(id, a, a)
	check(t, err)
	if _, err := transparency.ReadRotation(id, aa); !errors.Is(err, transparency.ErrRotation) {
		t.Errorf("to itself: %v", err)
	}
	for name, alter := range map[string]func(*machine.KeyRotated){
		"another journal":   nil,
		"statement":         func(e *machine.KeyRotated) { e.Statement = append([]byte("x"), e.Statement...) },
		"old key":           func(e *machine.KeyRotated) { e.OldKey = e.NewKey },
		"new key":           func(e *machine.KeyRotated) { e.NewKey = c.Verifier().BLAKE3() },
		"purpose":           func(e *machine.KeyRotated) { e.Purpose = machine.PurposeManifest },
		"only one has":      func(e *machine.KeyRotated) { e.Signature = []byte(lines(string(e.Signature), 1)) },
		"the new one alone": func(e *machine.KeyRotated) { e.Signature = []byte(strings.SplitAfter(string(e.Signature), "\n")[1]) },
		"none has":          func(e *machine.KeyRotated) { e.Signature = nil },
		"other keys signed": func(e *machine.KeyRotated) { e.Signature = bc.Signature },
		"of no key":         func(e *machine.KeyRotated) { e.Statement = []byte(lines(string(e.Statement), 2) + "x\ny\n") },
		"no new key": func(e *machine.KeyRotated) {
			e.Statement = []byte(lines(string(e.Statement), 3) + "y\n")
		},
		"spaces": func(e *machine.KeyRotated) {
			e.Statement = []byte(strings.Replace(string(e.Statement), "\nn+", "\n n+", 1))
		},
	} {
		e, journalID := ab, id
		if alter == nil {
			journalID = "another"
		} else {
			alter(&e)
		}
		if _, err := transparency.ReadRotation(journalID, e); !errors.Is(err, transparency.ErrRotation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A statement in another than the canonical form is refused, although both keys signed it.
func TestRotationForm(t *testing.T) {
	a, b := signer(t, "n"), signer(t, "n")
	good, err := transparency.Rotate("j", a, b)
	check(t, err)
	for name, text := range map[string]string{
		"as it is":        string(good.Statement),
		"spaces":          strings.Replace(string(good.Statement), "\nn+", "\n n+", 1),
		"another line":    string(good.Statement) + "more\n",
		"another title":   "x" + string(good.Statement),
		"of another kind": transparency.Checkpoint{Journal: "j", Size: 1}.Text() + "n\n",
	} {
		var signers []note.Signer
		for _, k := range []transparency.Signer{a, b} {
			s, err := note.NewSigner(k.Secret())
			check(t, err)
			signers = append(signers, s)
		}
		signed, err := note.Sign(&note.Note{Text: text}, signers...)
		check(t, err)
		e := good
		e.Statement, e.Signature = []byte(text), signed[len(text)+1:]
		if _, err := transparency.ReadRotation("j", e); (err == nil) != (name == "as it is") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
