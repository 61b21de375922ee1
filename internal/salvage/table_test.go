package salvage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/evidence/evidencetest"
	"github.com/autonomyops/edged/internal/stateroot"
)

// A table that is gone or cut short takes with it what only it held, and what
// came after that: the rest is kept, and what is lost is said.
func TestExamine_TableLost(t *testing.T) {
	h := evidencetest.New(t, t.TempDir())
	h.First()
	h.Settle(h.State)
	for range 3 {
		h.Match()
		h.Settle(h.State)
	}
	h.Rest()
	m := disk(t, h.Dir)
	all := records(t, m)
	names, err := durable.Names(m, stateroot.Journal)
	check(t, err)
	kept := map[int]bool{}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		name = stateroot.Journal + "/" + name
		for _, cut := range []bool{false, true} {
			d := m.Clone()
			if cut {
				data, _, err := durable.ReadFile(d, name, 1<<20)
				check(t, err)
				check(t, d.Remove(name))
				put(t, d, name, string(data[:len(data)-20]))
			} else {
				check(t, d.Remove(name))
			}
			who := someone()
			who.Node = evidencetest.Node
			e, have, err := examine(t, d, who)
			check(t, err)
			kept[len(have)] = true
			for i, raw := range have {
				if raw != string(all[i].Raw) {
					t.Errorf("%s: record %d differs", name, i+1)
				}
			}
			first, last := len(have)+1, len(all)
			want := fmt.Sprintf("records %d to %d: ", first, last)
			if first == last {
				want = fmt.Sprintf("record %d: ", last)
			}
			if int(e.Size) != len(have) || int(e.HeadSeq) != last || !strings.HasPrefix(e.Lost, want) || strings.Contains(e.Lost, "\n") {
				t.Errorf("%s: %d kept, %+v", name, len(have), e)
			}
		}
	}
	if len(kept) < 3 || kept[len(all)] {
		t.Errorf("kept %v of %d", kept, len(all))
	}
}
