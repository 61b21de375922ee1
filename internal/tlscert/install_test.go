package tlscert

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// site is a way to lay out the files of a pair.
type site struct {
	name string
	// lay puts the pair beneath base and gives the configured paths.
	lay func(t *testing.T, base string, cert, key []byte) Paths
}

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

var sites = []site{
	{"one directory", func(t *testing.T, base string, cert, key []byte) Paths {
		write(t, base+"/node.crt", cert, 0o644)
		write(t, base+"/node.key", key, 0o600)
		return Paths{Cert: base + "/node.crt", Key: base + "/node.key"}
	}},
	{"two directories", func(t *testing.T, base string, cert, key []byte) Paths {
		write(t, mkdir(t, base+"/certs")+"/node.pem", cert, 0o444)
		write(t, mkdir(t, base+"/private")+"/node.pem", key, 0o640)
		return Paths{Cert: base + "/certs/node.pem", Key: base + "/private/node.pem"}
	}},
	{"behind links", func(t *testing.T, base string, cert, key []byte) Paths {
		write(t, mkdir(t, base+"/archive/node")+"/cert1.pem", cert, 0o644)
		write(t, base+"/archive/node/key1.pem", key, 0o600)
		symlink(t, "../../archive/node/cert1.pem", mkdir(t, base+"/live/node")+"/cert.pem")
		symlink(t, base+"/archive/node/key1.pem", base+"/live/node/key.pem")
		symlink(t, "live/node", base+"/tls")
		return Paths{Cert: base + "/tls/cert.pem", Key: base + "/tls/key.pem"}
	}},
}

// fixture is a rotation that is ready to be installed.
type fixture struct {
	n *node
	r *Rotation
}

func makeFixture(t *testing.T) fixture {
	t.Helper()
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), nil)
	r, err := Rotate(load(t, n.Paths), n.caKey, 365, now)
	if err != nil {
		t.Fatal(err)
	}
	return fixture{n, r}
}

// bundle lays the old pair out and loads it.
func (f fixture) bundle(t *testing.T, s site, base string) *Bundle {
	t.Helper()
	p := s.lay(t, base, f.n.certPEM, f.n.keyPEM)
	p.CA = f.n.CA
	return load(t, p)
}

// which reads the pair as the daemon does: "old", "new", or what else it is.
func (f fixture) which(p Paths) string {
	cert, certErr := os.ReadFile(p.Cert)
	key, keyErr := os.ReadFile(p.Key)
	switch {
	case bytes.Equal(cert, f.n.certPEM) && bytes.Equal(key, f.n.keyPEM):
		return "old"
	case bytes.Equal(cert, f.r.CertPEM) && bytes.Equal(key, f.r.KeyPEM):
		return "new"
	}
	return fmt.Sprintf("mismatched (%d and %d bytes, %v, %v)", len(cert), len(key), certErr, keyErr)
}

// tree lists everything beneath base but the bytes.
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
		names = append(names, fmt.Sprintf("%s %v", strings.TrimPrefix(path, base), info.Mode()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestInstall(t *testing.T) {
	f := makeFixture(t)
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			base := realDir(t)
			b := f.bundle(t, s, base)
			before := tree(t, base)
			if err := Install(b, f.r); err != nil {
				t.Fatal(err)
			}
			if got := f.which(b.Paths); got != "new" {
				t.Errorf("the pair is %s", got)
			}
			if after := tree(t, base); !slices.Equal(before, after) {
				t.Errorf("names or modes were\n%v\nare\n%v", before, after)
			}
			if again := load(t, b.Paths); again.Leaf.SerialNumber.String() != f.r.NewSerial {
				t.Error("another certificate was installed")
			}
			if recovered, err := Recover(b.Paths); recovered || err != nil {
				t.Errorf("there was something to recover: %v, %v", recovered, err)
			}
		})
	}
}

// TestInstallKilled stops the process before every change of the disk.
func TestInstallKilled(t *testing.T) {
	f := makeFixture(t)
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			points := 0
			for n := 0; ; n++ {
				base := realDir(t)
				b := f.bundle(t, s, base)
				before := tree(t, base)
				d := &recorder{failAt: n, crash: true}
				err := install(d, b, f.r)
				if len(d.log) <= n {
					if err != nil {
						t.Fatal(err)
					}
					break
				}
				points++
				seen := f.which(b.Paths)
				if seen != "old" && seen != "new" {
					t.Fatalf("killed at %d (%v): the pair is %s", n, d.log[n], seen)
				}
				if err == nil && seen != "new" {
					t.Fatalf("killed at %d: success was reported, the pair is %s", n, seen)
				}
				// The recovery is killed everywhere too, before it may end.
				for m := 0; ; m++ {
					d := &recorder{failAt: m, crash: true}
					_, err := tidy(d, b.Paths)
					if got := f.which(b.Paths); got != seen {
						t.Fatalf("killed at %d, recovery at %d: the pair is %s, was %s", n, m, got, seen)
					}
					if len(d.log) <= m {
						if err != nil {
							t.Fatalf("killed at %d: recovery: %v", n, err)
						}
						break
					}
				}
				if after := tree(t, base); !slices.Equal(before, after) {
					t.Fatalf("killed at %d: names or modes were\n%v\nare\n%v", n, before, after)
				}
			}
			if points < 25 {
				t.Errorf("only %d points", points)
			}
		})
	}
}

// TestInstallErrors fails every change once: the old pair stays and nothing
// else, or the new one is installed.
func TestInstallErrors(t *testing.T) {
	f := makeFixture(t)
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			for n := 0; ; n++ {
				base := realDir(t)
				b := f.bundle(t, s, base)
				before := tree(t, base)
				d := &recorder{failAt: n}
				err := install(d, b, f.r)
				if len(d.log) <= n {
					break
				}
				want := "new"
				if err != nil {
					want = "old"
					checkError(t, err, b.Paths.Cert, ErrInstall, "writable")
					if !errors.Is(err, errPower) {
						t.Fatalf("error at %d: got %v", n, err)
					}
				}
				if got := f.which(b.Paths); got != want {
					t.Fatalf("error at %d (%v): %v, and the pair is %s", n, d.log[n], err, got)
				}
				if after := tree(t, base); !slices.Equal(before, after) {
					t.Fatalf("error at %d: names or modes were\n%v\nare\n%v", n, before, after)
				}
			}
		})
	}
}

func TestInstallOneFile(t *testing.T) {
	f := makeFixture(t)
	both := slices.Concat(f.n.keyPEM, f.n.certPEM)
	lay := func() (string, *Bundle) {
		base := realDir(t)
		path := base + "/node.pem"
		write(t, path, both, 0o600)
		return base, load(t, Paths{Cert: path, Key: path, CA: f.n.CA})
	}
	for n := 0; ; n++ {
		base, b := lay()
		d := &recorder{failAt: n, crash: true}
		err := install(d, b, f.r)
		serial := load(t, b.Paths).Leaf.SerialNumber.String()
		if serial != f.r.NewSerial && (err == nil || serial != f.r.OldSerial) {
			t.Fatalf("killed at %d: %v, serial %s", n, err, serial)
		}
		if _, err := Recover(b.Paths); err != nil {
			t.Fatal(err)
		}
		if got := tree(t, base); len(got) != 2 || !strings.HasPrefix(got[1], "/node.pem -rw-------") {
			t.Fatalf("killed at %d: left %v", n, got)
		}
		if len(d.log) <= n {
			break
		}
	}
}

func TestInstallRefusesAChangedFile(t *testing.T) {
	f := makeFixture(t)
	for _, name := range []string{"node.crt", "node.key"} {
		base := realDir(t)
		b := f.bundle(t, sites[0], base)
		write(t, filepath.Join(base, name), []byte("replaced by hand"), 0o600)
		before := tree(t, base)
		checkError(t, Install(b, f.r), b.Paths.Cert, ErrInstall, "changed since it was read")
		if after := tree(t, base); !slices.Equal(before, after) {
			t.Errorf("names were %v, are %v", before, after)
		}
	}
	base := realDir(t)
	path := base + "/node.pem"
	write(t, path, slices.Concat(f.n.keyPEM, f.n.certPEM), 0o600)
	b := load(t, Paths{Cert: path, Key: path, CA: f.n.CA})
	write(t, path, []byte("replaced by hand"), 0o600)
	checkError(t, Install(b, f.r), path, ErrInstall, "changed since it was read")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	checkError(t, Install(b, f.r), path, ErrInstall, "")
}

// interrupted stops an installation when the pair is linked, before or after
// the commit point.
func interrupted(t *testing.T, f fixture, b *Bundle, committed bool) {
	t.Helper()
	for n := 0; ; n++ {
		if info, err := os.Lstat(b.Paths.Cert); err == nil && info.Mode()&fs.ModeSymlink != 0 && (f.which(b.Paths) == "new") == committed {
			return
		}
		_, _ = Recover(b.Paths)
		write(t, b.Paths.Cert, f.n.certPEM, 0o644)
		write(t, b.Paths.Key, f.n.keyPEM, 0o600)
		d := &recorder{failAt: n, crash: true}
		_ = install(d, b, f.r)
		if len(d.log) <= n {
			t.Fatal("no such point")
		}
	}
}

// TestRecoverLeavesTheOperatorsFiles: who replaces the files by hand after a
// crash keeps what was put there.
func TestRecoverLeavesTheOperatorsFiles(t *testing.T) {
	f := makeFixture(t)
	for _, committed := range []bool{false, true} {
		base := realDir(t)
		b := f.bundle(t, sites[0], base)
		interrupted(t, f, b, committed)
		for _, path := range []string{b.Paths.Cert, b.Paths.Key} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, []byte("by hand"), 0o600)
		}
		if recovered, err := Recover(b.Paths); !recovered || err != nil {
			t.Fatalf("%v, %v", recovered, err)
		}
		for _, path := range []string{b.Paths.Cert, b.Paths.Key} {
			if data, _ := os.ReadFile(path); string(data) != "by hand" {
				t.Errorf("%s was replaced", path)
			}
		}
		if got := tree(t, base); len(got) != 3 {
			t.Errorf("left %v", got)
		}
	}
}

func TestRecoverFails(t *testing.T) {
	f := makeFixture(t)
	base := realDir(t)
	b := f.bundle(t, sites[0], base)
	interrupted(t, f, b, true)
	if err := os.RemoveAll(base + "/.node.crt.edged-rotation"); err != nil {
		t.Fatal(err)
	}
	recovered, err := Recover(b.Paths)
	if recovered {
		t.Error("reported as recovered")
	}
	checkError(t, err, b.Paths.Cert, ErrRecover, "deploy certificate and key again")
	checkError(t, Install(b, f.r), b.Paths.Cert, ErrRecover, "")

	loop := realDir(t) + "/loop"
	symlink(t, "loop", loop)
	_, err = Recover(Paths{Cert: loop, Key: loop})
	checkError(t, err, loop, ErrRecover, "loop")
}

func TestRecoverWithoutFiles(t *testing.T) {
	base := realDir(t)
	for _, p := range []Paths{{Cert: base + "/no/node.crt", Key: base + "/no/node.key"}, {Cert: base + "/node.crt", Key: base + "/node.key"}} {
		if recovered, err := Recover(p); recovered || err != nil {
			t.Errorf("%v, %v", recovered, err)
		}
	}
}

func TestInstallKeepsTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	f := makeFixture(t)
	base := realDir(t)
	b := f.bundle(t, sites[0], base)
	if err := os.Chown(b.Paths.Key, 4242, 4343); err != nil {
		t.Skip(err)
	}
	if err := Install(b, f.r); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(b.Paths.Key)
	if err != nil {
		t.Fatal(err)
	}
	if o := ownerOf(info); o.uid != 4242 || o.gid != 4343 || o.mode != 0o600 {
		t.Errorf("got %+v", o)
	}
}

// TestRotateAnExpiredLeaf: the way back from an expired certificate.
func TestRotateAnExpiredLeaf(t *testing.T) {
	n := makeNode(t, t.TempDir(), ecKey(t), ecKey(t), func(_, leaf *x509.Certificate) { leaf.NotAfter = now.Add(-day) })
	b := load(t, n.Paths)
	if err := Check(b, now, MinLeft); !errors.Is(err, ErrExpired) {
		t.Fatal(err)
	}
	r, err := Rotate(b, n.caKey, DefaultValidDays, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := Install(b, r); err != nil {
		t.Fatal(err)
	}
	if err := Check(load(t, n.Paths), now, MinLeft); err != nil {
		t.Error(err)
	}
}
