package gate

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/tlscert"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// rotating is a node whose pair lies on the disk that can lose power, five days
// before its end.
type rotating struct {
	*memNode
	cert, key string
}

func newRotating(t *testing.T, cert, key string) *rotating {
	r := &rotating{newMemNode(t), cert, key}
	r.authority(r.now.Add(-day), r.now.Add(5*day), r.now.Add(900*day))
	r.caKey()
	both := [][]byte{r.must(os.ReadFile(r.file("node.crt"))), r.must(os.ReadFile(r.file("node.key")))}
	if cert == key {
		both[0] = slices.Concat(both...)
		both[1] = both[0]
	}
	r.put(cert, both[0])
	r.put(key, both[1])
	disk := r.edit
	r.edit = func(h *Host) {
		disk(h)
		h.OpenPair = func(p tlscert.Paths) (*tlscert.Files, error) {
			if cert == key {
				p.Key = p.Cert
			}
			return tlscert.NewFiles(p, tlscert.File{FS: r.disk, Name: cert}, tlscert.File{FS: r.disk, Name: key}), nil
		}
	}
	r.firstBootAs(ExitOK)
	return r
}

// firstBootAs makes a history in which the leaf was not re-issued yet: its
// certificate is judged while it still has time.
func (r *rotating) firstBootAs(exit int) {
	was := r.now
	r.now = r.now.Add(-4 * day)
	r.boot(exit)
	r.now = was
	r.disk.SyncAll()
}

func (r *rotating) leafIn(disk *memfs.FS, name string) *x509.Certificate {
	r.t.Helper()
	data, _, err := durable.ReadFile(disk, name, 1<<20)
	r.check(err)
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	r.check(err)
	return cert
}

// judge requires that the pair on the disk matches, that the journal names
// its origin, and that no file of a replacement is left.
func (r *rotating) judge(when string, disk *memfs.FS) {
	r.t.Helper()
	r.disk = disk
	host := LinuxHost()
	r.edit(&host)
	files, err := host.OpenPair(tlscert.Paths{Cert: r.file("node.crt"), Key: r.file("node.key"), CA: r.file("ca.crt")})
	r.check(err)
	bundle, err := files.Load()
	if err != nil {
		r.t.Fatalf("%s: %v", when, err)
	}
	var issued []machine.CertificateRotated
	lines, err := records(r.t, disk)
	r.check(err)
	view, err := journal.OpenView(disk, layout)
	r.check(err)
	defer view.Close()
	for rec, err := range view.Records(1, uint64(len(lines))) {
		r.check(err)
		e, err := replay.Event(rec)
		r.check(err)
		if p, ok := e.Payload.(machine.CertificateRotated); ok {
			issued = append(issued, p)
		}
	}
	if len(issued) != 1 || issued[0].OldSerial != r.serial.String() || issued[0].NewSerial != bundle.Leaf.SerialNumber.String() ||
		!issued[0].NotAfter.Equal(bundle.Leaf.NotAfter) {
		r.t.Fatalf("%s: in place is %v, the journal says %+v", when, bundle.Leaf.SerialNumber, issued)
	}
	if was := r.leafIn(disk, r.cert+".previous"); was.SerialNumber.Cmp(r.serial) != 0 {
		r.t.Errorf("%s: the previous certificate is %v", when, was.SerialNumber)
	}
	for name := range disk.Dump() {
		if strings.Contains(path.Base(name), ".edged-") {
			r.t.Errorf("%s: %s is left", when, name)
		}
	}
}

// TestCrashRotation loses power at every operation of a boot that re-issues the
// certificate. The next boot passes, as its dry run says; the pair matches, and
// exactly one event names its origin.
func TestCrashRotation(t *testing.T) {
	for _, site := range [][2]string{{"tls/node.crt", "tls/node.key"}, {"certs/node.pem", "private/node.pem"}, {"tls/node.pem", "tls/node.pem"}} {
		t.Run(strings.Join(site[:], " "), func(t *testing.T) {
			r := newRotating(t, site[0], site[1])
			base, now, boots := r.disk, r.now, r.boots
			var at []int
			r.disk = base.Clone()
			r.disk.SetHook(func(op memfs.Op) error {
				if op.Mutates {
					at = append(at, op.N)
				}
				return nil
			})
			r.boot(ExitOK)
			r.disk.SetHook(nil)
			r.judge("no crash", r.disk)

			points, stride := 0, every(3)
			for i := 0; i < len(at); i += stride {
				r.now, r.boots, r.disk = now, boots, base.Clone()
				dying := r.disk
				dying.SetHook(func(op memfs.Op) error {
					if op.N == at[i] {
						dying.Ghost()
					}
					return nil
				})
				r.precheck()
				left := map[string]*memfs.FS{"none": dying.Crash(memfs.Crash{}), "all": dying.Crash(memfs.Crash{Keep: memfs.All})}
				for seed := range uint64(3) {
					left[fmt.Sprint("random ", seed)] = dying.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed + uint64(at[i])<<8})
				}
				for kept, disk := range left {
					points++
					when := fmt.Sprintf("operation %d, kept %s", at[i], kept)
					r.disk = disk
					before := disk.Dump()
					if got := r.precheck(func(o *Options) { o.DryRun = true }); got != ExitOK {
						t.Fatalf("%s: a dry run exits %d\n%s", when, got, r.logs.String())
					}
					if after := disk.Dump(); fmt.Sprint(before) != fmt.Sprint(after) {
						t.Fatalf("%s: the dry run wrote", when)
					}
					if got := r.precheck(); got != ExitOK {
						t.Fatalf("%s: the next boot exits %d\n%s", when, got, r.logs.String())
					}
					r.judge(when, disk)
				}
			}
			t.Logf("%d crash points", points)
		})
	}
}

// TestRotation_AskedForAndCutShort: --rotate-certs of the run that completes a
// rotation does not make another one, whose previous pair was never in use.
func TestRotation_AskedForAndCutShort(t *testing.T) {
	r := newRotating(t, "tls/node.crt", "tls/node.key")
	r.disk.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpRename && op.New == "tls/node.crt" {
			r.disk.Ghost()
		}
		return nil
	})
	r.precheck()
	r.disk = r.disk.Crash(memfs.Crash{Keep: memfs.All})
	r.boot(ExitOK, func(o *Options) { o.RotateCerts = true })
	r.judge("asked for again", r.disk)
}

// TestRotation_NotJournaled: a journal that cannot be written ends the run, the
// pair matches, and the next run journals it.
func TestRotation_NotJournaled(t *testing.T) {
	r := newRotating(t, "tls/node.crt", "tls/node.key")
	replaced := false
	r.disk.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpRename && op.New == "tls/node.crt" {
			replaced = true
		}
		if replaced && op.Mutates && !strings.HasPrefix(op.Name, "tls/") && op.Name != "tls" {
			return syscall.EIO
		}
		return nil
	})
	if got := r.precheck(); got != ExitStateRoot {
		t.Fatalf("exit %d\n%s", got, r.logs.String())
	}
	r.disk.SetHook(nil)
	r.boot(ExitOK)
	r.judge("after a journal that could not be written", r.disk)
}

// TestRotation_ReadOnlyFolder: a dry run reports that the pair cannot be replaced.
func TestRotation_ReadOnlyFolder(t *testing.T) {
	n := newNode(t)
	n.authority(n.now.Add(-day), n.now.Add(3*day), n.now.Add(900*day))
	for _, name := range []string{"node.crt", "node.key"} {
		n.writeFile(n.file("tls/"+name), n.must(os.ReadFile(n.file(name))))
		n.setConfig(n.file(name), n.file("tls/"+name))
	}
	n.caKey()
	tls := n.file("tls")
	if err := syscall.Mount(tls, tls, "", syscall.MS_BIND, ""); err != nil {
		t.Skip("bind mounts are not permitted: ", err)
	}
	t.Cleanup(func() { n.check(syscall.Unmount(tls, syscall.MNT_DETACH)) })
	if err := syscall.Mount("", tls, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip("read-only bind mounts are not permitted: ", err)
	}
	for _, dry := range []bool{true, false} {
		logs := n.boot(ExitCertificate, func(o *Options) { o.DryRun = dry })
		if !bytes.Contains([]byte(logs), []byte("read-only file system")) {
			t.Error(logs)
		}
	}
}
