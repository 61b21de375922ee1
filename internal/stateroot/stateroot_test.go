package stateroot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// fake answers in the system's place.
type fake struct {
	access    error
	modes     map[string]fs.FileMode // by name; a name without one does not exist
	owners    map[string]uint32      // by name; root where there is none
	modeErr   error                  // of the state root
	mounts    mounts
	mountsErr error
}

func (f fake) Access() error           { return f.access }
func (f fake) Mounts() (mounts, error) { return f.mounts, f.mountsErr }

func (f fake) Lstat(name string) (durable.Info, error) {
	if name == "." && f.modeErr != nil {
		return durable.Info{}, f.modeErr
	}
	if mode, ok := f.modes[name]; ok {
		return durable.Info{Mode: mode, UID: f.owners[name]}, nil
	}
	return durable.Info{}, fs.ErrNotExist
}

func good() fake {
	return fake{modes: map[string]fs.FileMode{".": fs.ModeDir | 0o750}, mounts: view(extRoot+persist, "31", "/persist/edge")}
}

func TestJudge(t *testing.T) {
	typed := func(name string) func(*fake) {
		return func(f *fake) {
			f.mounts = view(extRoot+"31 27 8:2 / /persist rw - "+name+" x rw\n", "31", "/persist/edge")
		}
	}
	mode := func(name string, mode fs.FileMode) func(*fake) {
		return func(f *fake) { f.modes[name] = mode }
	}
	owned := func(root fs.FileMode, name string, uid uint32) func(*fake) {
		return func(f *fake) {
			f.modes["."], f.modes[name] = fs.ModeDir|root, fs.ModeDir|0o755
			f.owners = map[string]uint32{".": 1000, name: uid}
		}
	}
	for _, tt := range []struct {
		name  string
		spoil func(*fake)
		opts  Options
		kind  error  // nil: fine
		want  string // filesystem, or part of the message
	}{
		{"fine", func(*fake) {}, Options{}, nil, "ext4"},
		{"not writable", func(f *fake) { f.access = syscall.EACCES }, Options{}, ErrNotWritable, "permission denied"},
		{"read-only", func(f *fake) { f.access = syscall.EROFS }, Options{}, ErrNotWritable, "read-only"},
		{"mode unknown", func(f *fake) { f.modeErr = syscall.EIO }, Options{}, ErrUnusable, "check the disk"},
		{"world-writable", mode(".", fs.ModeDir|0o752), Options{}, ErrWorldWritable, "mode is 0752"},
		{"world-writable, sticky", mode(".", fs.ModeDir|fs.ModeSticky|0o777), Options{}, nil, "ext4"},
		{"world-writable, checks skipped", mode(".", fs.ModeDir|0o752), Options{SkipMountCheck: true}, ErrWorldWritable, "chmod"},
		{"identity world-writable", mode("identity", fs.ModeDir|0o777), Options{}, ErrFolderWritable, "the mode of identity is 0777"},
		{"runtime world-writable", mode("runtime", fs.ModeDir|0o777), Options{}, ErrFolderWritable, "chmod o-w /persist/edge/runtime"},
		{"runtime/binaries world-writable and sticky", mode("runtime/binaries", fs.ModeDir|fs.ModeSticky|0o777), Options{}, ErrFolderWritable, "runtime/binaries"},
		{"bootstrap world-writable", mode("bootstrap", fs.ModeDir|0o703), Options{SkipMountCheck: true}, ErrFolderWritable, "bootstrap"},
		{"journal world-writable", mode("journal", fs.ModeDir|0o702), Options{}, ErrFolderWritable, "journal"},
		{"epoch world-writable", mode("epoch", fs.ModeDir|0o777), Options{}, ErrFolderWritable, "epoch"},
		{"mission data world-writable", mode("edge", fs.ModeDir|0o777), Options{}, nil, "ext4"},
		{"a link, which is writable for everybody", mode("epoch", fs.ModeSymlink|0o777), Options{}, nil, "ext4"},
		{"a directory that another user made in a state root for everybody", owned(fs.ModeSticky|0o777, "identity", 77), Options{}, ErrFolderForeign, "identity belongs to user 77"},
		{"the same, of the state root's owner", owned(fs.ModeSticky|0o777, "identity", 1000), Options{}, nil, "ext4"},
		{"the same, of root", owned(fs.ModeSticky|0o777, "identity", 0), Options{}, nil, "ext4"},
		{"a directory of another user, who could not make it", owned(0o755, "identity", 77), Options{}, nil, "ext4"},
		{"group-writable", mode("runtime", fs.ModeDir|fs.ModeSetgid|0o775), Options{}, nil, "ext4"},
		{"ext3", typed("ext3"), Options{}, nil, "ext3"},
		{"xfs", typed("xfs"), Options{}, nil, "xfs"},
		{"btrfs", typed("btrfs"), Options{}, nil, "btrfs"},
		{"zfs", typed("zfs"), Options{}, nil, "zfs"},
		{"tmpfs", typed("tmpfs"), Options{}, ErrFilesystem, "it is on tmpfs"},
		{"tmpfs allowed", typed("tmpfs"), Options{ExtraFilesystems: []string{"9p", "tmpfs"}}, nil, "tmpfs"},
		{"tmpfs skipped", typed("tmpfs"), Options{SkipMountCheck: true}, nil, "tmpfs"},
		{"overlay", typed("overlay"), Options{}, ErrFilesystem, "it is on overlay"},
		{"tmpfs, anywhere", typed("tmpfs"), Options{Anywhere: true}, nil, "tmpfs"},
		{"no /proc", func(f *fake) { f.mounts, f.mountsErr = mounts{}, syscall.ENOENT }, Options{}, ErrUnusable, "mount /proc"},
		{"no /proc, skipped", func(f *fake) { f.mounts, f.mountsErr = mounts{}, syscall.ENOENT }, Options{SkipMountCheck: true}, nil, "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := good()
			tt.spoil(&p)
			facts, err := judge("/persist/edge", tt.opts, p)
			if tt.kind != nil {
				checkError(t, err, "/persist/edge", tt.kind, tt.want)
				return
			}
			check := MountCheckEnforced
			if tt.opts.SkipMountCheck {
				check = MountCheckSkipped
			}
			want := Facts{Path: "/persist/edge", Filesystem: tt.want, MountCheck: check}
			if err != nil || *facts != want {
				t.Errorf("got %+v, %v, want %+v", facts, err, want)
			}
		})
	}
}

func checkError(t *testing.T, err error, path string, kind error, part string) {
	t.Helper()
	var e *errs.Error
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
		if facts.Path != dir || facts.MountCheck != "skipped" || facts.Filesystem == "" {
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
	got, err := Check(dir, Options{ExtraFilesystems: []string{facts.Filesystem}})
	if errors.Is(err, ErrPartOfRoot) {
		checkError(t, err, dir, ErrPartOfRoot, "RequiresMountsFor=")
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

// TestAdviceNamesTheResolvedPath: a link in the path leads to a mount that is
// still to come. The unit that names the link waits for no mount.
func TestAdviceNamesTheResolvedPath(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"persist": "data", "data": dir + "/mnt/later", "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	path := dir + "/persist/edge"
	if got, want := resolve(path), dir+"/mnt/later/edge"; got != want {
		t.Errorf("resolved to %s, want %s", got, want)
	}
	if got := resolve(dir + "/loop"); got != dir+"/loop" {
		t.Errorf("a link to itself resolved to %s", got)
	}
	_, err = Check(path, Options{})
	checkError(t, err, path, ErrNotExist, path+" is "+dir+"/mnt/later/edge: mount the persistent partition there, and name that path")
	if err := os.MkdirAll(dir+"/mnt/later/edge", 0o750); err != nil {
		t.Fatal(err)
	}
	// Whatever the tests' directory lies on, it is no partition of its own.
	var refused *errs.Error
	if _, err = Check(path, Options{}); !errors.As(err, &refused) {
		t.Skip("the tests' directory would do as a state root")
	}
	checkError(t, err, path, refused.Kind, path+" is "+dir+"/mnt/later/edge: mount the persistent partition there, and name that path")
	if err := os.Symlink(dir+"/mnt/later/edge", dir+"/state"); err != nil {
		t.Fatal(err)
	}
	_, err = Check(dir+"/state", Options{})
	checkError(t, err, dir+"/state", ErrSymlink, "not a link to it: "+dir+"/mnt/later/edge")
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
