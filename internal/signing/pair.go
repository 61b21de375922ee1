package signing

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
)

// Names of a manifest key pair's files.
const (
	VerifyKeyName = "manifest-verify.pub"
	SignKeyName   = "manifest-verify.key"
)

// ErrExists: a file of the pair exists. A key is never overwritten.
var ErrExists = errors.New("a key exists; choose another directory, or move the key away")

// WriteKeyPair writes a key pair into an existing directory: the private half with mode 0600,
// the public one with 0644, both durably. The private half is written first, because the
// public one can be made from it. Nothing is ever overwritten, even by two calls at once. The
// error is ErrExists or the disk's.
func WriteKeyPair(dir string, key ed25519.PrivateKey) error {
	root, err := durable.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write key pair: %w", err)
	}
	defer func() { _ = root.Close() }() // everything written was flushed
	return writeKeyPair(root, key)
}

func writeKeyPair(fsys durable.FS, key ed25519.PrivateKey) error {
	if len(key) != ed25519.PrivateKeySize {
		return fmt.Errorf("write key pair: %w: %d bytes, want %d", ErrKey, len(key), ed25519.PrivateKeySize)
	}
	for _, name := range []string{SignKeyName, VerifyKeyName} {
		if _, err := fsys.Lstat(name); err == nil {
			return fmt.Errorf("write key pair: %s: %w", name, ErrExists)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write key pair: %w", err)
		}
	}
	if err := writeNew(fsys, SignKeyName, key, 0o600); err != nil {
		return fmt.Errorf("write key pair: %w", err)
	}
	if err := writeNew(fsys, VerifyKeyName, Public(key), 0o644); err != nil {
		// Half a pair would make the next attempt fail.
		return fmt.Errorf("write key pair: %w", errors.Join(err, fsys.Remove(SignKeyName)))
	}
	if err := fsys.SyncDir("."); err != nil {
		return fmt.Errorf("write key pair: %w", err)
	}
	return nil
}

// writeNew makes a file that must not exist yet, and flushes it. After an error it removes the
// file.
func writeNew(fsys durable.FS, name string, data []byte, perm fs.FileMode) error {
	f, err := fsys.Create(name, perm)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", name, ErrExists)
	}
	if err != nil {
		return err
	}
	if err := durable.Fill(f, data); err != nil {
		return errors.Join(err, fsys.Remove(name))
	}
	return nil
}
