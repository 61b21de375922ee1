package tlscert

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

var errPower = errors.New("the power is gone")

// createUnflushed is host.Create without the flush, which these tests model
// and need not wait for.
func createUnflushed(path string, data []byte, o owner) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, adopt(f, o), f.Close())
}

// change is one mutation of the disk. Its paths are beneath the recorder's base.
type change struct {
	kind string // create, mkdir, symlink, rename, remove, sync
	a, b string
	data []byte
	o    owner
}

// recorder is the real disk with a log of every change, and a switch that
// fails one of them (once) or every one from a given one on (a crash).
type recorder struct {
	host
	log    []change
	failAt int // index of the change that fails; -1 for none
	crash  bool
}

func (r *recorder) do(c change, act func() error) error {
	n := len(r.log)
	r.log = append(r.log, c)
	if n == r.failAt || r.crash && r.failAt >= 0 && n > r.failAt {
		return errPower
	}
	return act()
}

func (r *recorder) Create(path string, data []byte, o owner) error {
	return r.do(change{kind: "create", a: path, data: data, o: o}, func() error { return createUnflushed(path, data, o) })
}

func (r *recorder) Mkdir(path string) error {
	return r.do(change{kind: "mkdir", a: path}, func() error { return r.host.Mkdir(path) })
}

func (r *recorder) Symlink(target, path string) error {
	return r.do(change{kind: "symlink", a: target, b: path}, func() error { return r.host.Symlink(target, path) })
}

func (r *recorder) Rename(from, to string) error {
	return r.do(change{kind: "rename", a: from, b: to}, func() error { return r.host.Rename(from, to) })
}

func (r *recorder) Remove(path string) error {
	return r.do(change{kind: "remove", a: path}, func() error { return r.host.Remove(path) })
}

func (r *recorder) SyncDir(path string) error {
	return r.do(change{kind: "sync", a: path}, func() error { _, err := os.Stat(path); return err })
}

// dir is the directory whose names the change touches. Every rename here is
// within one directory.
func (c change) dir() string {
	if c.kind == "symlink" {
		return filepath.Dir(c.b)
	}
	return filepath.Dir(c.a)
}

// replay does the change on another copy of the tree. A change that depends on
// one that was lost is lost too.
func (c change) replay(from, to string) {
	moved := func(path string) string { return strings.Replace(path, from, to, 1) }
	switch c.kind {
	case "create":
		_ = createUnflushed(moved(c.a), c.data, c.o)
	case "mkdir":
		_ = host{}.Mkdir(moved(c.a))
	case "symlink":
		_ = os.Symlink(moved(c.a), moved(c.b))
	case "rename":
		_ = os.Rename(moved(c.a), moved(c.b))
	case "remove":
		_ = os.Remove(moved(c.a))
	}
}

// afterPowerLoss gives, for the first n changes, every list of changes that
// the disk may hold: those that were flushed, with some of the others: none,
// all, each alone, all but each, and every beginning of them.
func afterPowerLoss(log []change, n int) [][]change {
	pending := []int{}
	for i, c := range log[:n] {
		if c.kind == "sync" {
			continue
		}
		flushed := false
		for _, later := range log[i+1 : n] {
			flushed = flushed || later.kind == "sync" && later.a == c.dir()
		}
		if !flushed {
			pending = append(pending, i)
		}
	}
	sets := map[string]map[int]bool{}
	add := func(kept ...int) {
		set, key := map[int]bool{}, make([]byte, n)
		for _, i := range kept {
			set[i] = true
			key[i] = 1
		}
		sets[string(key)] = set
	}
	for i := range pending {
		add(pending[:i]...)
		add(pending[i])
		add(append(append([]int{}, pending[:i]...), pending[i+1:]...)...)
	}
	add(pending...)
	lost := map[int]bool{}
	for _, i := range pending {
		lost[i] = true
	}
	var disks [][]change
	for _, kept := range sets {
		var disk []change
		for i, c := range log[:n] {
			if !lost[i] || kept[i] {
				disk = append(disk, c)
			}
		}
		disks = append(disks, disk)
	}
	return disks
}
