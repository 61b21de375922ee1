package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/hub/bucket"
)

// script is what a hub writes in the crash tests. Each step returns after its content
// is durable.
type script struct {
	s     *bucket.Folder
	ctx   context.Context
	acked map[string]string // by name, "" if it was deleted
	doing string            // the name that is being written
	err   error
}

func (r *script) step(name, data string, write func() error) {
	if r.err != nil {
		return
	}
	r.doing = name
	if r.err = write(); r.err == nil {
		r.acked[name], r.doing = data, ""
	}
}

func (r *script) put(name, data string) {
	r.step(name, data, func() error { return r.s.Put(r.ctx, name, []byte(data)) })
}

func (r *script) swap(name, data string) {
	r.step(name, data, func() error {
		_, v, err := r.s.Get(r.ctx, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return r.s.Swap(r.ctx, name, []byte(data), v)
	})
}

func (r *script) run() {
	r.put("records/1", "run 1")
	r.swap("heads/x", "head 1")
	r.put("keys/x/y/1", "key 1")
	r.put("records/2", "run 2")
	r.swap("heads/x", "head 2")
	r.step("records/1", "", func() error { return r.s.Delete(r.ctx, "records/1") })
	r.swap("heads/x", "head 3")
}

// whole reports whether the script ever writes this content under this name.
func whole(name, data string) bool {
	for _, o := range []string{"records/1 run 1", "records/2 run 2", "keys/x/y/1 key 1", "heads/x head 1", "heads/x head 2", "heads/x head 3"} {
		if o == name+" "+data {
			return true
		}
	}
	return false
}

// TestFolderPowerCut cuts the power at each operation of the disk: what was acknowledged
// is there, what was being written is there whole or not at all, and nothing that a
// reader has seen is taken back.
func TestFolderPowerCut(t *testing.T) {
	t.Parallel()
	locks := lockRoot(t)
	cuts := 0
	for at := 1; ; at++ {
		disk := memfs.New()
		s, err := bucket.OnDisk(disk, locks)
		if err != nil {
			t.Fatal(err)
		}
		r := &script{s: s, ctx: t.Context(), acked: map[string]string{}}
		n := 0
		disk.SetHook(func(memfs.Op) error {
			if n++; n == at {
				disk.Kill()
			}
			return nil
		})
		r.run()
		disk.SetHook(nil)
		if r.err == nil {
			break
		}
		cuts++
		for seed := range uint64(8) {
			crash := memfs.Crash{Keep: memfs.Random, Seed: seed*1000 + uint64(at)}
			if seed < 2 {
				crash.Keep = []memfs.Keep{memfs.None, memfs.All}[seed]
			}
			check(t, fmt.Sprintf("operation %d, %+v", at, crash), r, disk.Crash(crash), locks)

			// The writer alone dies. Another process reads, then the power is cut.
			alive := disk.Restart()
			next, err := bucket.OnDisk(alive, locks)
			if err != nil {
				t.Fatal(err)
			}
			seen := &script{acked: map[string]string{}, doing: r.doing}
			for name := range r.acked {
				seen.acked[name] = r.acked[name]
			}
			if r.doing != "" {
				if data, _, err := next.Get(t.Context(), r.doing); err == nil {
					seen.acked[r.doing], seen.doing = string(data), ""
				}
			}
			check(t, fmt.Sprintf("seen, operation %d, %+v", at, crash), seen, alive.Crash(crash), locks)

			// Or another process learns from Swap that the object is there, and relies on it.
			alive = disk.Restart()
			if next, err = bucket.OnDisk(alive, locks); err != nil {
				t.Fatal(err)
			}
			if there, _, err := durable.ReadFile(alive, r.doing, 100); err == nil {
				if err := next.Swap(t.Context(), r.doing, []byte("another"), ""); !errors.Is(err, bucket.ErrChanged) {
					t.Fatal(err)
				}
				refused := &script{acked: map[string]string{r.doing: string(there)}}
				check(t, fmt.Sprintf("refused, operation %d, %+v", at, crash), refused, alive.Crash(crash), locks)
			}

			// Or another process does everything again.
			alive = disk.Restart()
			if next, err = bucket.OnDisk(alive, locks); err != nil {
				t.Fatal(err)
			}
			again := &script{s: next, ctx: t.Context(), acked: map[string]string{}}
			if again.run(); again.err != nil {
				t.Fatal(again.err)
			}
			check(t, fmt.Sprintf("again, operation %d, %+v", at, crash), again, alive.Crash(crash), locks)
		}
	}
	if cuts < 40 {
		t.Errorf("only %d cuts", cuts)
	}
}

func lockRoot(t *testing.T) *durable.Root {
	t.Helper()
	dir := t.TempDir()
	_ = openFolder(t, dir)
	locks, err := durable.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = locks.Close() })
	return locks
}

func check(t *testing.T, when string, r *script, disk durable.FS, locks *durable.Root) {
	t.Helper()
	s, err := bucket.OnDisk(disk, locks)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	for name, want := range r.acked {
		data, _, err := s.Get(t.Context(), name)
		switch {
		case name == r.doing && (err == nil && whole(name, string(data)) || errors.Is(err, fs.ErrNotExist) && name == "records/1"):
		case want == "" && errors.Is(err, fs.ErrNotExist):
		case err != nil || string(data) != want:
			t.Errorf("%s: %s holds %q, %v, want %q", when, name, data, err, want)
		}
	}
	if data, _, err := s.Get(t.Context(), r.doing); r.doing != "" && !errors.Is(err, fs.ErrNotExist) && (err != nil || !whole(r.doing, string(data))) {
		t.Errorf("%s: %s holds %q, %v", when, r.doing, data, err)
	}
}
