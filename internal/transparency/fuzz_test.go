package transparency_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/transparency"
)

// fixed are keys that are the same in every process of a fuzzer: what one signs
// as a seed, another is to verify.
func fixed(f *testing.F) (a, b transparency.Signer) {
	f.Helper()
	a, err := transparency.NewSigner("PRIVATE+KEY+n+796b0d63+AWp+BvnYFwWKyRlm67nWyu8xxEe1G4qQhZKTua0JHeZS")
	check(f, err)
	b, err = transparency.NewSigner("PRIVATE+KEY+n+d1912f6e+AcpRERrrEG0t0WwcZqdqr3ZsWmX7PiwMkl1MhotFqAAK")
	check(f, err)
	return a, b
}

// What a signature of a key covers, nothing else can be taken for.
func FuzzCheckpoint(f *testing.F) {
	key, _ := fixed(f)
	_, signed := newLog(3).checkpoint(f, 3, key)
	f.Add(signed)
	f.Add([]byte("edged/x\n1\nAAAA\n\n— n AAAA\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := transparency.Open(data, key.Verifier())
		if err == nil && !bytes.HasPrefix(signed, []byte(c.Text())) {
			t.Errorf("%q opens as %+v", data, c)
		}
		if c, err := transparency.Read(data); err == nil && !strings.HasPrefix(string(data), c.Text()) {
			t.Errorf("%q reads as %+v", data, c)
		}
	})
}

// Whatever the text, a record is proven at no other place, for the tree that
// the key signed.
func FuzzInclusion(f *testing.F) {
	l := newLog(5)
	key, _ := fixed(f)
	_, signed := l.checkpoint(f, 5, key)
	p, err := l.tree(f, 5).Inclusion(3, signed)
	check(f, err)
	f.Add(p.Text())
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := transparency.ReadInclusion(data)
		if err != nil {
			return
		}
		if _, _, err := transparency.Open([]byte(p.Checkpoint), key.Verifier()); err == nil && p.Check(l.records[2]) == nil && p.Seq != 3 {
			t.Errorf("record 3 is proven to be record %d by %q", p.Seq, data)
		}
		if again, err := transparency.ReadInclusion(p.Text()); err != nil || again.Seq != p.Seq || len(again.Proof) != len(p.Proof) {
			t.Errorf("%q writes as %q, which reads as %+v: %v", data, p.Text(), again, err)
		}
	})
}

// Whatever the text, the tree that the key signed continues no other than its
// own first records.
func FuzzConsistency(f *testing.F) {
	l := newLog(7)
	key, _ := fixed(f)
	old, _ := l.checkpoint(f, 3, key)
	_, signed := l.checkpoint(f, 7, key)
	p, err := l.tree(f, 7).Consistency(old, signed)
	check(f, err)
	f.Add(p.Text())
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := transparency.ReadConsistency(data)
		if err != nil {
			return
		}
		if _, _, err := transparency.Open([]byte(p.Checkpoint), key.Verifier()); err == nil && p.Check() == nil {
			if p.Old.Size == 0 || p.Old != l.tree(t, int(p.Old.Size)).Checkpoint().Head() {
				t.Errorf("the tree is proven to continue %+v by %q", p.Old, data)
			}
		}
		if again, err := transparency.ReadConsistency(p.Text()); err != nil || !bytes.Equal(again.Text(), p.Text()) {
			t.Errorf("%q writes as %q: %v", data, p.Text(), err)
		}
	})
}

// Whatever statement and signature, they lead to the key that the event names.
func FuzzRotation(f *testing.F) {
	a, b := fixed(f)
	e, err := transparency.Rotate("j", a, b)
	check(f, err)
	f.Add(e.Statement, e.Signature)
	f.Fuzz(func(t *testing.T, statement, signature []byte) {
		e := e
		e.Statement, e.Signature = statement, signature
		if r, err := transparency.ReadRotation("j", e); err == nil && (r.Old.String() != a.Verifier().String() || r.New.String() != b.Verifier().String()) {
			t.Errorf("%q leads from %s to %s", statement, r.Old, r.New)
		}
	})
}

// Keys are read back as they were written.
func FuzzKey(f *testing.F) {
	key, _ := fixed(f)
	f.Add(key.Verifier().String())
	f.Add(key.Secret())
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := transparency.NewVerifier(text); err == nil && v.String() != strings.TrimSpace(text) {
			t.Errorf("%q is written as %q", text, v)
		}
		if s, err := transparency.NewSigner(text); err == nil && (s.Secret() != strings.TrimSpace(text) || len(s.Verifier().Key()) != 32) {
			t.Errorf("%q is read otherwise", text)
		}
	})
}
