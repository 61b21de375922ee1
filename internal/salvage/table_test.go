package salvage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/stateroot"
)

// A table that is missing or cut short loses the records that only it held and those after
// them: the others are kept, and the lost ones are reported.
func TestExamine_TableLost(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.First()
	h.Settle(h.State)
	for range 3 {
		h.Match()
		h.Settle(h.State)
	}
	h.Stop()
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
			req := someone()
			req.Node = historytest.Node
			e, have, err := examine(t, d, req)
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

// A tail that is missing, cut short or without headers loses the records that had not
// settled; if its frames can be read, nothing is lost.
func TestExamine_TailLost(t *testing.T) {
	for name, tt := range map[string]struct {
		harm func(tail []byte) []byte
		kept int
	}{
		"gone":                {func([]byte) []byte { return nil }, grownRecords - 2},
		"cut to its headers":  {func(b []byte) []byte { return b[:2*historytest.BlockLen] }, grownRecords - 2},
		"cut in a frame":      {func(b []byte) []byte { return b[:(historytest.FirstFrame+1)*historytest.BlockLen+100] }, grownRecords - 1},
		"without headers":     {func(b []byte) []byte { clear(b[:2*historytest.BlockLen]); return b }, grownRecords},
		"one frame damaged":   {func(b []byte) []byte { b[historytest.FirstFrame*historytest.BlockLen+200] ^= 1; return b }, grownRecords - 2},
		"every frame damaged": {func(b []byte) []byte { historytest.RotFrames(b); return b }, grownRecords - 2},
		"of another generation": {func(b []byte) []byte {
			frames := historytest.FirstFrame * historytest.BlockLen
			copy(b[frames:], b[frames+2*historytest.BlockLen:][:historytest.BlockLen])
			return b
		}, grownRecords - 2},
	} {
		t.Run(name, func(t *testing.T) {
			_, m := grown(t)
			all := records(t, m)
			tail := tt.harm([]byte(get(t, m, "journal/tail")))
			check(t, m.Remove("journal/tail"))
			if tail != nil {
				put(t, m, "journal/tail", string(tail))
			}
			e, have, err := examine(t, m, theNode())
			check(t, err)
			for i, raw := range have {
				if raw != string(all[i].Raw) {
					t.Errorf("record %d differs", i+1)
				}
			}
			if len(have) != tt.kept || int(e.Size) != tt.kept || e.HeadSeq != grownRecords || e.Epoch != 1 {
				t.Errorf("%d kept, %+v", len(have), e)
			}
			if whole := tt.kept == grownRecords; whole != strings.HasPrefix(e.Lost, "nothing that was acknowledged") || !whole && !strings.HasPrefix(e.Lost, "record") {
				t.Errorf("lost %s", e.Lost)
			}
		})
	}
}
