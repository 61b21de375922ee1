package gate

import (
	"context"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/journal"
)

// shortages are the ways in which a disk takes nothing new, and yet overwrites
// what it has.
var shortages = map[string]struct {
	begins func(disk *memfs.FS)
	says   string
}{
	"no free block":     {func(disk *memfs.FS) { disk.SetCapacity(disk.Used()) }, "no space left"},
	"no free inode":     {func(disk *memfs.FS) { disk.SetInodes(disk.Inodes()) }, "no space left"},
	"no metadata space": {refuses(syscall.ENOSPC, names), "no space left"},
	"a folder that is read-only": {refuses(syscall.EROFS, func(op memfs.Op) bool {
		return names(op) && strings.HasPrefix(op.Name, "journal/")
	}), "read-only file system"},
	"an I/O error in a table": {refuses(syscall.EIO, func(op memfs.Op) bool {
		return op.Kind == memfs.OpWrite && strings.HasSuffix(op.Name, ".sst")
	}), "input/output error"},
}

// names reports whether an operation makes or changes a name.
func names(op memfs.Op) bool {
	return op.Kind == memfs.OpCreate || op.Kind == memfs.OpMkdir || op.Kind == memfs.OpRename
}

func refuses(with syscall.Errno, what func(op memfs.Op) bool) func(disk *memfs.FS) {
	return func(disk *memfs.FS) {
		disk.SetHook(func(op memfs.Op) error {
			if what(op) {
				return with
			}
			return nil
		})
	}
}

// TestFullDisk: a healthy node passes hundreds of boots on a disk that takes
// nothing new, so that the daemon that frees space can start. Every record is
// kept, each boot in which settling was due reports that it failed, and no extra file is
// left. After space was freed the node settles by itself.
func TestFullDisk(t *testing.T) {
	createTails(t, realTail)
	for name, shortage := range shortages {
		t.Run(name, func(t *testing.T) {
			m := newMemNode(t)
			m.certificate(day * 365)
			m.firstBoot()
			shortage.begins(m.disk)
			before, listed := acknowledged(t, m.disk), m.listing()
			const boots = 300
			for i := range boots {
				m.boot(ExitOK)
				warned := strings.Count(m.logs.String(), "level=WARN msg=edge.journal.unsettled ")
				if due := len(before)+i+1 >= settlingDue; warned != map[bool]int{true: 1}[due] || warned != strings.Count(m.logs.String(), "\n") {
					t.Fatalf("boot %d, settling due: %v\n%s", i, due, m.logs.String())
				} else if due {
					m.logged("level=WARN", shortage.says, "next=")
				}
				if now := m.listing(); !slices.Equal(now, listed) {
					t.Fatalf("boot %d left %v, before %v", i, now, listed)
				}
			}
			m.disk.SetHook(nil)
			m.disk.SetCapacity(-1)
			m.disk.SetInodes(-1)
			after, err := records(t, m.disk)
			m.check(err)
			if len(after) != len(before)+boots || !slices.Equal(after[:len(before)], before) {
				t.Fatalf("%d records, before %d", len(after), len(before))
			}
			m.silent()
			m.unsettled(1)
			m.wholeAndTidy(after)
		})
	}
}

// listing names every file and directory.
func (m *memNode) listing() (names []string) {
	m.t.Helper()
	for dirs := []string{"."}; len(dirs) > 0; dirs = dirs[1:] {
		entries, err := m.disk.ReadDir(dirs[0])
		m.check(err)
		for _, e := range entries {
			name := path.Join(dirs[0], e.Name)
			if names = append(names, name); e.IsDir() {
				dirs = append(dirs, name)
			}
		}
	}
	return names
}

// wholeAndTidy requires that the journal verifies, holds the records, and that
// its folder holds the tail and what Pebble needs.
func (m *memNode) wholeAndTidy(holds []string) {
	m.t.Helper()
	prefix(m.t, m.disk, holds)
	view, err := journal.OpenView(m.disk, layout)
	m.check(err)
	defer view.Close() //nolint:errcheck // read-only
	rep, err := journal.Verify(context.Background(), view.Source(), journal.VerifyOptions{Storage: true})
	m.check(err)
	if !rep.OK || len(rep.Findings) != 0 {
		m.t.Errorf("%+v", rep.Findings)
	}
	manifests := 0
	for _, name := range files(m.t, m.disk, "") {
		switch name = strings.TrimPrefix(name, "journal/"); {
		case strings.HasPrefix(name, "MANIFEST-"):
			manifests++
		case name != "tail" && name != layout.Head && !strings.HasPrefix(name, "marker.") && !strings.HasSuffix(name, ".sst"):
			m.t.Errorf("%s is left behind", name)
		}
	}
	if manifests > 2 { // Pebble keeps the one before
		m.t.Errorf("%d manifests", manifests)
	}
}

// A tail that is full and cannot settle is the end of it, until there is space.
func TestFullTail(t *testing.T) {
	createTails(t, smallTail)
	m := newMemNode(t)
	m.firstBoot()
	m.disk.SetCapacity(m.disk.Used())
	boots, dry := 0, func(o *Options) { o.DryRun = true }
	for m.precheck(dry) == ExitOK && m.precheck() == ExitOK {
		boots++
	}
	if boots != 25 {
		t.Errorf("%d boots passed, the tail has room for 25 more", boots)
	}
	for range 3 {
		m.boot(ExitStateRoot)
		m.logged("level=ERROR", "precheck: journal cannot be settled", "no space left", "next=")
	}
	kept, err := records(t, m.disk)
	m.check(err)
	m.disk.SetCapacity(-1)
	m.boot(ExitOK)
	m.silent()
	m.wholeAndTidy(kept)
}

// On a full disk a damaged journal is not salvaged: the message names the path that
// has no room, and nothing is changed. After space was freed it is salvaged.
func TestFullDisk_Salvage(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			m := damaged(t, damage)
			m.salvageConfig()
			unchanged := func() {
				t.Helper()
				before := m.disk.Dump()
				m.boot(ExitStateRoot, func(o *Options) { o.DryRun = true })
				m.logged("level=ERROR", "precheck: journal cannot be salvaged", "no space left", "next=")
				m.boot(ExitStateRoot)
				m.logged("level=ERROR", "precheck: journal cannot be salvaged", "/state/journal.salvage-", "no space left", "next=")
				after := m.disk.Dump()
				delete(before, "bootstrap/last_failure.json")
				delete(after, "bootstrap/last_failure.json")
				if !maps.Equal(before, after) {
					t.Errorf("the disk was changed: %v, before %v", after, before)
				}
			}
			for room := range int64(8) {
				m.disk.SetCapacity(m.disk.Used() + room<<19)
				unchanged()
			}
			m.disk.SetCapacity(-1)
			for room := range int64(8) {
				m.disk.SetInodes(m.disk.Inodes() + room)
				unchanged()
			}
			m.disk.SetInodes(-1)
			m.boot(ExitOK)
			m.logged("edge.journal.salvaged")
			m.logged("edge.os.reconstruction_completed", "boot_epoch=2")
			m.silent()
		})
	}
}

// The settling that failed is in the metrics, until one succeeds.
func TestFullDisk_Metrics(t *testing.T) {
	m := newMemNode(t)
	m.gateKeys("metrics_file: " + m.file("edged.prom"))
	m.firstBoot()
	m.cleanBoots(settlingDue)
	m.disk.SetCapacity(m.disk.Used())
	m.boot(ExitOK)
	said := func(want string) {
		t.Helper()
		if text := string(m.must(os.ReadFile(m.file("edged.prom")))); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	said("edged_journal_unsettled 1")
	m.disk.SetCapacity(-1)
	m.boot(ExitOK)
	said("edged_journal_unsettled 0")
}
