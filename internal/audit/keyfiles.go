package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
)

// The bundle's keys lie there twice: as .pub, which we read, and as .pem,
// which openssl reads. An auditor who uses the second must not be led to
// another key than the one that was judged.

const manifestKeyPrefix = "keys/manifest-"

// isKeyFile reports whether a bundle's file is a key.
func isKeyFile(name string) bool {
	return strings.HasPrefix(name, "keys/") && (strings.HasSuffix(name, ".pem") || strings.HasSuffix(name, ".pub"))
}

// isManifestKey reports whether it is a key that a manifest was verified under.
func isManifestKey(name string) bool {
	_, ok := manifestKeyHash(name)
	return ok
}

// manifestKeyHash is the BLAKE3 that a manifest key is named by.
func manifestKeyHash(name string) (record.Hash, bool) {
	text, prefixed := strings.CutPrefix(name, manifestKeyPrefix)
	text, suffixed := strings.CutSuffix(text, ".pub")
	hash, err := record.ParseHash(text)
	return hash, prefixed && suffixed && err == nil
}

// pemFile is a key for openssl, until the .pub that it must be of comes: the
// files come in the order of their names, so that is soon.
type pemFile struct {
	name string
	text []byte
}

// takeKey holds the two files of each key against each other, and a manifest
// key against its name.
func (p *parts) takeKey(name string, text []byte) {
	if strings.HasSuffix(name, ".pem") {
		p.lonePEM()
		p.pem = pemFile{name, text}
		return
	}
	key := ed25519.PublicKey(text)
	if name == publicName {
		p.public, key = text, nil
		if v, err := transparency.NewVerifier(string(text)); err == nil {
			key = v.Key()
		} // otherwise who opens the checkpoint says so
	}
	if named, ok := manifestKeyHash(name); ok && named != record.HashOf(text) {
		p.bad(CodeKey, 0, "%s: its BLAKE3 is %s, which is not the one that it is named by", name, record.HashOf(text))
	}
	if p.pem.name != strings.TrimSuffix(name, ".pub")+".pem" {
		return // a key that openssl cannot use has none
	}
	if want, ok := publicPEM(key); !ok || !bytes.Equal(p.pem.text, want) {
		p.bad(CodeKey, 0, "%s is not of the key in %s: whoever checks with openssl is led to another", p.pem.name, name)
	}
	p.pem = pemFile{}
}

// lonePEM says that a .pem has no .pub beside it.
func (p *parts) lonePEM() {
	if p.pem.name != "" {
		p.bad(CodeKey, 0, "%s: there is no .pub beside it that it could be of", p.pem.name)
	}
	p.pem = pemFile{}
}

// publicAgrees holds the checkpoint key that came with the bundle against the
// checkpoint, also where the auditor holds another: check.sh and openssl take
// the one in the bundle.
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

// publicPEM is a key as openssl reads it; ok is false where it cannot.
func publicPEM(key ed25519.PublicKey) (text []byte, ok bool) {
	if len(key) != ed25519.PublicKeySize || signing.CheckPublic(key) != nil {
		return nil, false // a verdict says so; the raw key is there
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, false
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), true
}
