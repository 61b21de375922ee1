package tlscert

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

// site is an arrangement of the files of a pair.
type site struct{ name, cert, key string }

var sites = []site{
	{"one folder", "tls/node.crt", "tls/node.key"},
	{"two folders", "certs/node.pem", "private/node.pem"},
	{"one file", "tls/node.pem", "tls/node.pem"},
}

// Owner and mode of the files of a pair, which their successors must have.
var (
	certOwner = durable.Info{Mode: 0o644, UID: 41, GID: 42}
	keyOwner  = durable.Info{Mode: 0o640, UID: 43, GID: 44}
)

// fixture is a pair on a disk that can lose power, and its successor.
type fixture struct {
	site
	paths    Paths
	old, new map[string]string // content by name
	disk     *memfs.FS
	r        *Rotation
	fault    func(memfs.Op) error // the disk's hook, nil for a disk without faults
}

func makeFixture(t *testing.T, s site) *fixture {
	t.Helper()
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	f := &fixture{site: s, disk: memfs.New(), paths: n.Paths}
	f.paths.Cert, f.paths.Key = "/"+s.cert, "/"+s.key
	f.old = map[string]string{s.cert: string(n.certPEM), s.key: string(n.keyPEM)}
	if s.cert == s.key {
		f.old[s.cert] = string(n.keyPEM) + string(n.certPEM)
	}
	f.lay(t, s.cert, certOwner)
	f.lay(t, s.key, keyOwner)
	f.disk.SyncAll()
	var err error
	if f.r, err = Rotate(f.load(t, f.disk), 365, times()); err != nil {
		t.Fatal(err)
	}
	f.new = map[string]string{s.cert: string(f.r.cert), s.key: string(f.r.key)}
	return f
}

func (f *fixture) lay(t *testing.T, name string, like durable.Info) {
	t.Helper()
	if err := durable.MkdirAll(f.disk, path.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := write(File{f.disk, name}, []byte(f.old[name]), like); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) files(fsys durable.FS) *Files {
	return NewFiles(f.paths, File{fsys, f.cert}, File{fsys, f.key})
}

func (f *fixture) load(t *testing.T, fsys durable.FS) *Bundle {
	t.Helper()
	b, err := f.files(fsys).Load()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// contents returns the files of a disk, with owner, mode and bytes.
func contents(t *testing.T, disk *memfs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, about := range disk.Dump() {
		if strings.HasPrefix(about, "d") {
			continue
		}
		data, info, err := durable.ReadFile(disk, name, MaxBytes)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = fmt.Sprintf("%v %d:%d\n%s", info.Mode, info.UID, info.GID, data)
	}
	return all
}

// want returns the expected files: the pair, and after a replacement the previous one.
func (f *fixture) want(replaced bool) map[string]string {
	all := map[string]string{}
	add := func(name, data string, like durable.Info) {
		all[name] = fmt.Sprintf("%v %d:%d\n%s", like.Mode, like.UID, like.GID, data)
	}
	for _, side := range []struct {
		name string
		like durable.Info
	}{{f.cert, certOwner}, {f.key, keyOwner}} {
		if add(side.name, f.old[side.name], side.like); replaced {
			add(side.name, f.new[side.name], side.like)
			add(side.name+".previous", f.old[side.name], side.like)
		}
	}
	return all
}

// rotate does what a gate does if a rotation is due. It calls journaled where the gate journals.
func (f *fixture) rotate(fsys durable.FS, journaled func()) error {
	files := f.files(fsys)
	b, err := files.Load()
	if err != nil {
		return err
	}
	if err := files.Install(b, f.r); err != nil {
		return err
	}
	journaled()
	return files.Finish()
}

// nextRun does what the gate does at its next run, if no rotation is due.
func (f *fixture) nextRun(fsys durable.FS, journaled func(*Rotation)) error {
	files := f.files(fsys)
	b, err := files.Load()
	if err != nil {
		return err
	}
	if b.Unfinished == nil {
		return files.Sweep()
	}
	if err := files.Complete(b); err != nil {
		return err
	}
	journaled(b.Unfinished)
	return files.Finish()
}

// interrupted returns a disk on which a rotation stopped after its commit point, before the
// certificate was replaced.
func (f *fixture) interrupted(t *testing.T) *memfs.FS {
	t.Helper()
	disk := f.disk.Clone()
	disk.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpRename && op.New == f.cert {
			disk.Kill()
		}
		return nil
	})
	_ = f.rotate(disk, func() {})
	left := disk.Crash(memfs.Crash{Keep: memfs.All})
	cert, _, _ := durable.ReadFile(left, f.cert, MaxBytes)
	key, _, _ := durable.ReadFile(left, f.key, MaxBytes)
	if string(cert) != f.old[f.cert] || string(key) != f.new[f.key] {
		t.Fatal("it is not interrupted")
	}
	return left
}

// TestLoadChangesNothing: a dry run reads the new pair.
func TestLoadChangesNothing(t *testing.T) {
	f := makeFixture(t, sites[0])
	left := f.interrupted(t)
	before := left.Dump()
	b := f.load(t, left)
	if b.Unfinished == nil || b.Leaf.SerialNumber.String() != f.r.NewSerial {
		t.Errorf("got %+v", b)
	}
	if !maps.Equal(before, left.Dump()) {
		t.Error("the disk was changed")
	}
}

// TestCompleteOnAFullDisk: completing takes no space.
func TestCompleteOnAFullDisk(t *testing.T) {
	f := makeFixture(t, sites[0])
	left := f.interrupted(t)
	left.SetCapacity(left.Used())
	if err := f.nextRun(left, func(*Rotation) {}); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, left); !maps.Equal(got, f.want(true)) {
		t.Errorf("there is %v", got)
	}
}

// TestCompleteIsDurable: the renames of a killed process are durable before the file that shows the
// replacement is removed.
func TestCompleteIsDurable(t *testing.T) {
	f := makeFixture(t, sites[0])
	if err := errors.Join(f.disk.Mkdir(f.cert+".previous", 0o700), f.disk.Mkdir(f.key+".previous", 0o700)); err != nil {
		t.Fatal(err)
	}
	f.disk.SyncAll()
	renamed := false
	f.disk.SetHook(func(op memfs.Op) error {
		if renamed {
			return errKilled
		}
		renamed = op.Kind == memfs.OpRename && op.New == f.cert
		return nil
	})
	_ = f.rotate(f.disk, func() {})
	f.disk.SetHook(nil)
	if err := f.nextRun(f.disk, func(*Rotation) {}); !errors.Is(err, ErrTidy) {
		t.Fatal(err)
	}
	for seed := range uint64(64) {
		if b := f.load(t, f.disk.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed})); b.Leaf.SerialNumber.String() != f.r.NewSerial {
			t.Fatal("the new pair is lost")
		}
	}
}

// TestOperatorComesFirst: a pair that an operator deploys after a crash stays, even one with the
// same new key.
func TestOperatorComesFirst(t *testing.T) {
	f := makeFixture(t, sites[0])
	other := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	newKey, _, err := privateKey("", f.r.key)
	if err != nil {
		t.Fatal(err)
	}
	same := makeNode(t, t.TempDir(), newKey, ecKey(t), nil)
	for name, pair := range map[string][2][]byte{
		"another pair": {other.certPEM, other.keyPEM}, "a certificate of the new key": {same.certPEM, f.r.key},
		"the old pair": {[]byte(f.old[f.cert]), []byte(f.old[f.key])},
	} {
		t.Run(name, func(t *testing.T) {
			left := f.interrupted(t)
			for i, file := range []string{f.cert, f.key} {
				if err := replace(File{left, file}, pair[i], certOwner); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.nextRun(left, func(*Rotation) { t.Error("journaled") }); err != nil {
				t.Fatal(err)
			}
			for i, file := range []string{f.cert, f.key} {
				if data, _, err := durable.ReadFile(left, file, MaxBytes); err != nil || !bytes.Equal(data, pair[i]) {
					t.Errorf("%s was replaced (%v)", file, err)
				}
			}
			if all := contents(t, left); len(all) != 2 {
				t.Errorf("left are %v", slices.Sorted(maps.Keys(all)))
			}
		})
	}
}

// TestInstallRefusesAChangedFile: a file that was replaced meanwhile stays.
func TestInstallRefusesAChangedFile(t *testing.T) {
	for _, s := range sites {
		for _, name := range []string{s.cert, s.key} {
			f := makeFixture(t, s)
			b := f.load(t, f.disk)
			if err := replace(File{f.disk, name}, []byte("by hand"), certOwner); err != nil {
				t.Fatal(err)
			}
			before := f.disk.Dump()
			checkError(t, f.files(f.disk).Install(b, f.r), "/"+f.cert, ErrInstall, "changed since it was read")
			if after := f.disk.Dump(); !maps.Equal(before, after) {
				t.Errorf("there was %v, there is %v", before, after)
			}
		}
	}
}

// TestForeignFiles: files that the gate did not make stay, in a folder of a rotation too, and stop
// only the step that needs their name.
func TestForeignFiles(t *testing.T) {
	plant := map[string]func(disk *memfs.FS, name string) error{
		"folder": func(disk *memfs.FS, name string) error {
			return errors.Join(disk.Mkdir(name, 0o700), durable.WriteFile(disk, name+"/mission", []byte("data"), 0o600))
		},
		"link": func(disk *memfs.FS, name string) error { return disk.PlantSymlink(name, "elsewhere") },
		"fifo": func(disk *memfs.FS, name string) error { return disk.PlantFIFO(name) },
	}
	for kind, plant := range plant {
		for _, name := range []string{"tls/node.crt.previous", "tls/node.key.previous", "tls/.node.crt.edged-next", "tls/.node.crt.edged-tmp",
			"tls/.node.key.edged-tmp", "tls/.node.crt.edged-previous", "tls/.node.key.edged-previous", "tls/.node.crt.edged-rotation"} {
			t.Run(kind+" "+name, func(t *testing.T) {
				f := makeFixture(t, sites[0])
				if err := plant(f.disk, name); err != nil {
					t.Fatal(err)
				}
				before := f.disk.Dump()
				if err := f.nextRun(f.disk, func(*Rotation) { t.Error("journaled") }); err != nil {
					t.Errorf("a run that rotates nothing: %v", err)
				}
				if after := f.disk.Dump(); !maps.Equal(before, after) {
					t.Fatalf("there was\n%v\nthere is\n%v", before, after)
				}
				journaled := false
				err := f.rotate(f.disk, func() { journaled = true })
				b := f.load(t, f.disk)
				switch ours := strings.Contains(name, ".edged-") && !strings.HasSuffix(name, "-rotation"); {
				case !ours && kind != "folder" || strings.HasSuffix(name, "-rotation"):
					if err != nil || !journaled {
						t.Errorf("%t, %v", journaled, err)
					}
				case !ours: // the pair is replaced, but the previous pair's name is taken
					checkError(t, err, "/"+f.cert, ErrTidy, "in the way")
					if !journaled || b.Leaf.SerialNumber.String() != f.r.NewSerial {
						t.Error("the pair was not replaced")
					}
				case err == nil: // a rename replaces a link or a FIFO
					if !journaled || kind == "folder" {
						t.Error("a folder was replaced")
					}
				default:
					checkError(t, err, "/"+f.cert, ErrInstall, name)
					if after := f.disk.Dump(); !maps.Equal(before, after) || journaled {
						t.Errorf("there was\n%v\nthere is\n%v", before, after)
					}
				}
				if got := f.disk.Dump()[name+"/mission"]; kind == "folder" && got == "" {
					t.Error("the folder's content is gone")
				}
			})
		}
	}
}

// TestLongNames: a name that leaves no room for a longer one beside it is no fault while nothing is
// replaced.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("n", 250)
	f := makeFixture(t, site{"", "tls/" + long, "tls/k"})
	if err := f.nextRun(f.disk, func(*Rotation) {}); err != nil {
		t.Error(err)
	}
	before := f.disk.Dump()
	err := f.rotate(f.disk, func() { t.Error("journaled") })
	checkError(t, err, "/"+f.cert, ErrInstall, syscall.ENAMETOOLONG.Error())
	if after := f.disk.Dump(); !maps.Equal(before, after) {
		t.Errorf("there was %v, there is %v", before, after)
	}
	if _, err := f.disk.Lstat("tls/.k.edged-previous"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a copy of the key is left", err)
	}
}
