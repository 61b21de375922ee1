package audit

import (
	"strings"

	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
)

const manifestKeyPrefix = "keys/manifest-"

// manifestKeyName returns the name of a manifest key in a bundle.
func manifestKeyName(key []byte) string {
	return manifestKeyPrefix + record.HashOf(key).String() + ".pub"
}

// isManifestKey reports whether name is that of a manifest key in a bundle.
func isManifestKey(name string) bool {
	text, ok := strings.CutPrefix(name, manifestKeyPrefix)
	_, err := record.ParseHash(strings.TrimSuffix(text, ".pub"))
	return ok && err == nil && strings.HasSuffix(text, ".pub")
}

// publicAgrees checks that the checkpoint verifies under the key in the bundle,
// even if the auditor holds another key: other programs use the one in the
// bundle.
func (a *auditor) publicAgrees(p *contents) {
	switch {
	case p.checkpoint == nil && p.public == nil, a.report.Key == KeyBundled: // the checkpoint was verified under this key
		return
	case p.checkpoint == nil:
		a.bad(CodeKey, 0, "the bundle holds %s, but no checkpoint", publicName)
		return
	case p.public == nil:
		a.bad(CodeAbsent, 0, "the bundle holds a checkpoint, but no %s", publicName)
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
