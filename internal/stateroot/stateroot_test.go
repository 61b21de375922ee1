package stateroot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

// fake answers in the system's place.
type fake struct {
	mode             fs.FileMode
	access           error
	fsinfo           durable.Filesystem
	mountType        string
	rootDevice       uint64
	modeErr, statErr error
	rootErr          error
}

func (f fake) Mode(*durable.Root) (fs.FileMode, error)          { return f.mode, f.modeErr }
func (f fake) Access(*durable.Root) error                       { return f.access }
func (f fake) Statfs(*durable.Root) (durable.Filesystem, error) { return f.fsinfo, f.statErr }
func (f fake) MountType(*durable.Root) string                   { return f.mountType }
func (f fake) RootDevice() (uint64, error)                      { return f.rootDevice, f.rootErr }

func good() fake {
	return fake{mode: fs.ModeDir | 0o750, rootDevice: unix.Mkdev(8, 1), mountType: "ext4",
		fsinfo: durable.Filesystem{Name: "ext4", Device: unix.Mkdev(8, 2), Free: 1 << 30}}
}

func TestJudge(t *testing.T) {
	io := syscall.EIO
	for _, tt := range []struct {
		name  string
		spoil func(*fake)
		opts  Options
		kind  error  // nil: fine
		want  string // filesystem, or part of the message
	}{
		{"fine", func(*fake) {}, Options{}, nil, "ext4"},
		{"not writable", func(f *fake) { f.access = syscall.EACCES }, Options{}, ErrNotWritable, "write access"},
		{"read-only", func(f *fake) { f.access = syscall.EROFS }, Options{}, ErrNotWritable, "mounted read-only"},
		{"mode unknown", func(f *fake) { f.modeErr = io }, Options{}, ErrUnusable, "check the disk"},
		{"world-writable", func(f *fake) { f.mode |= 0o002 }, Options{}, ErrWorldWritable, "mode is 0752"},
		{"world-writable, sticky", func(f *fake) { f.mode |= 0o002 | fs.ModeSticky }, Options{}, nil, "ext4"},
		{"world-writable, checks skipped", func(f *fake) { f.mode |= 0o002 }, Options{SkipMountCheck: true}, ErrWorldWritable, "chmod"},
		{"statfs fails", func(f *fake) { f.statErr = io }, Options{}, ErrUnusable, "check the disk"},
		{"ext3", func(f *fake) { f.mountType = "ext3" }, Options{}, nil, "ext3"},
		{"ext without /proc", func(f *fake) { f.mountType = "" }, Options{}, nil, "ext2/ext3/ext4"},
		{"xfs", func(f *fake) { f.fsinfo.Name = "xfs" }, Options{}, nil, "xfs"},
		{"zfs", func(f *fake) { f.fsinfo.Name = "zfs" }, Options{}, nil, "zfs"},
		{"tmpfs", func(f *fake) { f.fsinfo.Name = "tmpfs" }, Options{}, ErrFilesystem, "it is on tmpfs"},
		{"tmpfs allowed", func(f *fake) { f.fsinfo.Name = "tmpfs" }, Options{ExtraFilesystems: []string{"9p", "tmpfs"}}, nil, "tmpfs"},
		{"tmpfs skipped", func(f *fake) { f.fsinfo.Name = "tmpfs" }, Options{SkipMountCheck: true}, nil, "tmpfs"},
		{"overlay", func(f *fake) { f.fsinfo.Name, f.mountType = "overlayfs", "overlay" }, Options{}, ErrFilesystem, "it is on overlay"},
		{"unknown magic", func(f *fake) { f.fsinfo.Name, f.mountType = "0x1234", "newfs" }, Options{ExtraFilesystems: []string{"newfs"}}, nil, "newfs"},
		{"unknown magic, no /proc", func(f *fake) { f.fsinfo.Name, f.mountType = "0x1234", "" }, Options{}, ErrFilesystem, "0x1234"},
		{"fuse cannot call itself ext4", func(f *fake) { f.fsinfo.Name, f.mountType = "fuse", "fuse.ext4" }, Options{}, ErrFilesystem, "fuse.ext4"},
		{"device of /", func(f *fake) { f.rootDevice = f.fsinfo.Device }, Options{}, ErrRootDevice, "8:2"},
		{"device of /, skipped", func(f *fake) { f.rootDevice = f.fsinfo.Device }, Options{SkipMountCheck: true}, nil, "ext4"},
		{"device of / unknown", func(f *fake) { f.rootErr = io }, Options{}, ErrUnusable, "device of /"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := good()
			tt.spoil(&p)
			facts, err := judge(nil, "/persist/edge", tt.opts, p)
			if tt.kind != nil {
				checkError(t, err, "/persist/edge", tt.kind, tt.want)
				return
			}
			check := MountCheckEnforced
			if tt.opts.SkipMountCheck {
				check = MountCheckSkipped
			}
			want := Facts{Path: "/persist/edge", Filesystem: tt.want, MountCheck: check, Device: unix.Mkdev(8, 2), FreeBytes: 1 << 30}
			if err != nil || *facts != want {
				t.Errorf("got %+v, %v, want %+v", facts, err, want)
			}
		})
	}
}

func checkError(t *testing.T, err error, path string, kind error, part string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, kind) || e.Path != path {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), part) || e.Next == "" || !strings.HasSuffix(err.Error(), e.Next) {
		t.Errorf("%q, or the next step, is not in %v", part, err)
	}
}

func TestCheckPath(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path, named string
		kind        error
		part        string
	}{
		{"", "", ErrNotAbsolute, "EDGE_STATE_ROOT"},
		{"relative/path", "relative/path", ErrNotAbsolute, "begins with /"},
		{"/a\x00b", "/a\x00b", ErrNotAbsolute, "zero byte"},
		{dir + "/absent", dir + "/absent", ErrNotExist, "RequiresMountsFor="},
		{file, file, ErrNotDirectory, "directory in its place"},
		{file + "/beneath", file + "/beneath", ErrNotDirectory, "directory"},
		{fifo, fifo, ErrNotDirectory, "directory"},
		{link, link, ErrSymlink, "not a link"},
		{link + "/", link, ErrSymlink, "not a link"},
		{link + "/.", link, ErrSymlink, "not a link"},
	} {
		_, err := Check(tt.path, Options{SkipMountCheck: true})
		checkError(t, err, tt.named, tt.kind, tt.part)
	}
	if err := openError("/x", syscall.EACCES); !errors.Is(err, ErrNotWritable) {
		t.Errorf("got %v", err)
	}
	if err := openError("/x", syscall.EIO); !errors.Is(err, ErrUnusable) || !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
}

// TestCheckHere runs the checks on whatever the tests' directory lies on.
func TestCheckHere(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		root, facts, err := Open(dir+"/", Options{SkipMountCheck: true, ReadOnly: readOnly})
		if err != nil {
			t.Fatal(err)
		}
		if facts.Path != dir || facts.MountCheck != "skipped" || facts.Filesystem == "" || facts.FreeBytes == 0 {
			t.Errorf("got %+v", facts)
		}
		if err := root.Mkdir("new", 0o700); (err == nil) == readOnly {
			t.Errorf("read-only %v: mkdir gives %v", readOnly, err)
		}
		_ = root.Close()
	}
	facts, err := Check(dir, Options{SkipMountCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	slash, err := durable.HostDevice("/")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Check(dir, Options{ExtraFilesystems: []string{facts.Filesystem}})
	if slash == facts.Device {
		checkError(t, err, dir, ErrRootDevice, "RequiresMountsFor=")
	} else if err != nil || got.MountCheck != "enforced" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err = Check(dir, Options{SkipMountCheck: true})
	checkError(t, err, dir, ErrWorldWritable, "0777")
	if os.Geteuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		_, err = Check(dir, Options{SkipMountCheck: true})
		checkError(t, err, dir, ErrNotWritable, "write access")
	}
}

// TestCheckTmpfs uses the tmpfs that most systems have; it is the filesystem
// that the allowlist is there to refuse.
func TestCheckTmpfs(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "edged-test-")
	if err != nil {
		t.Skip("no writable /dev/shm")
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	facts, err := Check(dir, Options{SkipMountCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	if facts.Filesystem != "tmpfs" {
		t.Skip("/dev/shm is on " + facts.Filesystem)
	}
	_, err = Check(dir, Options{})
	checkError(t, err, dir, ErrFilesystem, "tmpfs")
	if facts, err := Check(dir, Options{ExtraFilesystems: []string{"tmpfs"}}); err != nil || facts.MountCheck != "enforced" {
		t.Errorf("got %+v, %v", facts, err)
	}
}

func TestSkipMountCheck(t *testing.T) {
	for value, want := range map[string]bool{"1": true, "": false, "0": false, "true": false, " 1": false, "11": false} {
		got := SkipMountCheck(func(key string) string {
			if key != "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK" {
				t.Errorf("asked for %s", key)
			}
			return value
		})
		if got != want {
			t.Errorf("%q: got %v", value, got)
		}
	}
	if SkipMountCheck(nil) {
		t.Error("no environment asks for nothing")
	}
}

func TestErrorWithoutPath(t *testing.T) {
	e := &Error{Kind: ErrNotAbsolute, Next: "n"}
	if e.Error() != "check state root: path is not absolute: n" {
		t.Errorf("got %v", e)
	}
}
