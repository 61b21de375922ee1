package journal

import (
	"slices"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/journal/record"
)

// TestBoots: many boots with settlings in between lead to one history, in memory
// and on disk.
func TestBoots(t *testing.T) {
	for name, open := range map[string]func() durable.FS{
		"memory": func() durable.FS { return newRoot(t) },
		"disk": func() durable.FS {
			r := must[*durable.Root](t)(durable.OpenRoot(t.TempDir()))
			t.Cleanup(func() { noErr(t, r.Close()) })
			noErr(t, r.Mkdir("bootstrap", 0o750))
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := open()
			var want []record.Tip
			for i := range 40 {
				g := &gate{boot: newBoot(), sizes: []int{1 + i%3}, acked: func(tip record.Tip) { want = append(want, tip) }}
				noErr(t, g.run(fsys))
				if g.action != (HeadAction{}) || g.unsettled != nil {
					t.Fatalf("boot %d: %+v, %v", i, g.action, g.unsettled)
				}
			}
			var got []record.Tip
			for _, r := range history(t, fsys) {
				got = append(got, tipOf(&r))
			}
			if !slices.Equal(got, want) {
				t.Errorf("read %d records, %d were acknowledged", len(got), len(want))
			}
			v := must[*View](t)(OpenView(fsys, small))
			defer v.Close()
			if v.Tip() != want[len(want)-1] || v.tail.header.base.Seq < 30 {
				t.Errorf("tip %v, base %v", v.Tip(), v.tail.header.base)
			}
		})
	}
}
