package manifest

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/stateroot"
)

var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

// node lays out a state root with a signed manifest.
func node(t testing.TB, fsys durable.FS, body string) {
	t.Helper()
	for _, dir := range []string{stateroot.Identity, stateroot.Binaries} {
		if err := durable.MkdirAll(fsys, dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, fsys, stateroot.ManifestVerifyKey, signing.Public(testKey), 0o644)
	write(t, fsys, stateroot.Manifest, []byte(body), 0o644)
	write(t, fsys, stateroot.ManifestSignature, ed25519.Sign(testKey, []byte(body)), 0o644)
}

func write(t testing.TB, fsys durable.FS, name string, data []byte, perm fs.FileMode) {
	t.Helper()
	if err := durable.WriteFile(fsys, name, data, perm); err != nil {
		t.Fatal(err)
	}
}

func linux(t testing.TB) (*durable.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := durable.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root, dir
}

func wantCode(t *testing.T, err error, code Code, path string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code || e.Path != path {
		t.Errorf("%v, want %q at %s", err, code, path)
		return
	}
	if e.Message() != "precheck: "+string(code) || e.NextStep() == "" || e.Unwrap() == nil || !strings.Contains(e.Error(), path) {
		t.Errorf("%q %q %q", e.Message(), e.NextStep(), e.Error())
	}
}

func TestReadAndVerify(t *testing.T) {
	body := op(`,"blake3":"` + hash64 + `"`)
	root, _ := linux(t)
	for name, fsys := range map[string]durable.FS{"memfs": memfs.New(), "linux": root} {
		node(t, fsys, body)
		files, err := Read(fsys)
		if err != nil || string(files.Manifest) != body {
			t.Fatal(name, err)
		}
		m, err := files.Verify()
		if err != nil || len(m.Operations) != 1 {
			t.Error(name, err)
		}
	}
}

// TestReadOnce: each file is opened once, and nothing that happens to it
// afterwards changes what is verified and parsed.
func TestReadOnce(t *testing.T) {
	m := memfs.New()
	node(t, m, top(""))
	opened := map[string]int{}
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpOpen {
			opened[op.Name]++
		}
		return nil
	})
	files, err := Read(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{stateroot.ManifestVerifyKey, stateroot.Manifest, stateroot.ManifestSignature} {
		if opened[name] != 1 {
			t.Errorf("%s was opened %d times", name, opened[name])
		}
	}
	m.SetHook(nil)
	write(t, m, stateroot.Manifest, []byte(op("")), 0o644)
	if got, err := files.Verify(); err != nil || len(got.Operations) != 0 {
		t.Error("the manifest was read again:", err)
	}
}

func TestReadRefuses(t *testing.T) {
	key, man, sig := stateroot.ManifestVerifyKey, stateroot.Manifest, stateroot.ManifestSignature
	put := func(name string, data []byte, perm fs.FileMode) func(*testing.T, *memfs.FS) {
		return func(t *testing.T, m *memfs.FS) { write(t, m, name, data, perm) }
	}
	plant := func(name string, plant func(*memfs.FS, string) error) func(*testing.T, *memfs.FS) {
		return func(t *testing.T, m *memfs.FS) {
			if err := errors.Join(durable.RemoveAll(m, name), plant(m, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(m *memfs.FS, name string) error { return m.PlantSymlink(name, "x") }
	mkdir := func(m *memfs.FS, name string) error { return m.Mkdir(name, 0o755) }
	none := func(*memfs.FS, string) error { return nil }
	tests := []struct {
		name  string
		spoil func(*testing.T, *memfs.FS)
		code  Code
		path  string
		says  string
	}{
		{"key missing", plant(key, none), CodeKeyMissing, key, ""},
		{"identity missing", plant(stateroot.Identity, none), CodeKeyMissing, key, ""},
		{"key empty", put(key, nil, 0o644), CodeKeySize, key, "0 bytes, want 32"},
		{"key short", put(key, make([]byte, 31), 0o644), CodeKeySize, key, "31 bytes, want 32"},
		{"key long", put(key, make([]byte, 33), 0o644), CodeKeySize, key, "33 bytes, want 32"},
		{"key huge", put(key, make([]byte, 1<<20), 0o644), CodeKeySize, key, "1048576 bytes, want 32"},
		{"key world-writable", put(key, signing.Public(testKey), 0o646), CodeKeyWritable, key, "0646"},
		{"key link", plant(key, link), CodeKeyUnreadable, key, "symbolic link"},
		{"key fifo", plant(key, (*memfs.FS).PlantFIFO), CodeKeyUnreadable, key, "FIFO"},
		{"key device", plant(key, (*memfs.FS).PlantDevice), CodeKeyUnreadable, key, "device"},
		{"key directory", plant(key, mkdir), CodeKeyUnreadable, key, "directory"},
		{"identity link", plant(stateroot.Identity, link), CodeKeyUnreadable, key, "symbolic link"},
		{"manifest missing", plant(man, none), CodeMissing, man, ""},
		{"runtime missing", plant(stateroot.Runtime, none), CodeMissing, man, ""},
		{"manifest 32 KiB + 1", put(man, make([]byte, MaxBytes+1), 0o644), CodeTooLarge, man, "32769 bytes"},
		{"manifest link", plant(man, link), CodeUnreadable, man, "symbolic link"},
		{"manifest fifo", plant(man, (*memfs.FS).PlantFIFO), CodeUnreadable, man, "FIFO"},
		{"runtime link", plant(stateroot.Runtime, link), CodeUnreadable, man, "symbolic link"},
		{"signature missing", plant(sig, none), CodeSignatureMissing, sig, ""},
		{"signature short", put(sig, make([]byte, 63), 0o644), CodeSignatureSize, sig, "63 bytes, want 64"},
		{"signature long", put(sig, make([]byte, 65), 0o644), CodeSignatureSize, sig, "65 bytes, want 64"},
		{"signature link", plant(sig, link), CodeSigUnreadable, sig, "symbolic link"},
		{"signature device", plant(sig, (*memfs.FS).PlantDevice), CodeSigUnreadable, sig, "device"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := memfs.New()
			node(t, m, top(""))
			tt.spoil(t, m)
			files, err := Read(m)
			wantCode(t, err, tt.code, tt.path)
			if files != nil || err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}

// TestReadDiskErrors: an error of the disk is never taken for an absence.
func TestReadDiskErrors(t *testing.T) {
	for n := 1; ; n++ {
		m := memfs.New()
		node(t, m, top(""))
		before := m.Ops()
		m.SetHook(func(op memfs.Op) error {
			if op.N == before+n && op.Kind != memfs.OpClose {
				return syscall.EIO
			}
			return nil
		})
		_, err := Read(m)
		if m.Ops() < before+n {
			return
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || !errors.Is(err, syscall.EIO) ||
			e.Code != CodeKeyUnreadable && e.Code != CodeUnreadable && e.Code != CodeSigUnreadable) {
			t.Errorf("operation %d: %v", n, err)
		}
	}
}

// TestReadOnLinux: a FIFO does not hang the boot, a device is not read.
func TestReadOnLinux(t *testing.T) {
	for name, code := range map[string]Code{
		stateroot.ManifestVerifyKey: CodeKeyUnreadable, stateroot.Manifest: CodeUnreadable, stateroot.ManifestSignature: CodeSigUnreadable,
	} {
		root, dir := linux(t)
		node(t, root, top(""))
		at := filepath.Join(dir, name)
		for what, plant := range map[string]func() error{
			"fifo":    func() error { return unix.Mkfifo(at, 0o666) },
			"symlink": func() error { return os.Symlink("/dev/zero", at) },
			"sparse":  func() error { return errors.Join(os.WriteFile(at, nil, 0o644), os.Truncate(at, 10<<30)) },
		} {
			if err := errors.Join(os.Remove(at), plant()); err != nil {
				t.Fatal(err)
			}
			_, err := Read(root)
			var e *Error
			if !errors.As(err, &e) || e.Path != name || what != "sparse" && e.Code != code {
				t.Errorf("%s as %s: %v", name, what, err)
			}
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	body := []byte(top(""))
	other := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	good := Files{Manifest: body, Signature: ed25519.Sign(testKey, body), Key: signing.Public(testKey)}
	key, man, sig := stateroot.ManifestVerifyKey, stateroot.Manifest, stateroot.ManifestSignature
	tests := []struct {
		name  string
		spoil func(*Files)
		code  Code
		path  string
	}{
		{"another key's signature", func(f *Files) { f.Signature = ed25519.Sign(other, body) }, CodeSignature, sig},
		{"another key", func(f *Files) { f.Key = signing.Public(other) }, CodeSignature, sig},
		{"other bytes of the same meaning", func(f *Files) { f.Manifest = append([]byte(" "), body...) }, CodeSignature, sig},
		{"zeros", func(f *Files) { f.Signature = make([]byte, 64) }, CodeSignature, sig},
		{"nothing signed", func(f *Files) { f.Manifest = nil }, CodeSignature, sig},
		{"no signature", func(f *Files) { f.Signature = nil }, CodeSignatureSize, sig},
		{"long signature", func(f *Files) { f.Signature = make([]byte, 65) }, CodeSignatureSize, sig},
		{"no key", func(f *Files) { f.Key = nil }, CodeKeySize, key},
		{"key of zeros", func(f *Files) { f.Key = make([]byte, 32) }, CodeKeyWeak, key},
		{"signed, but no manifest", func(f *Files) {
			f.Manifest = []byte(`{"version":"1"}`)
			f.Signature = ed25519.Sign(testKey, f.Manifest)
		}, CodeMalformed, man},
	}
	for _, tt := range tests {
		f := good
		tt.spoil(&f)
		m, err := f.Verify()
		if m != nil {
			t.Errorf("%s: %+v", tt.name, m)
		}
		t.Run(tt.name, func(t *testing.T) { wantCode(t, err, tt.code, tt.path) })
	}
}

func FuzzSignature(f *testing.F) {
	body := []byte(top(""))
	f.Add(body, ed25519.Sign(testKey, body), []byte(signing.Public(testKey)))
	f.Add(body, []byte{}, []byte{})
	f.Add(body, make([]byte, 64), make([]byte, 32))
	f.Fuzz(func(t *testing.T, body, signature, key []byte) {
		m, err := (&Files{Manifest: body, Signature: signature, Key: key}).Verify()
		var e *Error
		if (m == nil) == (err == nil) || err != nil && !errors.As(err, &e) {
			t.Fatal(m, err)
		}
	})
}
