package verify

import (
	"crypto/ed25519"
	"errors"
	"path"
	"strings"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// keyring holds the public keys of the history so far, by their BLAKE3: a
// statement of rotation names the old key by its hash only.
type keyring map[string]ed25519.PublicKey

func (k keyring) add(key ed25519.PublicKey) { k[digest.Of(key)] = key }

// manifest verifies the manifest, signature and key in a ManifestVerified.
func (f *Fold) manifest(seq uint64, p machine.ManifestVerified, before machine.State) {
	if sum := digest.Of(p.Manifest); sum != p.ManifestHash {
		f.bad(CodeManifest, seq, "the manifest's BLAKE3 is %s, but the event says %s", sum, p.ManifestHash)
	}
	if sum := digest.Of(p.Key); sum != p.KeyBLAKE3 {
		f.bad(CodeKey, seq, "the key's BLAKE3 is %s, but the event says %s", sum, p.KeyBLAKE3)
	}
	switch {
	case len(p.Key) != ed25519.PublicKeySize:
		f.bad(CodeSignature, seq, "the key has %d bytes, want %d", len(p.Key), ed25519.PublicKeySize)
	case len(p.Signature) != ed25519.SignatureSize:
		f.bad(CodeSignature, seq, "the signature has %d bytes, want %d", len(p.Signature), ed25519.SignatureSize)
	case errors.Is(signing.CheckPublic(p.Key), signing.ErrWeakKey):
		f.bad(CodeSignature, seq, "key %s: %v", p.KeyBLAKE3, signing.ErrWeakKey)
	case !signing.Verify(p.Key, p.Manifest, p.Signature):
		f.bad(CodeSignature, seq, "the signature over the manifest does not verify under key %s", p.KeyBLAKE3)
	default:
		f.keys.add(p.Key)
	}
	if !before.AcceptsManifestKey(p.KeyBLAKE3) {
		f.bad(CodeKey, seq, "the key is %s, but the last epoch was completed under %s, and no rotation or replacement leads from that key to this one",
			p.KeyBLAKE3, before.Keys.Manifest)
	}
	f.admit(seq, p, before)
}

// admit compares the event with the manifest that it carries. It does not check
// the expiry again, which depended on the clock.
func (f *Fold) admit(seq uint64, p machine.ManifestVerified, before machine.State) {
	m, err := manifest.Parse(p.Manifest)
	f.last, f.text = m, p.Manifest
	if err != nil {
		f.bad(CodeManifest, seq, "the manifest: %v", err)
		return
	}
	if len(m.Operations) != p.Operations {
		f.bad(CodeManifest, seq, "the manifest has %d operations, but the event says %d", len(m.Operations), p.Operations)
	}
	if !equal(m.Serial, p.Serial) {
		f.bad(CodeManifest, seq, "the manifest's serial is not the one in the event")
	}
	if err := m.Admit(manifest.Policy{SerialFloor: before.Serial}); err != nil {
		f.bad(CodeManifest, seq, "%v", err)
	}
}

func equal(a, b *int64) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// operation compares an applied operation with the manifest.
func (f *Fold) operation(seq uint64, p machine.OpApplied) {
	if f.last == nil || p.Index < 0 || p.Index >= len(f.last.Operations) {
		return // reported with the manifest, or by the machine
	}
	op := f.last.Operations[p.Index]
	switch {
	case op.Op != p.Op:
		f.bad(CodeOperation, seq, "operation %d of the manifest is %s, but %s was applied", p.Index, op.Op, p.Op)
	case !names(op.Dst, p.Dst):
		f.bad(CodeOperation, seq, "operation %d of the manifest writes %s, but %s was written", p.Index, op.Dst, p.Dst)
	case op.BLAKE3 != "" && op.BLAKE3 != p.BLAKE3:
		f.bad(CodeOperation, seq, "operation %d of the manifest pins %s, but %s was applied", p.Index, op.BLAKE3, p.BLAKE3)
	case p.HashPinned != (op.BLAKE3 != ""):
		f.bad(CodeOperation, seq, "operation %d: the event says hash_pinned %t, but the manifest says %t", p.Index, p.HashPinned, op.BLAKE3 != "")
	}
}

// names reports whether a manifest's path may be that of rel, a path relative to
// the state root. An absolute path need only end in it: the state root's own path
// is not known.
func names(written, rel string) bool {
	written = path.Clean(written)
	return written == rel || path.IsAbs(written) && strings.HasSuffix(written, "/"+rel)
}

// rotatedKey verifies the statement by which a key names its successor. Only the
// newest key may name one: a key that has named another, or was replaced, may
// not. The statement cannot be verified if the history does not hold the old
// public key, as after a salvage.
func (f *Fold) rotatedKey(seq uint64, p machine.KeyRotated, before machine.State) {
	if p.Purpose == machine.PurposeCheckpoint {
		f.rotatedCheckpointKey(seq, p, before)
		return
	}
	if !before.Keys.MayRotate(p.OldKey) {
		f.bad(CodeKey, seq, "the rotation to key %s is from key %s, but the newest was %s", p.NewKey, p.OldKey, before.Keys.Newest())
		return
	}
	old, ok := f.keys[p.OldKey]
	if !ok {
		f.found(journal.SeverityWarning, CodeKey, seq, "the rotation to key %s cannot be verified: this journal does not hold the old key %s", p.NewKey, p.OldKey)
		return
	}
	s, err := signing.VerifyStatement(old, p.Statement, p.Signature)
	switch {
	case err != nil:
		f.bad(CodeKey, seq, "the rotation to key %s: %v", p.NewKey, err)
	case s.NewKey != p.NewKey || s.Purpose != p.Purpose:
		f.bad(CodeKey, seq, "the statement names the %s key %s, but the event says %s key %s", s.Purpose, s.NewKey, p.Purpose, p.NewKey)
	case s.Journal != f.journal:
		f.bad(CodeKey, seq, "the statement that names key %s is for journal %s", p.NewKey, s.Journal)
	default:
		f.keys.add(s.NewPublic)
	}
}

// rotatedCheckpointKey verifies a statement that both keys have signed. The
// journal does not hold the first checkpoint key; the auditor must know it.
func (f *Fold) rotatedCheckpointKey(seq uint64, p machine.KeyRotated, before machine.State) {
	if _, err := transparency.ReadRotation(f.journal, p); err != nil {
		f.bad(CodeKey, seq, "the rotation to checkpoint key %s: %v", p.NewKey, err)
	}
	if known := before.Keys.Checkpoint; known != "" && known != p.OldKey {
		f.bad(CodeKey, seq, "the rotation to checkpoint key %s is from key %s, but key %s was in force", p.NewKey, p.OldKey, known)
	}
}
