package audit

import (
	"strings"

	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
)

const manifestKeyPrefix = "keys/manifest-"

// manifestKeyName is the name of a key that a manifest was verified under.
func manifestKeyName(key []byte) string {
	return manifestKeyPrefix + record.HashOf(key).String() + ".pub"
}

// isManifestKey reports whether a bundle's file can be such a key.
func isManifestKey(name string) bool {
	text, ok := strings.CutPrefix(name, manifestKeyPrefix)
	_, err := record.ParseHash(strings.TrimSuffix(text, ".pub"))
	return ok && err == nil && strings.HasSuffix(text, ".pub")
}

// publicAgrees holds the checkpoint key that came with the bundle against the
// checkpoint, also if the auditor holds another key: other programs take the
// one in the bundle.
func (a *auditor) publicAgrees(p *parts) {
	switch {
	case p.checkpoint == nil && p.public == nil, a.report.Key == KeyBundled: // the checkpoint's own verdict was under this key
		return
	case p.checkpoint == nil:
		a.bad(CodeKey, 0, "%s: the bundle holds no checkpoint that it could have signed", publicName)
		return
	case p.public == nil:
		a.bad(CodeAbsent, 0, "the bundle holds no %s, which must verify its checkpoint", publicName)
		return
	}
	v, err := transparency.NewVerifier(string(p.public))
	if err != nil {
		a.bad(CodeKey, 0, "%s: %v", publicName, err)
		return
	}
	if _, _, err := transparency.Open(p.checkpoint, v); err != nil {
		a.bad(CodeKey, 0, "%s did not sign the checkpoint: %v", publicName, err)
	}
}
