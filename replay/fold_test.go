package replay_test

import (
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// source is a history in memory, with snapshots.
type source struct {
	records   []record.Record
	snapshots map[uint64][]byte
	asked     []uint64 // first record of each read
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

func (s *source) Snapshot(at uint64) (uint64, []byte, bool, error) {
	for seq := at; seq > 0; seq-- {
		if data, ok := s.snapshots[seq]; ok {
			return seq, data, true, nil
		}
	}
	return 0, nil, false, nil
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

func history(t *testing.T) *source {
	s := &source{snapshots: map[uint64][]byte{}}
	s.add(t, "FingerprintCaptured", true, `{"v":1,"role":"initial","composite_hash":"a"}`)
	for range 9 {
		s.add(t, "FingerprintCaptured", true, `{"v":1,"role":"match","composite_hash":"a"}`)
	}
	return s
}

func TestState(t *testing.T) {
	s := history(t)
	whole, from, err := replay.State(s, 10)
	if err != nil || from != 0 || whole.Seq != 10 || whole.Phase != machine.PhaseSettled || whole.Hash != s.records[9].Hash.String() {
		t.Fatalf("%+v from %d, %v", whole, from, err)
	}
	at5, _, err := replay.State(s, 5)
	if err != nil || at5.Seq != 5 {
		t.Fatalf("%+v, %v", at5, err)
	}
	data, err := machine.EncodeState(at5)
	if err != nil {
		t.Fatal(err)
	}

	s.snapshots[5] = data
	again, from, err := replay.State(s, 10)
	if err != nil || from != 5 || encoded(t, again) != encoded(t, whole) {
		t.Fatalf("from the snapshot: %+v from %d, %v", again, from, err)
	}
	if last := s.asked[len(s.asked)-1]; last != 6 {
		t.Errorf("read from record %d on, the snapshot is of 5", last)
	}
	for name, bad := range map[string][]byte{"unreadable": []byte("{"), "of another record": data} {
		s.snapshots = map[uint64][]byte{7: bad}
		if got, from, err := replay.State(s, 10); err != nil || from != 0 || got.Hash != whole.Hash {
			t.Errorf("a snapshot that is %s is not passed over: from %d, %v", name, from, err)
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
	if _, _, err := replay.State(history(t), 11); err == nil {
		t.Error("a record that does not exist was reached")
	}
	s := history(t)
	s.broken = errors.New("disk")
	if _, _, err := replay.State(s, 10); !errors.Is(err, s.broken) {
		t.Errorf("%v", err)
	}
	s = history(t)
	s.add(t, "CoffeeBrewed", false, `{"v":1}`)
	if got, _, err := replay.State(s, 11); err != nil || got.Seq != 11 {
		t.Errorf("an unknown event that is not critical: %v", err)
	}
	s.add(t, "CoffeeBrewed", true, `{"v":1}`)
	if _, _, err := replay.State(s, 12); !errors.Is(err, machine.ErrNewer) {
		t.Errorf("an unknown critical event: %v", err)
	}
	s = history(t)
	s.add(t, "EpochRotated", true, `{"v":1,"boot_epoch":1}`)
	if _, _, err := replay.State(s, 11); !errors.Is(err, machine.ErrTransition) {
		t.Errorf("an event that no gate writes: %v", err)
	}
	if _, _, err := replay.State(snapshotFails{history(t)}, 10); err == nil {
		t.Error("a disk that fails at the snapshot")
	}
}

// snapshotFails is a disk that fails when the snapshot is read.
type snapshotFails struct{ *source }

func (snapshotFails) Snapshot(uint64) (uint64, []byte, bool, error) {
	return 0, nil, false, errors.New("disk")
}
