package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/machine"
)

// A boot that was killed before a requested drill has not ended, although it found
// the baseline.
func TestDrillCutShort(t *testing.T) {
	for name, tt := range map[string]struct {
		between func(*historytest.History)
		clean   uint64
		flags   []string
	}{
		"killed": {func(*historytest.History) {}, 0, []string{"boot-unfinished x1", "mount-check-skipped x2"}},
		"cancelled": {func(h *historytest.History) {
			h.NextBoot()
			h.Append(machine.DrillCancelled{V: 1, By: "op", Reason: "not now"})
		}, 1, []string{"mount-check-skipped x2"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := historytest.New(t, t.TempDir())
			h.First()
			h.NextBoot()
			h.Append(machine.DrillRequested{V: 1, By: "op", Reason: "quarterly"})
			tt.between(h)
			h.Match()
			rep := tell(t, open(t, h))
			if got := rep.Epochs[0].CleanBoots.Count; got != 1+tt.clean {
				t.Errorf("%d clean boots", got)
			}
			same(t, "flags", codes(rep.Epochs[0]), tt.flags)
		})
	}
}

// A SnapshotTaken at the end or the beginning of a boot does not belong to it: the
// report is the same without.
func TestSnapshotsAreNotTold(t *testing.T) {
	story := func(snapshot func(h *historytest.History)) string {
		h := historytest.New(t, t.TempDir())
		h.First()
		snapshot(h)
		h.NextBoot()
		snapshot(h) // and the power fails
		h.Reconstruct(historytest.NewOS, 1)
		snapshot(h)
		h.Match()
		rep := tell(t, open(t, h))
		var all []string
		for _, e := range rep.Epochs {
			all = append(all, fmt.Sprintf("clean %d, events %d, flags %v", e.CleanBoots.Count, len(e.Events), codes(e)))
			if r := e.Reconstruction; r != nil {
				all = append(all, fmt.Sprintf("%d attempts in %d ms", len(r.Attempts), r.GateMS))
			}
		}
		return fmt.Sprintf("%d boots, %s", rep.Boots, strings.Join(all, ", "))
	}
	want := story(func(*historytest.History) {})
	got := story(func(h *historytest.History) {
		e := h.Entry(string(machine.KindSnapshotTaken), false)
		e.UptimeMS = 60_000 // settling took a minute
		e.Data = fmt.Appendf(nil, `{"blake3":"%064d","of":%d,"v":1}`, 0, h.State.Seq)
		h.Write(e)
	})
	if got != want {
		t.Errorf("with snapshots\n%s\nwithout\n%s", got, want)
	}
}
