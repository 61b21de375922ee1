package operation

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/stateroot"
)

func sumOf(data string) string {
	s := blake3.Sum256([]byte(data))
	return hex.EncodeToString(s[:])
}

func check(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// lay creates the source folders and two sources on a disk.
func lay(t testing.TB, fsys durable.FS) {
	t.Helper()
	check(t, durable.MkdirAll(fsys, stateroot.Binaries, 0o755), durable.MkdirAll(fsys, stateroot.Bootstrap, 0o755),
		durable.MkdirAll(fsys, "bin", 0o755))
	put(t, fsys, "runtime/binaries/app", "new bytes", 0o755)
	put(t, fsys, "bootstrap/config.yaml", "a: b\n", 0o640)
}

func put(t testing.TB, fsys durable.FS, name, text string, perm fs.FileMode) {
	t.Helper()
	check(t, durable.WriteFile(fsys, name, []byte(text), perm))
}

// text returns a file's content, or the error.
func text(fsys durable.FS, name string) string {
	data, _, err := durable.ReadFile(fsys, name, 1<<28)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "absent"
	case err != nil:
		return err.Error()
	}
	return string(data)
}

func newDisk(t testing.TB) *memfs.FS {
	m := memfs.New()
	lay(t, m)
	return m
}

func newLinux(t testing.TB) (*durable.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := durable.OpenRoot(dir)
	check(t, err)
	t.Cleanup(func() { _ = root.Close() })
	lay(t, root)
	return root, dir
}

// copyApp installs the source app at bin/app.
func copyApp() Planned {
	return Planned{Op: manifest.CopyBinary, Src: "runtime/binaries/app", Dst: "bin/app", Mode: 0o755}
}

func manifestOf(ops ...manifest.Operation) *manifest.Manifest {
	return &manifest.Manifest{Version: "1", Operations: ops}
}

func binaryOp(src, dst string) manifest.Operation {
	return manifest.Operation{Op: manifest.CopyBinary, Src: src, Dst: dst}
}
