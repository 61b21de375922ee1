package nodeinit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
)

// checkpointKey makes the key pair that signs checkpoints, in note's own text
// form.
//
// A checkpoint's origin is edged/<journal id>, which only the first record
// fixes; the key is older than that, and outlives a journal that is salvaged.
// So the key is named after the node: that is who signs, the origin is what.
func (l *layout) checkpointKey() error {
	hasKey, hasPub, err := l.pair(stateroot.CheckpointKey, stateroot.CheckpointPublic)
	if err != nil {
		return err
	}
	const noteKey, notePub = "signs checkpoints; keep it secret", "for auditors: verifies checkpoints"
	switch {
	case hasKey && hasPub:
		l.done(stateroot.CheckpointKey, false, "")
		l.done(stateroot.CheckpointPublic, false, "")
		return nil
	case hasPub:
		l.skip(stateroot.CheckpointKey, "the public half is here, the private one is elsewhere: a new one would not belong to it")
		l.done(stateroot.CheckpointPublic, false, "")
		return nil
	case hasKey:
		skey, _, err := durable.ReadFile(l.fs, stateroot.CheckpointKey, 4096)
		if err != nil {
			return err
		}
		vkey, err := publicHalf(strings.TrimSpace(string(skey)))
		if err != nil {
			l.done(stateroot.CheckpointKey, false, "")
			l.skip(stateroot.CheckpointPublic, "not made: the private half is not an Ed25519 note key")
			return nil
		}
		l.done(stateroot.CheckpointKey, false, "")
		return l.write(stateroot.CheckpointPublic, []byte(vkey+"\n"), 0o644, notePub)
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, l.node)
	if err != nil {
		return fmt.Errorf("generate the checkpoint key: %w", err)
	}
	// The private half first: the public one can be made from it.
	if err := l.write(stateroot.CheckpointKey, []byte(skey+"\n"), 0o600, noteKey); err != nil {
		return err
	}
	return l.write(stateroot.CheckpointPublic, []byte(vkey+"\n"), 0o644, notePub)
}

// publicHalf makes the verifier key of a signer key,
// PRIVATE+KEY+<name>+<key hash>+<base64 of a type byte, 1 for Ed25519, and the seed>.
func publicHalf(skey string) (string, error) {
	if _, err := note.NewSigner(skey); err != nil {
		return "", err
	}
	parts := strings.SplitN(skey, "+", 5)
	data, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(data) != 1+ed25519.SeedSize {
		return "", fmt.Errorf("not an Ed25519 key")
	}
	public := ed25519.NewKeyFromSeed(data[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(parts[2], public)
}
