package salvage

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// A journal that is readable to its end yields every floor.
func TestExamine_Whole(t *testing.T) {
	h, m := grown(t)
	e, kept, err := examine(t, m, someone())
	check(t, err)
	want := machine.JournalSalvaged{V: 1, Predecessor: h.State.Journal, Size: grownRecords, LastHash: h.State.Hash, HeadSeq: grownRecords,
		Lost: "nothing that was acknowledged", Epoch: 1, TimeFloor: h.State.TimeFloor("").UTC(), ManifestKey: h.State.Keys.Manifest, By: "op", Reason: "bit rot"}
	if e.Serial == nil || *e.Serial != 7 {
		t.Errorf("serial %v", e.Serial)
	}
	if e.Serial = nil; !reflect.DeepEqual(e, want) {
		t.Errorf("got  %+v\nwant %+v", e, want)
	}
	if all := records(t, m); len(kept) != len(all) || kept[grownRecords-1] != string(all[grownRecords-1].Raw) {
		t.Errorf("%d records kept of %d", len(kept), len(all))
	}
}

// A rotation under which no epoch was completed yet is not undone.
func TestExamine_NewestKey(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.First()
	h.Reconstruct(historytest.NewOS, 1)
	for _, key := range []string{"second", "third"} {
		h.NextBoot()
		h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, NewKey: key, By: "op", Reason: "lost"})
	}
	h.NextBoot()
	h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeCheckpoint, NewKey: "fourth", By: "op", Reason: "lost"})
	h.Stop()
	e, _, err := examine(t, disk(t, h.Dir), someone())
	check(t, err)
	if e.ManifestKey != "third" || e.CheckpointKey != "fourth" {
		t.Errorf("manifest key %s, checkpoint key %s", e.ManifestKey, e.CheckpointKey)
	}
}

// A record that may not follow is kept all the same; of its floors only the epoch is known.
func TestExamine_NotFoldable(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.Wild = true
	h.First()
	odd := h.Entry(string(machine.KindEpochRotated), true)
	odd.Epoch = 9
	var err error
	odd.Data, err = machine.Encode(machine.EpochRotated{V: 1, BootEpoch: 9})
	check(t, err)
	h.Write(odd)
	h.Write(h.Entry("OfTheFuture", false))
	h.Stop()
	e, kept, err := examine(t, disk(t, h.Dir), someone())
	check(t, err)
	if len(kept) != 3 || e.Size != 3 || e.Epoch != 9 {
		t.Errorf("%d records, %+v", len(kept), e)
	}
}

// A newer release's journal has floors that this release does not know: a replaced key
// would be accepted again.
func TestExamine_Newer(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.Wild = true
	h.First()
	h.Write(h.Entry("OfTheFuture", true))
	h.Stop()
	m := disk(t, h.Dir)
	before := m.Dump()
	if _, err := Install(m, someone()); !errors.Is(err, machine.ErrNewer) {
		t.Errorf("%v", err)
	}
	if !maps.Equal(m.Dump(), before) {
		t.Error("something was changed")
	}
}

// Another node's partition is refused.
func TestExamine_Foreign(t *testing.T) {
	h, m := grown(t)
	for name, req := range map[string]Request{
		"name": {Node: "another"},
		"pin":  {Node: historytest.Node, Predecessor: uuid.NewString()},
	} {
		req.Run, req.NewID = uuid.NewString(), uuid.NewV7
		before := m.Dump()
		if _, err := Install(m, req); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
		if !maps.Equal(m.Dump(), before) {
			t.Errorf("%s: something was changed", name)
		}
	}
	req := theNode()
	req.Predecessor = h.State.Journal
	_, err := Install(m, req)
	check(t, err)
}

// Without a journal the floors come from the other files.
func TestExamine_NoJournal(t *testing.T) {
	h, m := grown(t)
	check(t, durable.RemoveAll(m, stateroot.Journal))
	if _, _, err := examine(t, m, someone()); !errors.Is(err, ErrNode) {
		t.Fatalf("a node without a name: %v", err)
	}
	req := someone()
	req.Node, req.Predecessor = "n", h.State.Journal
	e, kept, err := examine(t, m, req)
	check(t, err)
	if len(kept) != 0 || e.Size != 0 || e.Epoch != 1 || e.Serial == nil || *e.Serial != 7 || e.HeadSeq != grownRecords || e.Predecessor != h.State.Journal {
		t.Errorf("%+v", e)
	}
	if rotated := h.State.Current.Rotated.RotatedAt; !e.TimeFloor.Equal(rotated) {
		t.Errorf("floor %s, rotated at %s", e.TimeFloor, rotated)
	}
	if !strings.HasPrefix(e.Lost, "records 1 to 9") {
		t.Errorf("lost %s", e.Lost)
	}
	// Without a head file too, the id comes from the pin.
	check(t, m.Remove(stateroot.JournalHead))
	e, _, err = examine(t, m, req)
	check(t, err)
	if e.Predecessor != req.Predecessor || e.Epoch != 1 || !strings.HasPrefix(e.Lost, "all records after record 0, whose number is not known") {
		t.Errorf("%+v", e)
	}
}

// An edited file proves no time and no serial, which could lock the node out. Its epoch is
// used, unless it could never advance again.
func TestExamine_EditedFiles(t *testing.T) {
	_, m := grown(t)
	whole := get(t, m, projections.CurrentPath)
	check(t, durable.RemoveAll(m, stateroot.Journal))
	check(t, m.Remove(projections.FingerprintPath))
	req := someone()
	req.Node = "n"
	for _, tt := range []struct {
		name, file, data string
		epoch            uint64
		serial           int64 // 0: none
	}{
		{"as written", projections.CurrentPath, whole, 1, 7},
		{"serial edited", projections.CurrentPath, strings.Replace(whole, `"manifest_serial": 7`, `"manifest_serial": 700`, 1), 1, 0},
		{"epoch edited", projections.CurrentPath, strings.Replace(whole, `"boot_epoch": 1`, `"boot_epoch": 40`, 1), 40, 0},
		{"a fingerprint of an epoch", projections.FingerprintPath, `{"boot_epoch":12}`, 12, 7},
		{"an epoch beyond all", projections.FingerprintPath, `{"boot_epoch":18446744073709551615}`, 1, 7},
		{"no epoch at all", projections.FingerprintPath, `{"boot_epoch":-3}`, 1, 7},
		{"text", projections.FingerprintPath, `epoch 12`, 1, 7},
		{"nothing", projections.FingerprintPath, ``, 1, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := m.Clone()
			put(t, d, tt.file, tt.data)
			e, _, err := examine(t, d, req)
			check(t, err)
			serial := int64(0)
			if e.Serial != nil {
				serial = *e.Serial
			}
			if e.Epoch != tt.epoch || serial != tt.serial || e.TimeFloor.IsZero() == (tt.serial == 7) {
				t.Errorf("epoch %d, serial %d, floor %s", e.Epoch, serial, e.TimeFloor)
			}
		})
	}
}

func TestLost(t *testing.T) {
	advice := &errs.Error{Kind: errs.ErrCorrupt, Path: "journal", Seq: 4, Next: "salvage it", Err: &errs.Error{
		Kind: errs.ErrIO, Detail: "read it", Next: "repair it", Err: errors.New("crc\n<corruption detail carrier>")}}
	for _, tt := range []struct {
		tip, head uint64
		broken    error
		want      string
	}{
		{8, 8, nil, "nothing that was acknowledged"},
		{8, 5, nil, "nothing that was acknowledged"},
		{7, 8, nil, "record 8"},
		{3, 8, nil, "records 4 to 8"},
		{3, 0, nil, "all records after record 3, whose number is not known"},
		{3, 8, errors.New("torn"), "records 4 to 8: torn"},
		{3, 8, advice, "records 4 to 8: corrupt, at journal, record 4: read it: input/output error: crc"},
	} {
		if got := lost(journal.Prefix{Tip: record.Tip{Seq: tt.tip}, Broken: tt.broken}, machine.JournalSalvaged{HeadSeq: tt.head}); got != tt.want {
			t.Errorf("%d of %d: %q, want %q", tt.tip, tt.head, got, tt.want)
		}
	}
	long := lost(journal.Prefix{Broken: errors.New(strings.Repeat("é", 5000))}, machine.JournalSalvaged{})
	if len(long) > 2010 || strings.ToValidUTF8(long, "?") != long {
		t.Errorf("%d bytes", len(long))
	}
}

// Examine returns the errors of its reads.
func TestExamine_Errors(t *testing.T) {
	_, m := grown(t)
	broken := errors.New("broken")
	if _, err := Examine(m, someone(), func([]byte) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("keep: %v", err)
	}
	req := someone()
	req.NewID = func() (uuid.UUID, error) { return uuid.Nil, broken }
	if _, _, err := examine(t, m, req); !errors.Is(err, broken) {
		t.Errorf("id: %v", err)
	}
}

// The machine accepts the new journal as one that continues its predecessor.
func TestWrite(t *testing.T) {
	h, m := grown(t)
	plan, err := Examine(m, someone(), func([]byte) error { return nil })
	check(t, err)
	out := disk(t, t.TempDir())
	rec, err := plan.Write(out)
	check(t, err)
	all := records(t, out)
	if len(all) != 1 || all[0].Hash != rec.Hash || all[0].Journal != plan.ID.String() || all[0].Node != historytest.Node || all[0].Epoch != 1 {
		t.Errorf("%+v", all)
	}
	if all[0].Journal == h.State.Journal {
		t.Error("the new journal has the old one's id")
	}
	if _, err := plan.Write(out); err == nil {
		t.Error("a journal is written over another")
	}
	full := disk(t, t.TempDir())
	put(t, full, "bootstrap", "in the way")
	if _, err := plan.Write(full); err == nil {
		t.Error("written although bootstrap/ cannot be created")
	}
}

func TestPredecessor_FullDisk(t *testing.T) {
	out := disk(t, t.TempDir())
	p, err := NewPredecessor(out, ".")
	check(t, err)
	if _, err := NewPredecessor(out, "absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no directory: %v", err)
	}
	out.SetCapacity(1000)
	for range 10 {
		if err = p.Keep(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	if err == nil || p.Close() == nil {
		t.Errorf("a full disk took it: %v", err)
	}
}

func ExampleInstalled() {
	in := Installed{Kept: stateroot.JournalSalvage + time.Time{}.Format("20060102") + "/" + stateroot.PredecessorRecords}
	fmt.Println(in.Kept)
	// Output: journal.salvage-00010101/predecessor.jsonl
}
