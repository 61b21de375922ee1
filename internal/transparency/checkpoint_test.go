package transparency_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/autonomyops/edged/internal/transparency"
)

func TestCheckpoint(t *testing.T) {
	l, key, other := newLog(9), signer(t, "node-1"), signer(t, "node-2")
	c, signed := l.checkpoint(t, 9, key)
	n, err := note.Open(signed, note.VerifierList(verifierNamed(t, "edged/"+l.ID(), key)))
	if err != nil || n.Text != c.Text() || !strings.HasPrefix(n.Text, "edged/"+l.ID()+"\n9\n") {
		t.Fatalf("note: %v, %+v", err, n)
	}
	got, by, err := transparency.Open(signed, other.Verifier(), key.Verifier())
	if err != nil || got != c || by.String() != key.Verifier().String() {
		t.Errorf("%+v by %s, %v", got, by, err)
	}
	if got, _, err := transparency.Open(signed, other.Verifier()); !errors.Is(err, transparency.ErrSigner) || got != c {
		t.Errorf("by nobody known: %+v, %v", got, err)
	}
	sign := func(text string) []byte { return signedBy(t, key.Secret(), text) }
	body := c.Text()
	for name, tt := range map[string]struct {
		data []byte
		want error
	}{
		"empty":           {nil, transparency.ErrCheckpoint},
		"no note":         {[]byte("hello\n"), transparency.ErrCheckpoint},
		"extension":       {sign(body + "more\n"), transparency.ErrExtension},
		"other origin":    {sign(strings.Replace(body, "edged/", "example.com/", 1)), transparency.ErrCheckpoint},
		"no id":           {sign("edged/\n" + strings.SplitN(body, "\n", 2)[1]), transparency.ErrCheckpoint},
		"size 0":          {sign(strings.Replace(body, "\n9\n", "\n0\n", 1)), transparency.ErrCheckpoint},
		"size 09":         {sign(strings.Replace(body, "\n9\n", "\n09\n", 1)), transparency.ErrCheckpoint},
		"negative":        {sign(strings.Replace(body, "\n9\n", "\n-9\n", 1)), transparency.ErrCheckpoint},
		"short root":      {sign(lines(body, 2) + "AAAA\n"), transparency.ErrCheckpoint},
		"altered":         {[]byte(strings.Replace(string(signed), "\n9\n", "\n8\n", 1)), transparency.ErrCheckpoint},
		"as big as a log": {make([]byte, transparency.MaxCheckpoint+1), transparency.ErrCheckpoint},
	} {
		if _, _, err := transparency.Open(tt.data, key.Verifier()); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// lines returns the first n lines of text.
func lines(text string, n int) string {
	return strings.Join(strings.SplitAfterN(text, "\n", n+1)[:n], "")
}

// TestCheckpointSignatureName: the name in the signature line is the origin. A line
// of the same key under another name, also that in the key's file, does not count.
func TestCheckpointSignatureName(t *testing.T) {
	l, key := newLog(9), signer(t, "node-1")
	c, signed := l.checkpoint(t, 9, key)
	if !strings.Contains(string(signed), "\n\n— edged/"+l.ID()+" ") {
		t.Errorf("the line is not named by the origin:\n%s", signed)
	}
	byFile := signedBy(t, key.Secret(), c.Text())
	if got, _, err := transparency.Open(byFile, key.Verifier()); !errors.Is(err, transparency.ErrSigner) || got != c {
		t.Errorf("a line named by the key file: %+v, %v", got, err)
	}
	// Witnesses add lines before and after.
	both := string(byFile) + strings.TrimPrefix(string(signed), c.Text()+"\n")
	if _, by, err := transparency.Open([]byte(both), key.Verifier()); err != nil || by.BLAKE3() != key.Verifier().BLAKE3() {
		t.Errorf("with another line before it: %v", err)
	}
}

// TestCheckpointSignatureForm: one signature has one text.
func TestCheckpointSignatureForm(t *testing.T) {
	l, key := newLog(3), signer(t, "n")
	_, signed := l.checkpoint(t, 3, key)
	at := len(signed) - len("=\n") - 1 // its last two bits are none of the signature's
	signed[at]++
	if _, _, err := transparency.Open(signed, key.Verifier()); !errors.Is(err, transparency.ErrCheckpoint) {
		t.Errorf("%v\n%s", err, signed)
	}
}

// verifierNamed returns a key under the name of a log, as other software uses it.
func verifierNamed(t testing.TB, name string, key transparency.Signer) note.Verifier {
	t.Helper()
	text, err := note.NewEd25519VerifierKey(name, key.Verifier().Key())
	check(t, err)
	v, err := note.NewVerifier(text)
	check(t, err)
	return v
}

func signedBy(t testing.TB, secret, text string) []byte {
	t.Helper()
	s, err := note.NewSigner(secret)
	check(t, err)
	signed, err := note.Sign(&note.Note{Text: text}, s)
	check(t, err)
	return signed
}
