package gate

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// onJournal opens a disk's journal for appending, in a boot without an id.
func onJournal(t *testing.T, disk durable.FS, do func(w *journal.Writer, s machine.State) error) {
	t.Helper()
	view, err := journal.OpenView(disk, layout)
	if err != nil {
		t.Fatal(err)
	}
	state, _, err := replay.State(view, view.Tip().Seq)
	if err != nil {
		t.Fatal(err)
	}
	action, err := view.CheckHead(nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := journal.OpenWriter(view, action, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := do(w, state); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

var role = regexp.MustCompile(`"role":"[a-z]*"`)

// cleanBoots appends what so many more boots would have that found nothing new:
// booted one by one they would take long.
func cleanBoots(t *testing.T, disk durable.FS, n int) {
	t.Helper()
	onJournal(t, disk, func(w *journal.Writer, s machine.State) error {
		for range n {
			if _, err := w.Append(cleanBoot(t, w, s)); err != nil {
				return err
			}
		}
		return nil
	})
}

// cleanBoot is what another boot would append.
func cleanBoot(t *testing.T, w *journal.Writer, s machine.State) record.Entry {
	t.Helper()
	var last record.Record
	for seq := w.Tip().Seq; last.Type != string(machine.KindFingerprintCaptured); seq-- {
		var err error
		if last, err = w.Record(seq); err != nil {
			t.Fatal(err)
		}
	}
	last.Epoch, last.Data = s.Epoch, role.ReplaceAll(last.Data, []byte(`"role":"match"`))
	return another(t, last)
}

// another is the record of another run that is otherwise like this one.
func another(t *testing.T, r record.Record) record.Entry {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return record.Entry{ID: id, Type: r.Type, Crit: r.Crit, Time: r.Time, BootID: id.String(), UptimeMS: r.UptimeMS,
		Run: id.String(), Node: r.Node, Epoch: r.Epoch, Data: r.Data}
}

// forgeSnapshot settles with another state than the one that the chain vouches
// for: with a key of the forger's, and a lower serial.
func forgeSnapshot(t *testing.T, disk durable.FS) {
	t.Helper()
	onJournal(t, disk, func(w *journal.Writer, s machine.State) error {
		honest, err := machine.EncodeState(s)
		if err != nil {
			return err
		}
		serial := int64(-1)
		s.Keys.Manifest, s.Serial = blake3Hex([]byte("the forger's key")), &serial
		forged, err := machine.EncodeState(s)
		if err != nil {
			return err
		}
		last, err := w.Record(s.Seq)
		if err != nil {
			return err
		}
		if err := w.Settle(forged); err != nil {
			return err
		}
		e := another(t, last)
		e.Type, e.Crit = string(machine.KindSnapshotTaken), false
		e.Data = fmt.Appendf(nil, `{"blake3":"%s","of":%d,"v":1}`, blake3Hex(honest), s.Seq)
		_, err = w.Append(e)
		return err
	})
}

// forgeInTail does the same in the tail alone, whose header names the
// snapshot's length and hash.
func forgeInTail(t *testing.T, data []byte) {
	t.Helper()
	forged := 0
	for n := range 2 {
		header := data[n*historytest.BlockLen:][:historytest.BlockLen]
		length := binary.BigEndian.Uint64(header[88:])
		if length == 0 {
			continue // not written, or of no snapshot
		}
		area := data[(2+n*historytest.SnapBlocks)*historytest.BlockLen:]
		s, err := machine.DecodeState(area[:length])
		if err != nil {
			t.Fatal(err)
		}
		serial := int64(-1)
		s.Keys.Manifest, s.Serial = blake3Hex([]byte("the forger's key")), &serial
		snapshot, err := machine.EncodeState(s)
		if err != nil {
			t.Fatal(err)
		}
		copy(area, snapshot)
		binary.BigEndian.PutUint64(header[88:], uint64(len(snapshot)))
		hash := record.HashOf(snapshot)
		copy(header[96:], hash[:])
		at := len(header) - 32
		sum := record.HashOf(binary.BigEndian.AppendUint64(slices.Clone(header[:at]), uint64(n)))
		copy(header[at:], sum[:])
		forged++
	}
	if forged == 0 {
		t.Fatal("the tail holds no snapshot")
	}
}
