package gate

import (
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
)

// On a full disk a clean boot passes on its ballast: also the boot after a
// crash, which has to move the journal's log into tables before it can append.
func TestBallast_FullDisk(t *testing.T) {
	for name, crash := range map[string]bool{"at rest": false, "after a crash": true} {
		t.Run(name, func(t *testing.T) {
			m := newMemNode(t)
			m.firstBoot()
			m.boot(ExitOK)
			if crash {
				disk := m.disk
				disk.SetHook(func(op memfs.Op) error {
					if op.Kind == memfs.OpDatasync && op.Name == "bootstrap/journal_head" {
						disk.Kill()
					}
					return nil
				})
				m.precheck()
				m.disk = disk.Crash(memfs.Crash{Keep: memfs.All})
			}
			m.disk.SetCapacity(m.disk.Used())
			m.boot(ExitOK)
			m.logged("level=WARN", "edge.disk.full")
			if _, err := m.disk.Lstat("bootstrap/ballast"); err == nil {
				t.Error("the ballast was not released")
			}
			m.disk.SetCapacity(-1)
			m.boot(ExitOK)
			if _, err := m.disk.Lstat("bootstrap/ballast"); err != nil {
				t.Errorf("with space back: %v", err)
			}
		})
	}
}

// A damaged journal on a full disk is salvaged on the ballast.
func TestBallast_Salvage(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			m := damaged(t, damage)
			m.salvageConfig()
			m.disk.SetCapacity(m.disk.Used())
			m.boot(ExitOK)
			m.logged("level=WARN", "edge.disk.full", "no space left", "journal.salvage-")
			m.logged("edge.os.reconstruction_completed", "boot_epoch=2")
			if n := strings.Count(m.logs.String(), "edge.journal.salvaged"); n != 1 {
				t.Errorf("%d salvages", n)
			}
			if _, err := m.disk.Lstat("bootstrap/ballast"); err == nil {
				t.Error("the ballast was not released")
			}
			m.disk.SetCapacity(-1)
			m.silent()
		})
	}
}

// Without a ballast the salvage says where the room was missing.
func TestBallast_SalvageWithout(t *testing.T) {
	m := damaged(t, damages["journal wiped"])
	m.salvageConfig()
	m.check(m.disk.Remove("bootstrap/ballast"))
	for room := range int64(4) {
		m.disk.SetCapacity(m.disk.Used() + room*4096)
		m.boot(ExitStateRoot)
		m.logged("level=ERROR", "precheck: journal cannot be salvaged", "/state/journal.salvage-", "no space left")
	}
	m.disk.SetCapacity(-1)
	m.boot(ExitOK)
}
