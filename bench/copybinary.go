package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// copyBinary measures a reconstruction of one copy_binary against `cp` and `sync` of the same file on the
// same disk. Both start without a destination and with the source in the page cache.
func (b *bench) copyBinary() ([]row, error) {
	measure := fmt.Sprintf("copy_binary of %d MiB, hashed and flushed ÷ cp + sync", b.copyMiB)
	n, err := b.copyingNode()
	if err != nil {
		return nil, err
	}
	src, installed := filepath.Join(n.dir, "runtime/binaries/payload"), filepath.Join(n.dir, "runtime/payload")
	plain := filepath.Join(b.dir, "payload")
	other := false
	took, err := interleave(b.runs,
		subject{"copy_binary", func(int) (command, error) {
			other = !other
			c := n.boot()
			c.otherOS = other
			return c, b.without(installed)
		}},
		subject{"cp", func(int) (command, error) {
			return command{args: []string{"/bin/sh", "-c", `cp "$1" "$2" && sync "$2"`, "sh", src, plain}}, b.without(plain)
		}})
	if err != nil {
		return nil, err
	}
	if same, err := sameSize(src, installed, plain); err != nil || !same {
		return nil, errors.Join(err, errors.New("the copies are not of the source's size"))
	}
	c, cp := took["copy_binary"], took["cp"]
	mibs := float64(b.copyMiB) / c.seconds()
	return []row{measured(measure, atMost(1.0, ""), c.over(cp),
			fmt.Sprintf("medians: %.2f s (%.0f MiB/s) and %.2f s; the whole reconstruction, content pinned; `cp SRC DST && sync DST`", c.seconds(), mibs, cp.seconds()))},
		errors.Join(n.remove(), os.Remove(plain))
}

// copyingNode is a node whose signed manifest installs one file of random
// bytes.
func (b *bench) copyingNode() (*node, error) {
	n, err := b.newNode("copy")
	if err != nil {
		return nil, err
	}
	if err := writeRandom(filepath.Join(n.dir, "runtime/binaries/payload"), int64(b.copyMiB)<<20); err != nil {
		return nil, err
	}
	manifest := filepath.Join(n.dir, "runtime/manifest.json")
	for _, old := range []string{manifest, manifest + ".sig"} {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	for _, c := range []command{
		n.edgectl("manifest", "new", "--copy-binary", "payload:runtime/payload", "--out", manifest),
		n.edgectl("manifest", "sign", manifest, "--key", filepath.Join(n.dir, "demo/manifest-verify.key")),
		n.boot(),
	} {
		if _, err := c.run(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// without removes a file and flushes the filesystem.
func (b *bench) without(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return flush(b.dir)
}

// writeRandom writes a file that no filesystem can compress.
func writeRandom(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{}), size)
	return errors.Join(err, f.Close())
}

func sameSize(paths ...string) (bool, error) {
	var size int64
	for i, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return false, err
		}
		if i > 0 && info.Size() != size {
			return false, nil
		}
		size = info.Size()
	}
	return true, nil
}
