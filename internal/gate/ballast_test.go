package gate

import (
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
