package projections_test

import (
	"slices"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// The order of a publication is a promise: evidence is durable before the
// fingerprint that names its epoch, and each rename follows the flush of the renamed
// file.
func TestOrderOfPublication(t *testing.T) {
	h := newHistory(t, journalID).initial().epoch(1, 0)
	one := h.state()
	two := h.epoch(2, 2).state()
	stage := []string{"mkdir epoch/epoch_77.tmp", "create epoch/epoch_77.tmp/evidence.json", "write epoch/epoch_77.tmp/evidence.json",
		"sync epoch/epoch_77.tmp/evidence.json", "syncdir epoch/epoch_77.tmp"}
	fingerprint := []string{"create bootstrap/os_fingerprint.json.tmp", "write bootstrap/os_fingerprint.json.tmp", "sync bootstrap/os_fingerprint.json.tmp",
		"rename bootstrap/os_fingerprint.json.tmp bootstrap/os_fingerprint.json", "syncdir bootstrap"}
	first := projected(t, one)
	edited := projected(t, two)
	edited[projections.CurrentPath] = "x"
	for _, tt := range []struct {
		name  string
		files map[string]string
		s     machine.State
		want  []string
	}{
		{"rotation", first, two, slices.Concat(stage, []string{
			"rename epoch/current epoch/previous", "rename epoch/epoch_77.tmp epoch/current", "syncdir epoch",
		}, fingerprint)},
		{"repair in place", edited, two, slices.Concat(stage, []string{
			"rename epoch/epoch_77.tmp/evidence.json epoch/current/evidence.json", "syncdir epoch/current",
			"remove epoch/epoch_77.tmp", "syncdir epoch",
		})},
		{"nothing to do", projected(t, two), two, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := disk(t, tt.files)
			var got []string
			m.SetHook(func(op memfs.Op) error {
				// The removal of an absent file is no step.
				if _, err := m.Clone().Lstat(op.Name); op.Mutates && (op.Kind != memfs.OpRemove || err == nil) {
					step := string(op.Kind) + " " + op.Name
					if op.New != "" {
						step += " " + op.New
					}
					got = append(got, step)
				}
				return nil
			})
			must(t, publish(m, tt.s, 77))
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}
