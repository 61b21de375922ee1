package operation

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

// unflushed omits the flushes: thousands of them would only wait for the disk, and a swap
// cannot happen within one.
type unflushed struct{ durable.FS }

func (unflushed) SyncDir(string) error { return nil }

func (u unflushed) Open(name string) (durable.File, error) {
	f, err := u.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return unflushedFile{f}, nil
}

func (u unflushed) Create(name string, perm fs.FileMode) (durable.File, error) {
	f, err := u.FS.Create(name, perm)
	if err != nil {
		return nil, err
	}
	return unflushedFile{f}, nil
}

type unflushedFile struct{ durable.File }

func (unflushedFile) Sync() error     { return nil }
func (unflushedFile) Datasync() error { return nil }

// exchange swaps two names as long as a test runs: with RENAME_EXCHANGE neither is ever
// missing.
func exchange(t *testing.T, a, b string) (stop func()) {
	t.Helper()
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		t.Skip("no RENAME_EXCHANGE here: ", err)
	}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-end:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
				runtime.Gosched()
			}
		}
	}()
	return func() { close(end); <-done }
}

// TestSwappedForASymlink: a component of either path is swapped for a symbolic link, again
// and again, while operations are planned and applied. Whenever the swap happens, nothing
// outside is written or read.
func TestSwappedForASymlink(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	for name, at := range map[string]string{
		"dst folder": "bin", "dst grandparent": "opt", "dst itself": "bin/app", "src itself": "runtime/binaries/app", "src folder": "runtime/binaries/d",
	} {
		t.Run(name, func(t *testing.T) {
			disk, dir := newLinux(t)
			root := unflushed{disk}
			outside := t.TempDir()
			check(t, os.WriteFile(filepath.Join(outside, "app"), []byte("SECRET!!!"), 0o755), // as long as the source
				os.Mkdir(filepath.Join(outside, "sub"), 0o755),
				os.MkdirAll(filepath.Join(dir, "opt/sub"), 0o755), os.Mkdir(filepath.Join(dir, "runtime/binaries/d"), 0o755))
			put(t, root, "runtime/binaries/d/app", "new bytes", 0o755)
			put(t, root, "bin/app", "old bytes", 0o755)

			target := outside
			if strings.HasSuffix(at, "app") {
				target = filepath.Join(outside, "app")
			}
			link := filepath.Join(dir, "link")
			check(t, os.Symlink(target, link))

			m := manifestOf(binaryOp("app", "bin/app"), binaryOp("d/app", "opt/sub/app"))
			stop := exchange(t, filepath.Join(dir, at), link)
			planned, applied := 0, 0
			fixed, _ := Plan(root, dir, m) // planned at an earlier moment
			// On a busy machine the link may be there in all of a few rounds.
			for round := 0; round < rounds || (planned == 0 || applied == 0) && round < 1000*rounds; round++ {
				ops, err := Plan(root, dir, m)
				if err == nil {
					planned++
					fixed = ops
				}
				for _, p := range fixed {
					res, err := Apply(root, p)
					if err == nil {
						applied++
						if res.BLAKE3 != sumOf("new bytes") {
							t.Fatalf("bytes from outside were installed: %+v", res)
						}
					}
					var e *Error
					if err != nil && !errors.As(err, &e) {
						t.Fatal(err)
					}
				}
				if round%16 == 0 { // so that it must be applied again
					_ = durable.WriteFile(root, "bin/app", []byte("old bytes"), 0o755)
					_ = root.Remove("opt/sub/app")
				}
			}
			stop()
			if planned == 0 || applied == 0 {
				t.Errorf("planned %d, applied %d: the test saw nothing", planned, applied)
			}
			t.Logf("planned %d of %d, applied %d", planned, rounds, applied)
			intact(t, outside)
		})
	}
}

// intact checks that the directory outside is unchanged.
func intact(t *testing.T, outside string) {
	t.Helper()
	var names []string
	check(t, filepath.WalkDir(outside, func(path string, _ os.DirEntry, err error) error {
		rel, _ := filepath.Rel(outside, path)
		names = append(names, rel)
		return err
	}))
	if got := strings.Join(names, " "); got != ". app sub" {
		t.Error("something was written outside:", got)
	}
	if data, err := os.ReadFile(filepath.Join(outside, "app")); err != nil || string(data) != "SECRET!!!" {
		t.Errorf("a file outside was written: %q, %v", data, err)
	}
}
