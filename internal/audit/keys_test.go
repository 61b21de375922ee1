package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/evidence"
	"github.com/autonomyops/edged/internal/evidence/evidencetest"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/machine"
)

// rotate journals that the next key follows this one.
func (s signer) rotate(t *testing.T, h *evidencetest.History) signer {
	t.Helper()
	next := newSigner(t)
	old, err := transparency.NewSigner(s.private)
	evidencetest.Check(t, err)
	key, err := transparency.NewSigner(next.private)
	evidencetest.Check(t, err)
	event, err := transparency.Rotate(h.State.Journal, old, key)
	evidencetest.Check(t, err)
	h.NextBoot()
	h.Append(event)
	h.Rest()
	return next
}

// An auditor who holds only the first key can verify the newest checkpoint,
// and one who holds a checkpoint of the first key can compare with it.
func TestKeysFollowed(t *testing.T) {
	h := begin(t)
	first := newSigner(t)
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	src, err := evidence.Open(h.Dir)
	evidencetest.Check(t, err)
	evidencetest.Check(t, os.WriteFile(checkpoint, first.checkpoint(t, src, 13), 0o600))
	evidencetest.Check(t, src.Close())
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
	// A key that leads nowhere, and one that was replaced.
	if r := verdict(t, path, audit.VerifyOptions{Key: newSigner(t).public}); r.OK || !has(r, audit.CodeSigner) {
		t.Errorf("another key: %+v", r)
	}
	for name, old := range map[string]signer{"first": first, "second": second} {
		if r := verdict(t, write(t, old.bundle(t, h.Dir)), audit.VerifyOptions{Key: first.public}); r.OK || !has(r, audit.CodeSigner) {
			t.Errorf("signed by the %s key after it was replaced: %+v", name, r)
		}
	}
}

// A statement that does not hold leads nowhere, and is found.
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

// A key that was replaced signs for nothing any more, and an auditor's key for
// no bundle without a checkpoint.
func TestKeysReplaced(t *testing.T) {
	h := begin(t)
	stolen, next := newSigner(t), newSigner(t)
	v, err := transparency.NewVerifier(next.public)
	evidencetest.Check(t, err)
	h.NextBoot()
	h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeCheckpoint, NewKey: v.BLAKE3(), By: "op", Reason: "stolen"})
	h.Rest()
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
	b.remove("checkpoint")
	b.files["bundle.json"] = bytes.Replace(b.files["bundle.json"], []byte(`"signed": true`), []byte(`"signed": false`), 1)
	path := write(t, b.pack(t))
	if r := verdict(t, path, audit.VerifyOptions{Key: next.public}); r.OK || !has(r, audit.CodeUnsigned) {
		t.Errorf("unsigned, and a key is held: %+v", r)
	}
	if r := verdict(t, path, audit.VerifyOptions{}); !r.OK || !has(r, audit.CodeUnsigned) {
		t.Errorf("unsigned: %+v", r)
	}
}
