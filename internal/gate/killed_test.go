package gate

import (
	"fmt"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
)

// TestCrashMatrixKilled kills the gate at the operations of every row's boot,
// which loses nothing that calls can see, runs it again in the same boot, and
// then the power goes: at the operations of the second run, and after it. What
// the killed run wrote, and no disk holds, must not be what the second run
// builds on.
func TestCrashMatrixKilled(t *testing.T) {
	points := 0
	for _, row := range crashRows() {
		t.Run(row.name, func(t *testing.T) { points += killedRow(t, row) })
	}
	t.Logf("%d crash points", points)
}

func killedRow(t *testing.T, row crashRow) (points int) {
	m := newMemNode(t)
	row.setup(m)
	m.disk.SyncAll()
	base, now, boots := m.disk, m.now, m.boots

	m.disk = base.Clone()
	first := m.mutations(row.exit)
	want := outcome(t, m.disk)
	outer, inner := dense(29, 3), dense(23, 5)
	for i := 0; i < len(first); i += outer {
		m.now, m.boots, m.disk = now, boots, base.Clone()
		killed := m.dies(first[i])
		acked := acknowledged(t, killed.Crash(memfs.Crash{Keep: memfs.None}))
		left := killed.Restart()

		m.disk = left.Clone()
		where := fmt.Sprintf("killed at operation %d", first[i])
		second := m.operations(func() {
			if got := m.again(); got != row.exit {
				t.Fatalf("%s: the next run of the boot exits %d, want %d\n%s", where, got, row.exit, m.logs.String())
			}
		})
		whole := m.disk
		if got := outcome(t, whole); got != want {
			t.Fatalf("%s: the outcome of the next run differs\n%s\nwant\n%s\n%s", where, got, want, m.logs.String())
		}
		later, boot := m.now, m.boots
		for j := i % inner; j < len(second)+inner; j += inner {
			dying, at := whole, "after it"
			if j < len(second) {
				at = fmt.Sprintf("at operation %d of it", second[j])
				dying = left.Clone()
				dying.SetHook(func(op memfs.Op) error {
					if op.N == second[j] {
						dying.Ghost()
					}
					return nil
				})
				m.now, m.boots, m.disk = later, boot, dying
				m.again()
			}
			still := acknowledged(t, dying.Crash(memfs.Crash{Keep: memfs.None}))
			for _, keep := range keeps(first[i] + j) {
				points++
				where := fmt.Sprintf("%s, run again, and %s the power is gone, kept %+v", where, at, keep)
				m.now, m.boots, m.disk = later, boot, dying.Crash(keep)
				if got := m.precheck(); got != row.exit {
					t.Fatalf("%s: the next boot exits %d, want %d\n%s", where, got, row.exit, m.logs.String())
				}
				if got := outcome(t, m.disk); got != want {
					t.Fatalf("%s: the outcome differs\n%s\nwant\n%s\n%s", where, got, want, m.logs.String())
				}
				prefix(t, m.disk, acked)
				prefix(t, m.disk, still)
			}
		}
	}
	return points
}
