package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// references are the programs against which the gate is measured, and peak.
var references = []string{"f0", "f1", "pebble", "bbolt", "sqlite", "peak"}

// reference returns the path of a reference program.
func (b *bench) reference(name string) string { return filepath.Join(b.dir, "reference", name) }

// buildReferences builds the references as the product is built: static and stripped.
func (b *bench) buildReferences() error {
	for _, name := range references {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", b.reference(name), "./reference/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build reference program %s: %w: %s", name, err, out)
		}
	}
	return nil
}

// storeBoots is the number of times that a store of P, B or S is opened, appended to and closed before it is
// measured: the number of boots of the node with which it is compared.
const storeBoots = 10

// store is a reference program that keeps a store.
type store struct {
	b    *bench
	name string // of the reference program
	path string // of its store in a directory
}

// fresh returns, for each round of the measurement of that name, a copy of one store that storeBoots earlier runs
// left. So every round opens a directory in the same state; otherwise P's files would accumulate from round to round
// and slow it down. The copies are made and flushed before the first round.
func (s store) fresh(name string, rounds int) (func(int) (command, error), error) {
	home := filepath.Join(s.b.dir, name+"-"+s.name)
	origin := filepath.Join(home, "origin")
	if err := os.MkdirAll(origin, 0o755); err != nil {
		return nil, err
	}
	for range storeBoots {
		if _, err := s.command(origin).run(); err != nil {
			return nil, err
		}
	}
	dirs := make([]string, rounds+warmUps)
	for i := range dirs {
		dirs[i] = filepath.Join(home, strconv.Itoa(i))
		if err := os.CopyFS(dirs[i], os.DirFS(origin)); err != nil {
			return nil, err
		}
	}
	return func(round int) (command, error) { return s.command(dirs[round]), nil }, flush(home)
}

func (s store) command(dir string) command {
	return command{args: []string{s.b.reference(s.name), filepath.Join(dir, s.path)}}
}

// flush flushes the filesystem of path, so that no measurement pays for its preparation.
func flush(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // only read
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: path, Err: err}
	}
	return nil
}
