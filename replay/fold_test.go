package replay_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// source is a history in memory, with snapshots.
type source struct {
	records   []record.Record
	snapshots []journal.Snapshot // the newest first
	asked     []uint64           // first record of each read
	broken    error
}

func (s *source) Records(from, to uint64) iter.Seq2[record.Record, error] {
	s.asked = append(s.asked, from)
	return func(yield func(record.Record, error) bool) {
		for _, r := range s.records {
			if r.Seq >= from && r.Seq <= to && !yield(r, s.broken) {
				return
			}
		}
	}
}

func (s *source) Snapshots(at uint64) iter.Seq2[journal.Snapshot, error] {
	return func(yield func(journal.Snapshot, error) bool) {
		for _, snap := range s.snapshots {
			if snap.Seq <= at && !yield(snap, nil) {
				return
			}
		}
	}
}

// vouch adds the SnapshotTaken of a snapshot at the newest record.
func (s *source) vouch(t *testing.T, data []byte) {
	t.Helper()
	s.add(t, "SnapshotTaken", false, fmt.Sprintf(`{"blake3":"%s","of":%d,"v":1}`, record.HashOf(data), len(s.records)))
}

func (s *source) add(t *testing.T, kind string, crit bool, data string) {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	seq, prev := uint64(len(s.records)+1), record.Hash{}
	if seq > 1 {
		prev = s.records[seq-2].Hash
	}
	raw, err := record.Encode("bdad7207-9ffd-4b6b-8518-bab36f0e61f3", seq, prev, record.Entry{
		ID: id, Type: kind, Crit: crit, Time: time.Date(2026, 3, 4, 10, 0, int(seq), 0, time.UTC),
		BootID: "11111111-2222-4333-8444-555555555555", Run: id.String(), Node: "n", Data: []byte(data),
	})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := record.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	s.records = append(s.records, rec)
}

func newHistory(t *testing.T) *source {
	s := &source{}
	s.add(t, "FingerprintCaptured", true, `{"v":1,"role":"initial","composite_hash":"a"}`)
	for range 9 {
		s.add(t, "FingerprintCaptured", true, `{"v":1,"role":"match","composite_hash":"a"}`)
	}
	return s
}

func TestState(t *testing.T) {
	s := newHistory(t)
	at5, _, err := replay.State(s, 5)
	if err != nil || at5.Seq != 5 {
		t.Fatalf("%+v, %v", at5, err)
	}
	data := []byte(encoded(t, at5))

	// The chain: five records, the SnapshotTaken of the state after them, and more.
	s = &source{records: s.records[:5]}
	s.vouch(t, data)
	for range 4 {
		s.add(t, "FingerprintCaptured", true, `{"v":1,"role":"match","composite_hash":"a"}`)
	}
	whole, start, err := replay.State(s, 10)
	if err != nil || start.Snapshot != 0 || len(start.Ignored) != 0 || whole.Seq != 10 || whole.Phase != machine.PhaseSettled || whole.Hash != s.records[9].Hash.String() {
		t.Fatalf("%+v from %+v, %v", whole, start, err)
	}

	s.snapshots = []journal.Snapshot{{Seq: 5, Data: data}}
	again, start, err := replay.State(s, 10)
	if err != nil || start.Snapshot != 5 || len(start.Ignored) != 0 || encoded(t, again) != encoded(t, whole) {
		t.Fatalf("from the snapshot: %+v from %+v, %v", again, start, err)
	}
	if last := s.asked[len(s.asked)-1]; last != 6 {
		t.Errorf("read from record %d on, the snapshot is of 5", last)
	}
	// Nothing vouches for a snapshot at the tip: a settling was cut short.
	if got, start, err := replay.State(&source{records: s.records[:5], snapshots: s.snapshots}, 5); err != nil || start.Snapshot != 0 || len(start.Ignored) != 0 || encoded(t, got) != encoded(t, at5) {
		t.Errorf("a snapshot at the tip: %+v from %+v, %v", got, start, err)
	}

	forged := at5
	forged.Keys.Manifest = "the forger's"
	older, newer := journal.Snapshot{Seq: 5, Data: data}, whole
	newer.Seq = 7
	for name, tt := range map[string]struct {
		snapshots []journal.Snapshot // besides the good one, which comes last
		says      string
	}{
		"unreadable":           {[]journal.Snapshot{{Seq: 7, Data: []byte("{")}}, "the snapshot of record 7 is ignored: the record after it does not vouch for it"},
		"of another record":    {[]journal.Snapshot{{Seq: 7, Data: data}}, "does not vouch for it"},
		"forged":               {[]journal.Snapshot{{Seq: 5, Data: []byte(encoded(t, forged))}}, "the snapshot of record 5 is ignored: the record after it does not vouch for it"},
		"forged, further on":   {[]journal.Snapshot{{Seq: 7, Data: []byte(encoded(t, newer))}}, "does not vouch for it"},
		"newer than the chain": {[]journal.Snapshot{{Seq: 40, Data: data}}, ""},
	} {
		s.snapshots = append(tt.snapshots, older)
		got, start, err := replay.State(s, 10)
		if err != nil || start.Snapshot != 5 || encoded(t, got) != encoded(t, whole) {
			t.Errorf("%s: from %+v, %v", name, start, err)
		}
		switch said := fmt.Sprint(start.Ignored); {
		case tt.says == "" && len(start.Ignored) != 0, !strings.Contains(said, tt.says):
			t.Errorf("%s: ignored %s, want %q", name, said, tt.says)
		}
	}
}

// A snapshot that the chain vouches for and that this version cannot use is skipped
// and reported.
func TestStateOfAnotherVersion(t *testing.T) {
	for name, data := range map[string]string{
		"another version": `{"v":99,"state":{}}`,
		"no snapshot":     "{",
		"another record":  "",
	} {
		s := newHistory(t)
		want, _, err := replay.State(s, 5)
		if err != nil {
			t.Fatal(err)
		}
		if name == "another record" {
			before, _, err := replay.State(s, 4)
			if err != nil {
				t.Fatal(err)
			}
			data = encoded(t, before)
		}
		s = &source{records: s.records[:5], snapshots: []journal.Snapshot{{Seq: 5, Data: []byte(data)}}}
		s.vouch(t, []byte(data))
		got, start, err := replay.State(s, 6)
		if err != nil || start.Snapshot != 0 || got.Seq != 6 || got.Epoch != want.Epoch || len(start.Ignored) != 1 {
			t.Errorf("%s: %+v from %+v, %v", name, got, start, err)
		}
	}
}

func encoded(t *testing.T, s machine.State) string {
	t.Helper()
	data, err := machine.EncodeState(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestStateRefuses(t *testing.T) {
	if _, _, err := replay.State(newHistory(t), 11); err == nil {
		t.Error("a record that does not exist was reached")
	}
	s := newHistory(t)
	s.broken = errors.New("disk")
	if _, _, err := replay.State(s, 10); !errors.Is(err, s.broken) {
		t.Errorf("%v", err)
	}
	s = newHistory(t)
	s.add(t, "CoffeeBrewed", false, `{"v":1}`)
	if got, _, err := replay.State(s, 11); err != nil || got.Seq != 11 {
		t.Errorf("an unknown event that is not critical: %v", err)
	}
	s.add(t, "CoffeeBrewed", true, `{"v":1}`)
	if _, _, err := replay.State(s, 12); !errors.Is(err, machine.ErrNewer) {
		t.Errorf("an unknown critical event: %v", err)
	}
	s = newHistory(t)
	s.add(t, "EpochRotated", true, `{"v":1,"boot_epoch":1}`)
	if _, _, err := replay.State(s, 11); !errors.Is(err, machine.ErrTransition) {
		t.Errorf("an event that no gate writes: %v", err)
	}
	if _, _, err := replay.State(snapshotFails{newHistory(t)}, 10); err == nil {
		t.Error("a disk that fails at the snapshot")
	}
}

// snapshotFails is a disk that fails when the snapshot is read.
type snapshotFails struct{ *source }

func (snapshotFails) Snapshots(uint64) iter.Seq2[journal.Snapshot, error] {
	return func(yield func(journal.Snapshot, error) bool) { yield(journal.Snapshot{}, errors.New("disk")) }
}
