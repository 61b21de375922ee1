package manifest

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
)

// Files are manifest, signature and verify key exactly as read.
type Files struct {
	Manifest  []byte
	Signature []byte
	Key       ed25519.PublicKey
}

// Read reads the three files beneath the state root, each once. The error is
// an *Error. The key comes first: without one nothing else is worth reading.
func Read(fsys durable.FS) (*Files, error) {
	key, info, err := readAtMost(fsys, stateroot.ManifestVerifyKey, ed25519.PublicKeySize, CodeKeyMissing, CodeKeySize, CodeKeyUnreadable)
	if err != nil {
		return nil, err
	}
	if len(key) != ed25519.PublicKeySize {
		return nil, &Error{CodeKeySize, stateroot.ManifestVerifyKey, fmt.Errorf("%d bytes, want %d", len(key), ed25519.PublicKeySize)}
	}
	if info.Mode.Perm()&0o002 != 0 {
		return nil, &Error{CodeKeyWritable, stateroot.ManifestVerifyKey, fmt.Errorf("its mode is %04o", info.Mode.Perm())}
	}
	body, _, err := readAtMost(fsys, stateroot.Manifest, MaxBytes, CodeMissing, CodeTooLarge, CodeUnreadable)
	if err != nil {
		return nil, err
	}
	sig, _, err := readAtMost(fsys, stateroot.ManifestSignature, ed25519.SignatureSize, CodeSignatureMissing, CodeSignatureSize, CodeSigUnreadable)
	if err != nil {
		return nil, err
	}
	if len(sig) != ed25519.SignatureSize {
		return nil, &Error{CodeSignatureSize, stateroot.ManifestSignature, fmt.Errorf("%d bytes, want %d", len(sig), ed25519.SignatureSize)}
	}
	return &Files{Manifest: body, Signature: sig, Key: key}, nil
}

func readAtMost(fsys durable.FS, name string, limit int64, missing, tooLarge, unreadable Code) ([]byte, durable.Info, error) {
	data, info, err := durable.ReadFile(fsys, name, limit)
	switch {
	case err == nil:
		return data, info, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, info, &Error{missing, name, err}
	case errors.Is(err, durable.ErrTooLarge):
		return nil, info, &Error{tooLarge, name, err}
	}
	return nil, info, &Error{unreadable, name, err}
}

// Verify checks the signature over the bytes read and parses those same bytes.
// The error is an *Error.
func (f *Files) Verify() (*Manifest, error) {
	if !ed25519.Verify(f.Key, f.Manifest, f.Signature) {
		return nil, &Error{CodeSignature, stateroot.ManifestSignature,
			errors.New("the signature is not one of these bytes under the verify key")}
	}
	m, err := Parse(f.Manifest)
	if err != nil {
		return nil, &Error{CodeMalformed, stateroot.Manifest, err}
	}
	return m, nil
}
