package tlscert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func mkdir(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// tree lists everything below base except the bytes.
func tree(t *testing.T, base string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && path != base {
			names = append(names, fmt.Sprintf("%s %v %d:%d", strings.TrimPrefix(path, base), info.Mode(), st.Uid, st.Gid))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestHost replaces pairs on a real disk in every arrangement: behind links, in one file, two names
// for one file.
func TestHost(t *testing.T) {
	for name, lay := range map[string]func(t *testing.T, base string, n *node) (cert, key string){
		"one folder": func(t *testing.T, base string, n *node) (string, string) {
			put(t, base+"/node.crt", n.certPEM, 0o444)
			put(t, base+"/node.key", n.keyPEM, 0o600)
			return "/node.crt", "/node.key"
		},
		"behind links": func(t *testing.T, base string, n *node) (string, string) {
			put(t, mkdir(t, base+"/archive/node")+"/cert1.pem", n.certPEM, 0o644)
			put(t, mkdir(t, base+"/private")+"/key1.pem", n.keyPEM, 0o640)
			symlink(t, "../../archive/node/cert1.pem", mkdir(t, base+"/live/node")+"/cert.pem")
			symlink(t, base+"/private/key1.pem", base+"/live/node/key.pem")
			symlink(t, "live/node", base+"/tls")
			return "/tls/cert.pem", "/tls/key.pem"
		},
		"two links to one file": func(t *testing.T, base string, n *node) (string, string) {
			put(t, base+"/node.pem", slices.Concat(n.keyPEM, n.certPEM), 0o600)
			symlink(t, "node.pem", base+"/node.crt")
			symlink(t, base+"/node.pem", base+"/node.key")
			return "/node.crt", "/node.key"
		},
		"two hard links": func(t *testing.T, base string, n *node) (string, string) {
			put(t, base+"/node.crt", slices.Concat(n.keyPEM, n.certPEM), 0o600)
			if err := os.Link(base+"/node.crt", base+"/node.key"); err != nil {
				t.Skip(err)
			}
			return "/node.crt", "/node.key"
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
			base := t.TempDir()
			cert, key := lay(t, base, n)
			p := n.Paths
			p.Cert, p.Key = base+cert, base+key
			before := tree(t, base)
			r, err := Rotate(load(t, p), 365, times())
			if err != nil {
				t.Fatal(err)
			}
			install(t, p, r)
			if got := load(t, p); got.Leaf.SerialNumber.String() != r.NewSerial || got.Unfinished != nil {
				t.Error("another certificate is in place")
			}
			var after []string
			previous := 0
			for _, line := range tree(t, base) {
				if path, about, _ := strings.Cut(line, " "); strings.HasSuffix(path, ".previous") {
					previous++
					if was := strings.TrimSuffix(path, ".previous") + " " + about; !slices.Contains(before, was) {
						t.Errorf("%s, but before the replacement there was no %s", line, was)
					}
					continue
				}
				after = append(after, line)
			}
			if !slices.Equal(before, after) || previous == 0 {
				t.Errorf("there was\n%v\nthere is, beside %d previous files,\n%v", before, previous, after)
			}
		})
	}
}

// TestHostOwner: a successor has the owner of the file that it replaces.
func TestHostOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	if err := os.Chown(n.Key, 4242, 4343); err != nil {
		t.Skip(err)
	}
	r, err := Rotate(load(t, n.Paths), 365, times())
	if err != nil {
		t.Fatal(err)
	}
	install(t, n.Paths, r)
	all := tree(t, filepath.Dir(n.Key))
	for _, want := range []string{"/node.key -rw------- 4242:4343", "/node.key.previous -rw------- 4242:4343"} {
		if !slices.Contains(all, want) {
			t.Errorf("no %s in %v", want, all)
		}
	}
}

// TestHostImmutable: an immutable file makes a rotation fail with the old pair in place, and a file
// that is only in the way stops no run.
func TestHostImmutable(t *testing.T) {
	chattr, err := exec.LookPath("chattr")
	if err != nil {
		t.Skip("chattr is not installed")
	}
	immutable := func(t *testing.T, path string) {
		if out, err := exec.Command(chattr, "+i", path).CombinedOutput(); err != nil {
			t.Skipf("no immutable files here: %s", out)
		}
		t.Cleanup(func() { _ = exec.Command(chattr, "-i", path).Run() })
	}
	for _, name := range []string{"node.crt", "node.key"} {
		t.Run(name, func(t *testing.T) {
			n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
			b := load(t, n.Paths)
			r, err := Rotate(b, 365, times())
			if err != nil {
				t.Fatal(err)
			}
			immutable(t, filepath.Join(filepath.Dir(n.Cert), name))
			before := tree(t, filepath.Dir(n.Cert))
			f, err := Open(n.Paths)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			checkError(t, f.Install(b, r), n.Cert, ErrInstall, "lsattr")
			if after := tree(t, filepath.Dir(n.Cert)); !slices.Equal(before, after) {
				t.Errorf("there was %v, there is %v", before, after)
			}
			if got := load(t, n.Paths); !got.Leaf.Equal(n.leaf) || got.Unfinished != nil {
				t.Error("another pair is in place")
			}
		})
	}
	for _, name := range []string{".node.crt.edged-next", ".node.key.edged-tmp", "node.crt.previous", "node.key.previous"} {
		t.Run(name, func(t *testing.T) {
			n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
			path := filepath.Join(filepath.Dir(n.Cert), name)
			put(t, path, n.certPEM, 0o600)
			immutable(t, path)
			f, err := Open(n.Paths)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			b, err := f.Load()
			if err != nil || b.Unfinished != nil && name != ".node.crt.edged-next" {
				t.Fatalf("%+v, %v", b.Unfinished, err)
			}
			if err := f.Sweep(); strings.Contains(name, "edged") != (err != nil) {
				t.Error(err)
			} else if err != nil {
				checkError(t, err, n.Cert, ErrTidy, name)
			}
		})
	}
}

// TestHostUnlistedFolder: files in a folder that may be searched but not listed are accepted.
func TestHostUnlistedFolder(t *testing.T) {
	if os.Getenv("EDGED_UNLISTED") != "" {
		_, err := loadPaths(Paths{Cert: os.Getenv("EDGED_UNLISTED") + "/node.crt", Key: os.Getenv("EDGED_UNLISTED") + "/node.key",
			CA: os.Getenv("EDGED_UNLISTED") + "/ca.crt"})
		if err != nil {
			t.Error(err)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may run a test as another user")
	}
	base, err := os.MkdirTemp("/tmp", "unlisted")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	put(t, base+"/test", self, 0o755)
	dir := mkdir(t, base+"/private")
	n := makeNode(t, dir, ecKey(t), ecKey(t), nil)
	for path, mode := range map[string]os.FileMode{base: 0o755, dir: 0o711, n.Key: 0o644, n.CAKey: 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(base+"/test", "-test.run=^TestHostUnlistedFolder$")
	cmd.Dir, cmd.Env = base, append(os.Environ(), "EDGED_UNLISTED="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestHostReadOnly: a dry run reports that nothing can be written.
func TestHostReadOnly(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	f, err := Open(n.Paths)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.CheckWritable(); err != nil {
		t.Error(err)
	}
	dir := filepath.Dir(n.Cert)
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skip("bind mounts are not permitted: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip("read-only bind mounts are not permitted: ", err)
	}
	ro, err := Open(n.Paths)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	checkError(t, ro.CheckWritable(), n.Cert, ErrInstall, syscall.EROFS.Error())
}

func TestOpenFails(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	loop := filepath.Join(t.TempDir(), "loop")
	symlink(t, "loop", loop)
	for _, file := range []func(*Paths) *string{certFile, keyFile} {
		p := n.Paths
		*file(&p) = loop
		_, err := Open(p)
		checkError(t, err, loop, ErrUnreadable, "link")
		*file(&p) = n.Cert + "/below"
		_, err = Open(p)
		checkError(t, err, n.Cert+"/below", ErrUnreadable, "")
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			t.Error(err)
		}
	}
}
