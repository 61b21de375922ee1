package tlscert

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
)

// changes counts the operations of do that change the disk.
func changes(t *testing.T, disk *memfs.FS, do func() error) (at []int) {
	t.Helper()
	disk.SetHook(func(op memfs.Op) error {
		if op.Mutates {
			at = append(at, op.N)
		}
		return nil
	})
	if err := do(); err != nil {
		t.Fatal(err)
	}
	disk.SetHook(nil)
	return at
}

var errKilled = errors.New("the process was killed")

// crashes ends do before operation n and returns the disks that may be left: after a kill, with
// everything readable and nothing more flushed, and after a power cut.
func (f *fixture) crashes(disk *memfs.FS, n int, seeds uint64, do func() error) map[string]*memfs.FS {
	disk.SetHook(func(op memfs.Op) error {
		if op.N >= n {
			return errKilled
		}
		if f.fault != nil {
			return f.fault(op)
		}
		return nil
	})
	_ = do()
	disk.SetHook(nil)
	left := map[string]*memfs.FS{
		"killed": disk.Clone(), "none": disk.Crash(memfs.Crash{Keep: memfs.None}), "all": disk.Crash(memfs.Crash{Keep: memfs.All}),
	}
	for seed := range seeds {
		left[fmt.Sprint("random ", seed)] = disk.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed<<8 + uint64(n)})
	}
	return left
}

// TestCrash cuts the power at every operation of a rotation, and at every operation of the run
// after it. After a complete run the pair matches, the event is journaled exactly if the pair was
// replaced, the replaced pair is kept, and there is no other file.
func TestCrash(t *testing.T) {
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			f := makeFixture(t, s)
			whole := f.disk.Clone()
			at := changes(t, whole, func() error { return f.rotate(whole, func() {}) })
			if got, want := contents(t, whole), f.want(true); !maps.Equal(got, want) {
				t.Fatalf("without a crash there is\n%v\nwant\n%v", got, want)
			}
			points, replaced := 0, 0
			for _, n := range at {
				disk, journaled := f.disk.Clone(), false
				for kept, left := range f.crashes(disk, n, 16, func() error { return f.rotate(disk, func() { journaled = true }) }) {
					points++
					if f.finish(t, fmt.Sprintf("operation %d, kept %s", n, kept), left, journaled, strings.HasPrefix(kept, "random")) {
						replaced++
					}
				}
			}
			if points < 150 || replaced == 0 || replaced == points {
				t.Errorf("%d crash points, the pair was replaced after %d of them", points, replaced)
			}
			t.Logf("%d crash points", points)
		})
	}
}

// TestCrashWhileUndoing cuts the power while a failed replacement is being undone.
func TestCrashWhileUndoing(t *testing.T) {
	for _, s := range sites {
		for name, broken := range map[string]func(op memfs.Op) bool{
			"certificate": func(op memfs.Op) bool { return op.Kind == memfs.OpRename && op.New == s.cert },
			"key":         func(op memfs.Op) bool { return op.Kind == memfs.OpRename && op.New == s.key },
		} {
			for effect, err := range map[string]error{"": syscall.EIO, ", with effect": &memfs.After{Err: syscall.EIO}} {
				t.Run(s.name+", "+name+effect, func(t *testing.T) {
					f := makeFixture(t, s)
					once := true
					f.fault = func(op memfs.Op) error {
						if once && broken(op) {
							once = false
							return err
						}
						return nil
					}
					run := f.disk.Clone()
					var at []int
					run.SetHook(func(op memfs.Op) error {
						if op.Mutates {
							at = append(at, op.N)
						}
						return f.fault(op)
					})
					if err := f.rotate(run, func() { t.Error("journaled") }); !errors.Is(err, syscall.EIO) {
						t.Fatal(err)
					}
					run.SetHook(nil)
					if got := contents(t, run); !maps.Equal(got, f.want(false)) {
						t.Fatalf("there is\n%v", got)
					}
					for _, n := range at {
						disk := f.disk.Clone()
						once = true
						for kept, left := range f.crashes(disk, n, 16, func() error { return f.rotate(disk, func() { t.Error("journaled") }) }) {
							f.finish(t, fmt.Sprintf("operation %d, kept %s", n, kept), left, false, true)
						}
					}
				})
			}
		}
	}
}

// finish runs the gate over the disk that a crash left; deep also cuts the power in that run, at
// every operation. It reports whether the pair is the new one.
func (f *fixture) finish(t *testing.T, when string, left *memfs.FS, journaled, deep bool) bool {
	t.Helper()
	if !deep {
		run := left.Clone()
		for _, n := range changes(t, run, func() error { return f.nextRun(run, func(*Rotation) {}) }) {
			disk, again := left.Clone(), journaled
			for kept, left := range f.crashes(disk, n, 4, func() error { return f.nextRun(disk, func(*Rotation) { again = true }) }) {
				f.finish(t, fmt.Sprintf("%s, then operation %d, kept %s", when, n, kept), left, again, true)
			}
		}
	}
	if err := f.nextRun(left, func(r *Rotation) {
		journaled = true
		if r.OldSerial != f.r.OldSerial || r.NewSerial != f.r.NewSerial || !r.NotAfter.Equal(f.r.NotAfter) {
			t.Fatalf("%s: the event would be %+v", when, r)
		}
	}); err != nil {
		t.Fatalf("%s: the next run: %v", when, err)
	}
	if got, want := contents(t, left), f.want(journaled); !maps.Equal(got, want) {
		t.Fatalf("%s: journaled %t, there is\n%v\nwant\n%v", when, journaled, got, want)
	}
	f.load(t, left)
	return journaled
}

// TestFaults fails every operation once, with and without effect: either the old pair stays without
// any extra file, or the new one is in place.
func TestFaults(t *testing.T) {
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			f := makeFixture(t, s)
			run := f.disk.Clone()
			var all []int
			run.SetHook(func(op memfs.Op) error { all = append(all, op.N); return nil })
			if err := f.rotate(run, func() {}); err != nil {
				t.Fatal(err)
			}
			for _, n := range all {
				for _, fault := range []error{syscall.EIO, &memfs.After{Err: syscall.EIO}, &memfs.ShortWrite{N: 3, Err: syscall.ENOSPC}} {
					disk, journaled := f.disk.Clone(), false
					disk.SetHook(func(op memfs.Op) error {
						if op.N == n {
							return fault
						}
						return nil
					})
					err := f.rotate(disk, func() { journaled = true })
					disk.SetHook(nil)
					if err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC) {
						t.Fatalf("operation %d: %v", n, err)
					}
					var e *errs.Error
					if err != nil && (!errors.As(err, &e) || e.Path != "/"+f.cert && e.Path != "/"+f.key) {
						t.Fatalf("operation %d: %v", n, err)
					}
					// The next run removes the files that could not be removed.
					if err := f.nextRun(disk, func(*Rotation) {}); err != nil {
						t.Fatalf("operation %d: the next run: %v", n, err)
					}
					got := contents(t, disk)
					if !journaled && !maps.Equal(got, f.want(false)) {
						t.Fatalf("operation %d failed with %v: there is\n%v", n, err, slices.Sorted(maps.Keys(got)))
					}
					if journaled && (!strings.HasSuffix(got[f.cert], f.new[f.cert]) || !strings.HasSuffix(got[f.key], f.new[f.key])) {
						t.Fatalf("operation %d: journaled, but the pair is not the new one", n)
					}
				}
			}
		})
	}
}

// TestKeyMaterial: at no moment of a rotation, or of the run after a crash, are bytes of a key in
// another folder than the key's, or readable for others than the key's owner and mode permit.
func TestKeyMaterial(t *testing.T) {
	f := makeFixture(t, sites[1])
	secrets := []string{}
	for _, file := range []map[string]string{f.old, f.new} {
		block, _ := pem.Decode([]byte(file[f.key]))
		secrets = append(secrets, base64.StdEncoding.EncodeToString(block.Bytes)[60:90])
	}
	looked := 0
	look := func(disk *memfs.FS) func(memfs.Op) error {
		return func(op memfs.Op) error {
			for name, text := range contents(t, disk.Clone()) {
				flat := strings.ReplaceAll(text, "\n", "")
				if path.Dir(name) == path.Dir(f.key) && !strings.HasPrefix(text, "-rw-------") && !strings.HasPrefix(text, keyOwner.Mode.String()) {
					t.Errorf("before %s %s: others may open %s: %s", op.Kind, op.Name, name, text[:20])
				}
				for _, secret := range secrets {
					if !strings.Contains(flat, secret) {
						continue
					}
					looked++
					if path.Dir(name) != path.Dir(f.key) || !strings.HasPrefix(text, fmt.Sprintf("%v %d:%d\n", keyOwner.Mode, keyOwner.UID, keyOwner.GID)) {
						t.Errorf("before %s %s: %s holds a key: %s", op.Kind, op.Name, name, text[:20])
					}
				}
			}
			return nil
		}
	}
	run := f.disk.Clone()
	at := changes(t, run, func() error { return f.rotate(run, func() {}) })
	for _, n := range at {
		disk := f.disk.Clone()
		before := look(disk)
		disk.SetHook(func(op memfs.Op) error {
			if op.N == n {
				disk.Kill()
				return nil
			}
			return before(op)
		})
		_ = f.rotate(disk, func() {})
		left := disk.Crash(memfs.Crash{Keep: memfs.All})
		left.SetHook(look(left))
		if err := f.nextRun(left, func(*Rotation) {}); err != nil {
			t.Fatal(err)
		}
	}
	if looked < 1000 {
		t.Errorf("keys were found only %d times", looked)
	}
}
