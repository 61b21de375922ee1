package explain_test

import (
	"testing"

	"github.com/autonomyops/edged/internal/evidence/evidencetest"
	"github.com/autonomyops/edged/machine"
)

// A boot that was killed before it did the drill it was asked for has not
// ended, although it found the baseline.
func TestDrillCutShort(t *testing.T) {
	for name, tt := range map[string]struct {
		between func(*evidencetest.History)
		clean   uint64
		flags   []string
	}{
		"killed": {func(*evidencetest.History) {}, 0, []string{"boot-unfinished x1", "mount-check-skipped x2"}},
		"cancelled": {func(h *evidencetest.History) {
			h.NextBoot()
			h.Append(machine.DrillCancelled{V: 1, By: "op", Reason: "not now"})
		}, 1, []string{"mount-check-skipped x2"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := evidencetest.New(t, t.TempDir())
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
