package journal

import (
	"sync/atomic"
	"testing"
)

// A run is killed at every operation, and the head is made durable. Then the power
// is cut: a reader sees the record that SyncHead has returned.
func TestCrashSyncHead(t *testing.T) {
	var tried atomic.Int64
	for _, s := range scenes(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			err := points(s.disk.Clone(), s.gate(), s.acked, every(2), func(p point) {
				disk := p.disk.Restart()
				head := must[HeadReport](t)(ReadHead(disk, small))
				readable, _ := head.Newest()
				tip, err := SyncHead(disk, small)
				if err != nil || tip != readable.Tip {
					t.Errorf("killed at %v: record %d, want %d, %v", p, tip.Seq, readable.Tip.Seq, err)
				}
				for _, c := range powerCuts(p.n) {
					tried.Add(1)
					if err := holds(disk.Crash(c), tip, tip); err != nil {
						t.Errorf("killed at %v, then a power cut, %+v: record %d: %v", p, c, tip.Seq, err)
					}
				}
			})
			noErr(t, err)
		})
	}
	t.Cleanup(func() { t.Logf("%d power cuts after a sync", tried.Load()) })
}
