package nodeinit

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/stateroot"
)

// emptyManifest installs nothing. With its signature a first run succeeds.
const emptyManifest = `{
  "version": "1",
  "binary_path": "edged",
  "operations": []
}
`

// manifest makes the manifest keys and an empty signed manifest. The private key is where the
// gate never looks. On a real node it must not exist at all.
func (l *layout) manifest() error {
	if err := l.mkdir(dirDemo, 0o700); err != nil {
		return err
	}
	key, err := l.manifestKey()
	if err != nil {
		return err
	}
	if err := l.write(stateroot.Manifest, []byte(emptyManifest), 0o644, "a manifest with no operations"); err != nil {
		return err
	}
	there, err := l.exists(stateroot.ManifestSignature)
	if err != nil || there {
		l.done(stateroot.ManifestSignature, false, "")
		return err
	}
	// Only the manifest that init wrote itself is signed.
	body, _, err := durable.ReadFile(l.fs, stateroot.Manifest, manifest.MaxBytes)
	switch {
	case err != nil:
		return err
	case key == nil:
		l.skip(stateroot.ManifestSignature, "the private key is not here: sign the manifest where it is")
		return nil
	case !bytes.Equal(body, []byte(emptyManifest)):
		l.skip(stateroot.ManifestSignature, "init did not write the manifest: run edgectl manifest sign")
		return nil
	}
	return l.write(stateroot.ManifestSignature, ed25519.Sign(key, body), 0o644, "its signature")
}

// manifestKey makes the key pair, or reads an existing private half; it returns nil if only
// the public half exists.
func (l *layout) manifestKey() (ed25519.PrivateKey, error) {
	hasKey, hasPub, err := l.pair(fileSignKey, stateroot.ManifestVerifyKey)
	if err != nil {
		return nil, err
	}
	var key ed25519.PrivateKey
	switch {
	case hasKey:
		data, _, err := durable.ReadFile(l.fs, fileSignKey, signing.MaxKeyFile)
		if err != nil {
			return nil, err
		}
		if key, err = signing.ParsePrivate(data); err != nil {
			return nil, fmt.Errorf("%s: %w; move it away and run init again", fileSignKey, err)
		}
	case hasPub:
		l.skip(fileSignKey, "only the public half is here, and a new private half would not belong to it")
		l.done(stateroot.ManifestVerifyKey, false, "")
		return nil, nil
	default:
		if key, err = signing.Generate(); err != nil {
			return nil, fmt.Errorf("generate the manifest key: %w", err)
		}
	}
	if err := l.write(fileSignKey, key, 0o600, "signs manifests; for a real node keep it elsewhere"); err != nil {
		return nil, err
	}
	public := key.Public().(ed25519.PublicKey)
	if hasPub {
		found, _, err := durable.ReadFile(l.fs, stateroot.ManifestVerifyKey, signing.MaxKeyFile)
		if err != nil || !bytes.Equal(found, public) {
			l.items = append(l.items, Item{stateroot.ManifestVerifyKey, Kept, "it does not belong to " + fileSignKey})
			return nil, err
		}
	}
	return key, l.write(stateroot.ManifestVerifyKey, public, 0o644, "verifies manifests, BLAKE3 "+signing.Hash(public))
}
