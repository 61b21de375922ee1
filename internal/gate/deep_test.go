package gate

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
)

// TestCrashDepth2 loses power in a boot, and again in the boot after it, at
// operations spread over both: recovery is a boot like any other, and is cut
// off like any other. The third boot reaches what the first would have.
func TestCrashDepth2(t *testing.T) {
	var points atomic.Int64
	t.Run("rows", func(t *testing.T) {
		for _, row := range crashRows() {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				points.Add(int64(deepRow(t, row)))
			})
		}
	})
	t.Logf("%d crash points at depth 2", points.Load())
}

// keeps are what each of the two crashes leaves of the unsynced data.
func keeps(seed int) []memfs.Crash {
	return []memfs.Crash{{Keep: memfs.None}, {Keep: memfs.All}, {Keep: memfs.Random, Seed: uint64(seed)}}
}

func deepRow(t *testing.T, row crashRow) (points int) {
	m := newMemNode(t)
	row.setup(m)
	m.disk.SyncAll()
	base, now := m.disk, m.now

	m.disk = base.Clone()
	first := m.mutations(row.exit)
	want := outcome(t, m.disk)
	outer, inner := dense(43, 5), dense(37, 7)
	for i := 0; i < len(first); i += outer {
		for _, once := range keeps(first[i]) {
			m.now, m.disk = now, base.Clone()
			crashed := m.dies(first[i]).Crash(once)
			acked := acknowledged(t, crashed)
			later := m.now

			m.disk = crashed.Clone()
			second := m.mutations(row.exit)
			for j := i % inner; j < len(second); j += inner {
				m.now, m.disk = later, crashed.Clone()
				dying := m.dies(second[j])
				for _, twice := range keeps(second[j]) {
					points++
					where := fmt.Sprintf("operation %d, kept %+v, then operation %d, kept %+v", first[i], once, second[j], twice)
					m.disk = dying.Crash(twice)
					still := acknowledged(t, m.disk)
					if len(still) < len(acked) {
						t.Fatalf("%s: %d records were acknowledged, and then %d", where, len(acked), len(still))
					}
					if got := m.precheck(); got != row.exit {
						t.Fatalf("%s: the third boot exits %d, want %d\n%s", where, got, row.exit, m.logs.String())
					}
					if got := outcome(t, m.disk); got != want {
						t.Fatalf("%s: the outcome differs\n%s\nwant\n%s", where, got, want)
					}
					prefix(t, m.disk, acked)
					prefix(t, m.disk, still)
				}
			}
		}
	}
	return points
}

// mutations boots and gives the operations that changed the disk.
func (m *memNode) mutations(exit int) (at []int) {
	m.t.Helper()
	return m.operations(func() { m.boot(exit) })
}

// operations gives the operations of a run that changed the disk.
func (m *memNode) operations(run func()) (at []int) {
	m.disk.SetHook(func(op memfs.Op) error {
		if op.Mutates {
			at = append(at, op.N)
		}
		return nil
	})
	run()
	m.disk.SetHook(nil)
	return at
}

// dies boots and loses power at that operation; what still runs runs in vain.
func (m *memNode) dies(at int) *memfs.FS {
	dying := m.disk
	dying.SetHook(func(op memfs.Op) error {
		if op.N == at {
			dying.Ghost()
		}
		return nil
	})
	m.precheck()
	return dying
}
