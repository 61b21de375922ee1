package gate

import (
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable/memfs"
)

// faults are what a disk does instead of dying: one I/O error, an error that
// stays, a disk that is full from some operation on.
var faults = []struct {
	name string
	hit  func(op memfs.Op, at int) error
}{
	{"one EIO", func(op memfs.Op, at int) error {
		if op.N == at {
			return syscall.EIO
		}
		return nil
	}},
	{"EIO from then on", func(op memfs.Op, at int) error {
		if op.N >= at && op.Mutates {
			return syscall.EIO
		}
		return nil
	}},
	{"disk full from then on", func(op memfs.Op, at int) error {
		switch op.Kind {
		case memfs.OpCreate, memfs.OpMkdir, memfs.OpWrite, memfs.OpPreallocate:
			if op.N >= at {
				return syscall.ENOSPC
			}
		}
		return nil
	}},
}

// TestCrashMatrixFaults makes the disk fail at every operation of every row's boot.
// The boot ends with an exit code of the table, never with a panic or a hang;
// once the disk works again, the next boot reaches what the undisturbed one
// would have.
func TestCrashMatrixFaults(t *testing.T) {
	points := 0
	for _, row := range crashRows() {
		t.Run(row.name, func(t *testing.T) { points += faultRowMatrix(t, row) })
	}
	t.Logf("%d faults", points)
}

func faultRowMatrix(t *testing.T, row crashRow) (points int) {
	m := newMemNode(t)
	row.setup(m)
	m.disk.SyncAll()
	base, now := m.disk, m.now

	m.disk = base.Clone()
	first := m.disk.Ops()
	m.boot(row.exit)
	last, want := m.disk.Ops(), outcome(t, m.disk)

	stride := every(37)
	for _, fault := range faults {
		for at := first + 1; at <= last; at += stride {
			points++
			m.now, m.disk = now, base.Clone()
			disk := m.disk
			disk.SetHook(func(op memfs.Op) error { return fault.hit(op, at) })
			exit := bounded10s(t, m, fault.name, at)
			switch exit {
			case ExitOK, ExitStateRoot, ExitReconstruction:
			default:
				t.Fatalf("%s at operation %d: exit %d\n%s", fault.name, at, exit, m.logs.String())
			}
			disk.SetHook(nil)
			acked := acknowledged(t, disk)
			if got := m.precheck(); got != row.exit {
				t.Fatalf("%s at operation %d: the next boot exits %d, want %d\n%s", fault.name, at, got, row.exit, m.logs.String())
			}
			if got := outcome(t, disk); got != want {
				t.Fatalf("%s at operation %d: the outcome differs\n%s\nwant\n%s", fault.name, at, got, want)
			}
			prefix(t, disk, acked)
		}
	}
	return points
}

// bounded10s boots, and fails if a boot does not end.
func bounded10s(t *testing.T, m *memNode, fault string, at int) int {
	t.Helper()
	done := make(chan int, 1)
	go func() { done <- m.precheck() }()
	select {
	case exit := <-done:
		return exit
	case <-time.After(10 * time.Second):
		t.Fatalf("%s at operation %d: the boot hangs", fault, at)
		return 0
	}
}

// prefix requires that the disk's journal begins with the acknowledged records.
func prefix(t *testing.T, disk *memfs.FS, acked []string) {
	t.Helper()
	all, err := records(t, disk)
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range acked {
		if i >= len(all) || all[i] != raw {
			t.Fatalf("acknowledged record %d is lost or changed", i+1)
		}
	}
}
