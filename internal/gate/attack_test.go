package gate

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
)

// meddler swaps something on the disk between two operations of a boot: a race
// that an attacker with write access to a folder would win.
type meddler struct {
	durable.FS
	at     func(op, name string) bool
	meddle func()
	done   *bool
}

func (m meddler) watch(op, name string) {
	if !*m.done && m.at(op, name) {
		*m.done = true
		m.meddle()
	}
}

func (m meddler) Open(name string) (durable.File, error) {
	m.watch("open", name)
	return m.FS.Open(name)
}

func (m meddler) Rename(from, to string) error { m.watch("rename", to); return m.FS.Rename(from, to) }

func (m meddler) Lstat(name string) (durable.Info, error) {
	m.watch("lstat", name)
	return m.FS.Lstat(name)
}

type meddledRoot struct {
	Root
	fs durable.FS
}

func (m meddledRoot) FS() durable.FS { return m.fs }

// meddle calls a function once, just before the operation for which at is true.
func (n *node) meddle(at func(op, name string) bool, do func()) (happened *bool) {
	happened = new(bool)
	n.edit = func(h *Host) {
		h.OpenRoot = func(p string, opt stateroot.Options) (Root, error) {
			root, err := openQuick(p, opt)
			if err != nil {
				return nil, err
			}
			return meddledRoot{root, meddler{root.FS(), at, do, happened}}, nil
		}
	}
	return happened
}

// TestAttack_SwappedBetweenValidationAndUse: what was validated is exchanged
// before it is used. Nothing unverified is installed, nothing outside is
// written.
func TestAttack_SwappedBetweenValidationAndUse(t *testing.T) {
	nth := func(count int, op, name string) func(string, string) bool {
		return func(gotOp, gotName string) bool {
			if gotOp == op && gotName == name {
				count--
			}
			return count == 0
		}
	}
	const source = "runtime/binaries/app"
	pinned := strings.Replace(oneOp, `"dst"`, `"blake3":"`+blake3Hex([]byte("#!app"))+`","dst"`, 1)
	cases := []struct {
		name     string
		manifest string
		at       func(op, name string) bool
		do       func(n *node)
		exit     int
	}{
		{"the source becomes a symlink", oneOp, nth(2, "open", source), func(n *node) { n.plant("symlink", n.path(source)) }, ExitReconstruction},
		{"the source becomes a FIFO", oneOp, nth(2, "open", source), func(n *node) { n.plant("fifo", n.path(source)) }, ExitReconstruction},
		{"the source's folder becomes a symlink", oneOp, nth(2, "open", source), func(n *node) {
			n.check(os.Rename(n.path("runtime/binaries"), n.file("moved")))
			n.check(os.Symlink(n.file("moved"), n.path("runtime/binaries")))
		}, ExitReconstruction},
		{"the source gets a second name", oneOp, nth(2, "open", source), func(n *node) {
			n.check(os.Link(n.path(source), n.file("another name")))
		}, ExitReconstruction},
		{"pinned bytes are exchanged", pinned, nth(2, "open", source), func(n *node) { n.write(source, []byte("#!bad")) }, ExitReconstruction},
		{"the destination's folder becomes a symlink", oneOp, nth(1, "rename", "bin/app"), func(n *node) {
			n.check(os.Rename(n.path("bin"), n.file("moved")))
			n.mkdir(n.file("target"))
			n.check(os.Symlink(n.file("target"), n.path("bin")))
		}, ExitReconstruction},
		{"the destination becomes a folder", oneOp, nth(1, "rename", "bin/app"), func(n *node) { n.mkdir(n.path("bin/app/x")) }, ExitReconstruction},
		{"the destination becomes a symlink: replaced, not followed", oneOp, nth(1, "rename", "bin/app"), func(n *node) { n.plant("symlink", n.path("bin/app")) }, ExitOK},
		{"the manifest is exchanged after it was read", oneOp, nth(1, "open", sigPath), func(n *node) {
			n.write(manPath, []byte(`{"version":"1","operations":[{"op":"copy_binary","src":"app","dst":"evil"}]}`))
		}, ExitOK},
	}
	for _, c := range cases {
		t.Run(slug(c.name), func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			n.edit = quick
			n.stand("updated")
			n.deploy(c.manifest)
			n.writeFile(n.outside(), []byte("outside"))
			happened := n.meddle(c.at, func() { c.do(n) })
			n.boot(c.exit)
			if !*happened {
				t.Fatal("the moment of the attack never came")
			}
			if string(n.must(os.ReadFile(n.outside()))) != "outside" {
				t.Error("a file outside the state root was written")
			}
			if entries, err := os.ReadDir(n.file("target")); err == nil && len(entries) != 0 {
				t.Errorf("written through the link: %v", entries)
			}
			if _, err := os.Lstat(n.path("evil")); err == nil {
				t.Error("a manifest that nobody signed was carried out")
			}
			if data, err := os.ReadFile(n.path("bin/app")); err == nil && string(data) != "#!app" {
				t.Errorf("installed is %q", data)
			}
			n.edit = quick
			if c.exit == ExitOK {
				n.boot(ExitOK)
				return
			}
			if got := n.fingerprint().BootEpoch; got != 0 {
				t.Errorf("epoch %d after a failure", got)
			}
		})
	}
}

// TestAttack_SymlinkInEveryComponent: each folder that leads to something the
// gate reads or writes is replaced by a link to a copy outside the state root.
// A boot may fail; it never follows the link.
func TestAttack_SymlinkInEveryComponent(t *testing.T) {
	for _, dir := range []string{"bootstrap", "identity", "runtime", "runtime/binaries", "epoch", "epoch/current", "epoch/previous", "journal", "bin"} {
		t.Run(slug(dir), func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			n.edit = quick
			n.stand("updated")
			for range 2 {
				n.boot(ExitOK)
				n.update()
			}
			target := n.file("elsewhere")
			n.check(os.Rename(n.path(dir), target))
			n.check(os.Symlink(target, n.path(dir)))
			before := tree(t, target)
			dry := n.precheck(func(o *Options) { o.DryRun = true })
			got := n.precheck()
			if got != dry {
				t.Errorf("exit %d, the dry run ended in %d\n%s", got, dry, n.logs.String())
			}
			sameTree(t, "a boot", before, tree(t, target))
			followed := slices.Contains([]string{"identity", "runtime", "runtime/binaries", "journal", "bin"}, dir)
			if followed && got == ExitOK {
				t.Errorf("%s was followed", dir)
			}
			if !followed && got != ExitOK && got != ExitStateRoot {
				t.Errorf("exit %d\n%s", got, n.logs.String())
			}
		})
	}
}

// TestAttack_RolledBackTogether: state that was put back to an older copy, each
// part alone and every pair, never passes for newer than it is: the boot ends
// in exit 2, or what was older is made again.
func TestAttack_RolledBackTogether(t *testing.T) {
	parts := map[string][]string{
		"journal":     {"journal"},
		"head":        {"bootstrap/journal_head"},
		"fingerprint": {"bootstrap/os_fingerprint.json"},
		"evidence":    {"epoch"},
	}
	for _, c := range []struct {
		back string
		exit int
	}{
		{"journal", ExitStateRoot}, {"head", ExitOK}, {"fingerprint", ExitOK}, {"evidence", ExitOK},
		{"journal+head", ExitStateRoot}, {"journal+fingerprint", ExitStateRoot}, {"journal+evidence", ExitStateRoot},
		{"head+fingerprint", ExitOK}, {"head+evidence", ExitOK}, {"fingerprint+evidence", ExitOK},
		{"journal+head+fingerprint", ExitStateRoot}, {"journal+head+evidence", ExitStateRoot},
	} {
		t.Run(c.back, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			n.edit = quick
			n.stand("updated")
			n.boot(ExitOK)
			var back []string
			for part := range strings.SplitSeq(c.back, "+") {
				back = append(back, parts[part]...)
			}
			putBack := n.keep(back...)
			n.update()
			n.boot(ExitOK)
			n.boot(ExitOK)
			putBack()
			n.boot(c.exit)
			if c.exit != ExitOK {
				return
			}
			if got := n.fingerprint().BootEpoch; got != 2 {
				t.Errorf("epoch %d, want 2", got)
			}
			n.boot(ExitOK)
			if strings.Contains(n.logs.String(), "WARN") {
				t.Errorf("not made again at once:\n%s", n.logs.String())
			}
		})
	}
}

// TestAttack_UnmountedPartition: the empty folder of an unmounted
// partition is no first run.
func TestAttack_UnmountedPartition(t *testing.T) {
	n := newNode(t)
	delete(n.env, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK")
	n.boot(ExitStateRoot)
	if entries, err := os.ReadDir(n.root); err != nil || len(entries) != 0 {
		t.Errorf("%s holds %v %v", path.Base(n.root), entries, err)
	}
}
