package operation

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

func TestDiffers(t *testing.T) {
	const same = "new bytes"
	for _, tt := range []struct {
		name    string
		edit    func(p *Planned, root *durable.Root, dir string)
		differs bool
	}{
		{"absent", func(*Planned, *durable.Root, string) {}, false},
		{"its folder absent", func(p *Planned, _ *durable.Root, _ string) { p.Dst = "no/such/app" }, false},
		{"as the source", func(_ *Planned, r *durable.Root, _ string) { put(t, r, "bin/app", same, 0o755) }, false},
		{"other content", func(_ *Planned, r *durable.Root, _ string) { put(t, r, "bin/app", "old bytes", 0o755) }, true},
		{"another mode", func(_ *Planned, r *durable.Root, _ string) { put(t, r, "bin/app", same, 0o700) }, true},
		{"a second name", func(_ *Planned, r *durable.Root, dir string) {
			put(t, r, "bin/app", same, 0o755)
			check(t, os.Link(filepath.Join(dir, "bin/app"), filepath.Join(dir, "another")))
		}, true},
		{"a folder", func(_ *Planned, r *durable.Root, _ string) { check(t, r.Mkdir("bin/app", 0o755)) }, true},
		{"a link to the same", func(_ *Planned, _ *durable.Root, dir string) {
			check(t, os.Symlink("../runtime/binaries/app", filepath.Join(dir, "bin/app")))
		}, true},
		{"a link on the way", func(p *Planned, _ *durable.Root, dir string) {
			check(t, os.Symlink("bin", filepath.Join(dir, "linked")))
			p.Dst = "linked/app"
		}, true},
		{"a file on the way", func(p *Planned, r *durable.Root, _ string) {
			put(t, r, "file", "", 0o644)
			p.Dst = "file/app"
		}, true},
		{"nothing to compare with", func(_ *Planned, r *durable.Root, _ string) {
			put(t, r, "bin/app", same, 0o755)
			check(t, r.Remove("runtime/binaries/app"))
		}, true},
		{"as pinned", func(p *Planned, r *durable.Root, _ string) {
			put(t, r, "bin/app", "pinned", 0o755)
			p.BLAKE3 = sumOf("pinned")
		}, false},
		{"as pinned, without a source", func(p *Planned, r *durable.Root, _ string) {
			put(t, r, "bin/app", "pinned", 0o755)
			p.BLAKE3 = sumOf("pinned")
			check(t, r.Remove("runtime/binaries/app"))
		}, false},
		{"as the source, pinned is another", func(p *Planned, r *durable.Root, _ string) {
			put(t, r, "bin/app", same, 0o755)
			p.BLAKE3 = sumOf("pinned")
		}, true},
		{"as pinned, with a second name", func(p *Planned, r *durable.Root, dir string) {
			put(t, r, "bin/app", "pinned", 0o755)
			p.BLAKE3 = sumOf("pinned")
			check(t, os.Link(filepath.Join(dir, "bin/app"), filepath.Join(dir, "another")))
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, dir := newLinux(t)
			p := copyApp()
			tt.edit(&p, root, dir)
			if got, err := Differs(root, p); err != nil || got != tt.differs {
				t.Errorf("%t, %v, want %t", got, err, tt.differs)
			}
		})
	}
}

func TestDiffersDiskError(t *testing.T) {
	m := newDisk(t)
	put(t, m, "bin/app", "new bytes", 0o755)
	m.SetHook(func(op memfs.Op) error { return syscall.EIO })
	if _, err := Differs(m, copyApp()); !errors.Is(err, syscall.EIO) {
		t.Errorf("%v", err)
	}
}
