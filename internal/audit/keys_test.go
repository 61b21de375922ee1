package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// rotate journals a rotation from this key and returns the next one.
func (s signer) rotate(t *testing.T, h *historytest.History) signer {
	t.Helper()
	next := newSigner(t)
	old, err := transparency.NewSigner(s.private)
	historytest.Check(t, err)
	key, err := transparency.NewSigner(next.private)
	historytest.Check(t, err)
	event, err := transparency.Rotate(h.State.Journal, old, key)
	historytest.Check(t, err)
	h.NextBoot()
	h.Append(event)
	h.Stop()
	return next
}

// An auditor who holds only the first key can verify the newest checkpoint, and
// can compare with a checkpoint that the first key signed.
func TestKeysFollowed(t *testing.T) {
	h := begin(t)
	first := newSigner(t)
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	historytest.Check(t, os.WriteFile(checkpoint, first.checkpoint(t, src, 13), 0o600))
	historytest.Check(t, src.Close())
	second := first.rotate(t, h)
	third := second.rotate(t, h)
	path := write(t, third.bundle(t, h.Dir))
	for name, key := range map[string]string{"first": first.public, "second": second.public, "third": third.public} {
		if r := verdict(t, path, audit.VerifyOptions{Key: key}); !r.OK || r.Verdict != audit.Intact || len(r.Findings) > 0 {
			t.Errorf("with the %s key: %+v", name, r)
		}
	}
	for name, key := range map[string]string{"the first": first.public, "none": ""} {
		if r := verdict(t, path, audit.VerifyOptions{Key: key, Since: checkpoint}); !r.OK || r.Verdict != audit.Extended || has(r, audit.CodeSigner) {
			t.Errorf("with %s key: %+v", name, r)
		}
	}
	if r := verdict(t, h.Dir, audit.VerifyOptions{Key: first.public, Since: checkpoint}); !r.OK || has(r, audit.CodeSigner) {
		t.Errorf("a state root: %+v", r)
	}
	// A key without a rotation, and one that was replaced.
	if r := verdict(t, path, audit.VerifyOptions{Key: newSigner(t).public}); r.OK || !has(r, audit.CodeSigner) {
		t.Errorf("another key: %+v", r)
	}
	for name, old := range map[string]signer{"first": first, "second": second} {
		if r := verdict(t, write(t, old.bundle(t, h.Dir)), audit.VerifyOptions{Key: first.public}); r.OK || !has(r, audit.CodeSigner) {
			t.Errorf("signed by the %s key after it was replaced: %+v", name, r)
		}
	}
}

// A checkpoint that the key in force has signed is good, also if other keys signed
// it, in any order of the lines.
func TestKeysBoth(t *testing.T) {
	h := begin(t)
	first := newSigner(t)
	second := first.rotate(t, h)
	sealed := func(s signer) (b *archive, text, line []byte) {
		b = takeApart(t, s.bundle(t, h.Dir))
		at := bytes.Index(b.files["checkpoint"], []byte("\n\n")) + 2
		return b, b.files["checkpoint"][:at:at], b.files["checkpoint"][at:]
	}
	b, text, now := sealed(second)
	_, _, before := sealed(first)
	for name, tt := range map[string]struct {
		lines [][]byte
		ok    bool
	}{
		"the new one, the old one": {[][]byte{now, before}, true},
		"the old one, the new one": {[][]byte{before, now}, true},
		"the old one alone":        {[][]byte{before}, false},
	} {
		b.set("checkpoint", append(text, bytes.Join(tt.lines, nil)...))
		path := write(t, b.pack(t))
		for who, key := range map[string]string{"the first key": first.public, "the second": second.public, "none": ""} {
			if r := verdict(t, path, audit.VerifyOptions{Key: key}); r.OK != tt.ok || has(r, audit.CodeSigner) == tt.ok {
				t.Errorf("signed by %s; %s is held: %+v", name, who, r)
			}
		}
	}
}

// An invalid statement rotates no key, and is reported.
func TestKeysForged(t *testing.T) {
	h := begin(t)
	first := newSigner(t)
	second := first.rotate(t, h)
	s := read(t, h.Dir)
	s.swap(t, len(s.entries), `"signature":"4oCU`, `"signature":"4oCV`)
	path := first.forged(t, s.lines(t), nil)
	if r := verdict(t, path, audit.VerifyOptions{Key: first.public}); r.OK || !has(r, "key_continuity") || has(r, audit.CodeSigner) {
		t.Errorf("%+v", r)
	}
	path = second.forged(t, s.lines(t), nil)
	if r := verdict(t, path, audit.VerifyOptions{Key: first.public}); r.OK || !has(r, audit.CodeSigner) {
		t.Errorf("%+v", r)
	}
}

// A replaced key is not accepted for a newer checkpoint, and a bundle without a
// checkpoint is not accepted if the auditor gives a key.
func TestKeysReplaced(t *testing.T) {
	h := begin(t)
	stolen, next := newSigner(t), newSigner(t)
	v, err := transparency.NewVerifier(next.public)
	historytest.Check(t, err)
	h.NextBoot()
	h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeCheckpoint, NewKey: v.BLAKE3(), By: "op", Reason: "stolen"})
	h.Stop()
	for _, tt := range []struct {
		name   string
		signer signer
		key    string
		ok     bool
	}{
		{"the new key", next, next.public, true},
		{"the old key", stolen, stolen.public, false},
		{"the old key, and nobody holds one", stolen, "", false},
		{"the new key, and the old one is held", next, stolen.public, false},
	} {
		r := verdict(t, write(t, tt.signer.bundle(t, h.Dir)), audit.VerifyOptions{Key: tt.key})
		if r.OK != tt.ok || has(r, audit.CodeSigner) == tt.ok {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
	b := takeApart(t, next.bundle(t, h.Dir))
	for _, name := range []string{"checkpoint", "keys/journal-sign.pub"} {
		b.remove(name)
	}
	b.files["bundle.json"] = bytes.Replace(b.files["bundle.json"], []byte(`"signed": true`), []byte(`"signed": false`), 1)
	path := write(t, b.pack(t))
	if r := verdict(t, path, audit.VerifyOptions{Key: next.public}); r.OK || !has(r, audit.CodeUnsigned) {
		t.Errorf("unsigned, and a key is held: %+v", r)
	}
	if r := verdict(t, path, audit.VerifyOptions{}); !r.OK || !has(r, audit.CodeUnsigned) {
		t.Errorf("unsigned: %+v", r)
	}
}

// No statement leads from a replaced key to the new one, so an auditor gives both.
// The old one is trusted only for the older checkpoint: a thief could sign a
// bundle without the replacement.
func TestKeysSeveral(t *testing.T) {
	h := begin(t)
	stolen, next := newSigner(t), newSigner(t)
	forged := write(t, stolen.bundle(t, h.Dir))
	older := filepath.Join(t.TempDir(), "older")
	historytest.Check(t, os.WriteFile(older, takeApart(t, stolen.bundle(t, h.Dir)).files["checkpoint"], 0o600))
	v, err := transparency.NewVerifier(next.public)
	historytest.Check(t, err)
	h.NextBoot()
	h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeCheckpoint, NewKey: v.BLAKE3(), By: "op", Reason: "stolen"})
	h.Stop()
	honest := write(t, next.bundle(t, h.Dir))
	newest := next.rotate(t, h)
	rotated := write(t, newest.bundle(t, h.Dir))
	both := stolen.public + "\n" + next.public
	for name, tt := range map[string]struct {
		path, key string
		ok        bool
		says      string
	}{
		"both":                            {honest, both, true, ""},
		"both, and one of them twice":     {honest, stolen.public + "\n" + both, true, ""},
		"both, and a rotation":            {rotated, both, true, ""},
		"the new one":                     {honest, next.public, false, "the older checkpoint is not signed by the given key"},
		"the old one":                     {honest, stolen.public, false, "the checkpoint is not signed by the given key"},
		"in the wrong order":              {honest, next.public + "\n" + stolen.public, false, "the last given key"},
		"a bundle by the thief":           {forged, both, false, "the last given key"},
		"three, and none was the older's": {rotated, next.public + "\n" + newest.public, false, "not signed by any given key"},
	} {
		r := verdict(t, tt.path, audit.VerifyOptions{Key: tt.key, Since: older})
		if r.OK != tt.ok || has(r, audit.CodeSigner) == tt.ok || !says(r, tt.says) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// says reports whether the detail of a finding contains text.
func says(r audit.Report, text string) bool {
	return text == "" || slices.ContainsFunc(r.Findings, func(f journal.Finding) bool { return strings.Contains(f.Detail, text) })
}
