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
	v, err := note.NewVerifier(key.Verifier().String())
	check(t, err)
	n, err := note.Open(signed, note.VerifierList(v))
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
	sign := func(text string) []byte {
		s, err := note.NewSigner(key.Secret())
		check(t, err)
		signed, err := note.Sign(&note.Note{Text: text}, s)
		check(t, err)
		return signed
	}
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

// lines are the first n lines of text.
func lines(text string, n int) string {
	return strings.Join(strings.SplitAfterN(text, "\n", n+1)[:n], "")
}
