package manifest

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/stateroot"
)

// Files are manifest, signature and verify key exactly as read.
type Files struct {
	Manifest  []byte
	Signature []byte
	Key       ed25519.PublicKey
}

// Read reads the three files below the state root, each once. The error is
// an *Error. The key is read first: without one nothing else is needed.
func Read(fsys durable.FS) (*Files, error) {
	key, info, err := readExactly(fsys, stateroot.ManifestVerifyKey, ed25519.PublicKeySize, codes{CodeKeyMissing, CodeKeySize, CodeKeyUnreadable})
	if err != nil {
		return nil, err
	}
	if info.Mode.Perm()&0o002 != 0 {
		return nil, &Error{CodeKeyWritable, stateroot.ManifestVerifyKey, fmt.Errorf("its mode is %04o", info.Mode.Perm())}
	}
	body, _, err := readAtMost(fsys, stateroot.Manifest, MaxBytes, codes{CodeMissing, CodeTooLarge, CodeUnreadable})
	if err != nil {
		return nil, err
	}
	sig, _, err := readExactly(fsys, stateroot.ManifestSignature, ed25519.SignatureSize, codes{CodeSignatureMissing, CodeSignatureSize, CodeSigUnreadable})
	if err != nil {
		return nil, err
	}
	return &Files{Manifest: body, Signature: sig, Key: key}, nil
}

// codes are the codes of the failures of reading one file.
type codes struct{ missing, size, unreadable Code }

func readAtMost(fsys durable.FS, name string, limit int64, c codes) ([]byte, durable.Info, error) {
	data, info, err := durable.ReadFile(fsys, name, limit)
	switch {
	case err == nil:
		return data, info, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, info, &Error{c.missing, name, err}
	case errors.Is(err, durable.ErrTooLarge):
		return nil, info, &Error{c.size, name, fmt.Errorf("%d bytes: %w", info.Size, err)}
	}
	return nil, info, &Error{c.unreadable, name, err}
}

// readExactly reads a file of exactly size bytes.
func readExactly(fsys durable.FS, name string, size int, c codes) ([]byte, durable.Info, error) {
	data, info, err := readAtMost(fsys, name, int64(size), c)
	switch {
	case errors.Is(err, durable.ErrTooLarge):
		return nil, info, &Error{c.size, name, fmt.Errorf("%d bytes, want %d: %w", info.Size, size, durable.ErrTooLarge)}
	case err != nil:
		return nil, info, err
	case len(data) != size:
		return nil, info, &Error{c.size, name, fmt.Errorf("%d bytes, want %d", len(data), size)}
	}
	return data, info, nil
}

// Verify checks the signature over the bytes read and parses those same bytes.
// The error is an *Error.
func (f *Files) Verify() (*Manifest, error) {
	// A caller may have filled in Files without Read.
	switch err := signing.CheckPublic(f.Key); {
	case errors.Is(err, signing.ErrWeakKey):
		return nil, &Error{CodeKeyWeak, stateroot.ManifestVerifyKey, err}
	case err != nil:
		return nil, &Error{CodeKeySize, stateroot.ManifestVerifyKey, err}
	case len(f.Signature) != ed25519.SignatureSize:
		return nil, &Error{CodeSignatureSize, stateroot.ManifestSignature, fmt.Errorf("%d bytes, want %d", len(f.Signature), ed25519.SignatureSize)}
	case !signing.Verify(f.Key, f.Manifest, f.Signature):
		return nil, &Error{CodeSignature, stateroot.ManifestSignature,
			errors.New("the signature is not one of these bytes under the verify key")}
	}
	m, err := Parse(f.Manifest)
	if err != nil {
		return nil, &Error{CodeMalformed, stateroot.Manifest, err}
	}
	return m, nil
}
