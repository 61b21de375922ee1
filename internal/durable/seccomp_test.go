package durable_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

// denied is a system call that a filter answers with an error number. If flag is not 0,
// it does so only if the call's third argument has that bit, or its second argument if
// second is set.
type denied struct {
	nr, flag uint32
	errno    syscall.Errno
	second   bool
}

// under runs test on a thread whose kernel refuses some system calls, as an
// old kernel, a container's seccomp filter or a simple filesystem would. The
// filter stays with the thread, which ends with the goroutine.
func under(t *testing.T, rules []denied, test func(t *testing.T)) {
	t.Helper()
	done := make(chan struct{})
	var refused error
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread must not serve others
		if refused = filter(rules); refused == nil {
			test(t)
		}
	}()
	<-done
	if refused != nil {
		t.Skipf("this environment permits no seccomp filter: %v", refused)
	}
}

func filter(rules []denied) error {
	const (
		offNr, offArg1, offArg2 = 0, 24, 32 // in struct seccomp_data; the low word on little-endian machines
	)
	load := func(off uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off}
	}
	var prog []unix.SockFilter
	for _, r := range rules {
		deny := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(r.errno)}
		if r.flag == 0 {
			prog = append(prog, load(offNr), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: r.nr}, deny)
			continue
		}
		argument := uint32(offArg2)
		if r.second {
			argument = offArg1
		}
		prog = append(prog, load(offNr), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: r.nr},
			load(argument), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jf: 1, K: r.flag}, deny)
	}
	prog = append(prog, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&fprog)), 0, 0)
}

func TestWithoutOpenat2(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.ENOSYS, unix.EPERM} {
		t.Run(errno.Error(), func(t *testing.T) {
			dir := t.TempDir()
			under(t, []denied{{nr: unix.SYS_OPENAT2, errno: errno}}, func(t *testing.T) {
				root, err := durable.OpenRoot(dir)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = root.Close() }()
				if err := durable.MkdirAll(root, "a/b/c", 0o755); err != nil {
					t.Error(err)
				}
				if err := durable.WriteFile(root, "a/b/c/f", []byte("text"), 0o644); err != nil {
					t.Error(err)
				}
				if data, _, err := durable.ReadFile(root, "a/b/c/f", 10); err != nil || string(data) != "text" {
					t.Errorf("%q, %v", data, err)
				}
				if _, err := root.Lstat("a/b/c/f/x"); !errors.Is(err, syscall.ENOTDIR) {
					t.Error(err)
				}
				if !durable.Walks(root) {
					t.Error("openat2 is tried again each time")
				}
			})
		})
	}
}

// TestSetgidInASandbox: systemd's RestrictSUIDSGID= refuses every call that
// carries the set-group-id bit, on directories too. The kernel passes the bit on by
// itself.
func TestSetgidInASandbox(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o770|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	const fchmodat2 = 452
	under(t, []denied{
		{nr: unix.SYS_OPENAT2, errno: unix.ENOSYS},
		{nr: unix.SYS_FCHMOD, flag: unix.S_ISGID, errno: unix.EPERM, second: true},
		{nr: unix.SYS_FCHMODAT, flag: unix.S_ISGID, errno: unix.EPERM},
		{nr: fchmodat2, flag: unix.S_ISGID, errno: unix.EPERM},
		{nr: unix.SYS_MKDIRAT, flag: unix.S_ISGID, errno: unix.EPERM},
	}, func(t *testing.T) {
		root, err := durable.OpenRoot(dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = root.Close() }()
		if top, err := root.Lstat("."); err != nil || top.Mode&fs.ModeSetgid == 0 {
			t.Skip("this filesystem or user cannot set the bit")
		}
		if err := durable.MkdirAll(root, "d/e", 0o750); err != nil {
			t.Error(err)
		}
		if err := durable.WriteFile(root, "d/e/f", []byte("x"), 0o640); err != nil {
			t.Error(err)
		}
		for name, want := range map[string]fs.FileMode{
			"d": fs.ModeDir | fs.ModeSetgid | 0o750, "d/e": fs.ModeDir | fs.ModeSetgid | 0o750, "d/e/f": 0o640,
		} {
			if info, err := root.Lstat(name); err != nil || info.Mode != want {
				t.Errorf("%s: %v, %v, want %v", name, info.Mode, err, want)
			}
		}
	})
	if got := syscall.Umask(0o077); got != 0o077 {
		t.Errorf("the umask is left at %#o", got)
	}
}

func TestReadOnlyWithoutNoatime(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "d/f"), "text")
	under(t, []denied{
		{nr: unix.SYS_OPENAT2, errno: unix.EPERM},
		{nr: unix.SYS_OPENAT, flag: unix.O_NOATIME, errno: unix.EPERM},
	}, func(t *testing.T) {
		root, err := durable.OpenRootReadOnly(dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = root.Close() }()
		if data, _, err := durable.ReadFile(root, "d/f", 10); err != nil || string(data) != "text" {
			t.Errorf("%q, %v", data, err)
		}
		if list, err := root.ReadDir("d"); err != nil || len(list) != 1 {
			t.Error(list, err)
		}
	})
}

func TestPreallocateWithoutFallocate(t *testing.T) {
	dir := t.TempDir()
	under(t, []denied{{nr: unix.SYS_FALLOCATE, errno: unix.EOPNOTSUPP}}, func(t *testing.T) {
		root, err := durable.OpenRoot(dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = root.Close() }()
		f, err := root.Create("f", 0o600)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = f.Close() }()
		if _, err := f.Write([]byte("kept")); err != nil {
			t.Error(err)
		}
		if err := f.Preallocate(0, 100_000); err != nil {
			t.Error(err)
		}
		if err := f.Preallocate(10, 10); err != nil { // within the file: nothing to do
			t.Error(err)
		}
		if err := f.Preallocate(-1, 10); !errors.Is(err, syscall.EINVAL) {
			t.Error(err)
		}
		data, _, err := durable.ReadFile(root, "f", 1<<20)
		if err != nil || len(data) != 100_000 || !bytes.HasPrefix(data, []byte("kept\x00")) {
			t.Errorf("%d bytes, %v", len(data), err)
		}
	})
}

// TestFaultsOfTheDisk makes the kernel refuse calls as a failing disk does.
func TestFaultsOfTheDisk(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "d/f"), "text")
	rules := []denied{{nr: unix.SYS_GETDENTS64, errno: unix.EIO}, {nr: unix.SYS_FSYNC, errno: unix.EIO}}
	under(t, append(rules, denied{nr: unix.SYS_FLOCK, errno: unix.ENOLCK}), func(t *testing.T) {
		root, err := durable.OpenRoot(dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = root.Close() }()
		_, readdir := root.ReadDir("d")
		for op, err := range map[string]error{
			"readdir": readdir, "syncdir": root.SyncDir("d"), "syncdir root": root.SyncDir("."),
			"writefile": durable.WriteFile(root, "d/f", []byte("new"), 0o600), "removeall": durable.RemoveAll(root, "d"),
		} {
			if !errors.Is(err, syscall.EIO) {
				t.Errorf("%s: %v, want EIO", op, err)
			}
		}
		if held, err := root.TryLock(); held || !errors.Is(err, syscall.ENOLCK) {
			t.Error(held, err)
		}
		if data, _, err := durable.ReadFile(root, "d/f", 10); err != nil || string(data) != "text" {
			t.Errorf("a failed replacement left %q, %v", data, err)
		}
	})
}
