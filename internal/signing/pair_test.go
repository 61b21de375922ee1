package signing

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

func TestWriteKeyPair(t *testing.T) {
	dir, key := t.TempDir(), testKey(t)
	if err := WriteKeyPair(dir, key); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		mode fs.FileMode
		data []byte
	}{SignKeyName: {0o600, key}, VerifyKeyName: {0o644, Public(key)}} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want.mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(data, want.data) {
			t.Errorf("%s: %x, %v", name, data, err)
		}
	}
	if err := WriteKeyPair(dir, testKey(t)); !errors.Is(err, ErrExists) {
		t.Error("overwritten:", err)
	}
	for _, name := range []string{SignKeyName, VerifyKeyName} { // one alone is enough
		dir := t.TempDir()
		if err := os.Symlink("nowhere", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := WriteKeyPair(dir, key); !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Error("half a pair was written:", entries)
		}
	}
	if err := WriteKeyPair(filepath.Join(dir, "missing"), key); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := WriteKeyPair(t.TempDir(), key[:32]); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
}

// TestWriteKeyPairFails fails each operation in turn: no half pair stays
// behind, and where the disk recovers the next attempt succeeds.
func TestWriteKeyPairFails(t *testing.T) {
	key := testKey(t)
	for n := 1; ; n++ {
		m := memfs.New()
		m.SetHook(func(op memfs.Op) error {
			if op.N == n {
				return syscall.EIO
			}
			return nil
		})
		err := writeKeyPair(m, key)
		if m.Ops() < n {
			if n < 10 {
				t.Errorf("only %d operations", n)
			}
			return
		}
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("operation %d: %v", n, err)
		}
		m.SetHook(nil)
		tree := m.Dump()
		if _, half := tree[SignKeyName]; half && len(tree) != 2 || len(tree) == 1 {
			t.Errorf("operation %d: %v", n, tree)
		}
		if len(tree) == 0 {
			if err := writeKeyPair(m, key); err != nil {
				t.Errorf("operation %d, then: %v", n, err)
			}
		}
	}
}

// TestWriteKeyPairRaced: another file appears between the look and the write.
func TestWriteKeyPairRaced(t *testing.T) {
	for _, name := range []string{SignKeyName, VerifyKeyName} {
		m := memfs.New()
		m.SetHook(func(op memfs.Op) error {
			if op.Kind == memfs.OpCreate && op.Name == name {
				return syscall.EEXIST
			}
			return nil
		})
		if err := writeKeyPair(m, testKey(t)); !errors.Is(err, ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
		if tree := m.Dump(); len(tree) != 0 {
			t.Error(tree)
		}
	}
}

// TestWriteKeyPairCrash: what WriteKeyPair reported is there after a crash.
func TestWriteKeyPairCrash(t *testing.T) {
	m, key := memfs.New(), testKey(t)
	if err := writeKeyPair(m, key); err != nil {
		t.Fatal(err)
	}
	disk := m.Crash(memfs.Crash{Keep: memfs.None})
	if data, _, err := durable.ReadFile(disk, SignKeyName, MaxKeyFile); err != nil || !bytes.Equal(data, key) {
		t.Error(err)
	}
	if data, info, err := durable.ReadFile(disk, VerifyKeyName, MaxKeyFile); err != nil || !bytes.Equal(data, Public(key)) || info.Mode != 0o644 {
		t.Error(err, info)
	}
}
