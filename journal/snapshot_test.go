package journal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/journal/record"
)

// snapshots lists the snapshots that a caller gets, the newest first.
func snapshots(t testing.TB, fsys *memfs.FS, atOrBefore uint64) (list []Snapshot) {
	t.Helper()
	v := must[*View](t)(OpenView(fsys, small))
	defer v.Close()
	for s, err := range v.Snapshots(atOrBefore) {
		noErr(t, err)
		list = append(list, s)
	}
	return list
}

func seqs(list []Snapshot) (out []uint64) {
	for _, s := range list {
		out = append(out, s.Seq)
	}
	return out
}

// TestSnapshots: the snapshot of the base comes from the tail without opening
// Pebble. If it is damaged there, Pebble's copy is used.
func TestSnapshots(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	if list := snapshots(t, m, 1<<40); len(list) != 0 {
		t.Errorf("nothing has settled: %v", list)
	}
	g := settled(t, m, 1)
	tip := g.w.v.cut // the base
	boot(t, m, 1)
	want := []Snapshot{{Seq: tip.Seq, Data: snapshotAt(tip)}, {Seq: tip.Seq, Data: snapshotAt(tip)}}
	if list := snapshots(t, m, 1<<40); fmt.Sprint(list) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", list, want)
	}
	if list := snapshots(t, m, tip.Seq-1); len(list) != 0 {
		t.Errorf("before the base: %v", list)
	}
	touched := false
	m.SetHook(func(op memfs.Op) error {
		touched = touched || strings.HasSuffix(op.Name, ".sst")
		return nil
	})
	v := must[*View](t)(OpenView(m, small))
	for s, err := range v.Snapshots(1 << 40) {
		noErr(t, err)
		if !bytes.Equal(s.Data, snapshotAt(tip)) || touched {
			t.Errorf("%s, Pebble opened %t", s.Data, touched)
		}
		break
	}
	slot := v.tail.slot
	noErr(t, v.Close())
	m.SetHook(nil)
	d := m.Clone()
	b := read(t, d, tailFile)
	b[snapArea(slot)*blockSize+3] ^= 1
	overwrite(t, d, tailFile, b)
	if list := snapshots(t, d, 1<<40); fmt.Sprint(list) != fmt.Sprint(want[1:]) {
		t.Errorf("damaged in the tail: %v", list)
	}
	noErr(t, sound(d, acknowledged(t, d), acknowledged(t, d), true))

	// A forged snapshot with a fitting header is returned: nothing here vouches for it.
	d = m.Clone()
	forged := []byte("another state")
	b = read(t, d, tailFile)
	copy(b[snapArea(slot)*blockSize:], forged)
	h, _ := parseHeader(b[slot*blockSize:][:blockSize], slot)
	h.snapLen, h.snapHash = len(forged), record.HashOf(forged)
	copy(b[slot*blockSize:], h.encode(slot))
	overwrite(t, d, tailFile, b)
	if list := snapshots(t, d, 1<<40); len(list) != 2 || !bytes.Equal(list[0].Data, forged) || !bytes.Equal(list[1].Data, snapshotAt(tip)) {
		t.Errorf("forged: %v", list)
	}
	// A header with a longer snapshot than its area is not good.
	h.snapLen = maxSnapshot + 1
	if _, state := parseHeader(h.encode(slot), slot); state != blockBad {
		t.Error("a snapshot larger than its area is accepted")
	}
}

// TestSnapshotSizes: a snapshot too large for its area is only in Pebble; one too
// large for Pebble is nowhere. Neither is a finding.
func TestSnapshotSizes(t *testing.T) {
	for size, want := range map[int]int{-1: 0, 0: 1, 1: 2, maxSnapshot: 2, maxSnapshot + 1: 1, maxSettledSnapshot: 1, maxSettledSnapshot + 1: 0} {
		m := newRoot(t)
		boot(t, m, 1)
		g := open(t, m)
		var snap []byte
		if size >= 0 {
			snap = bytes.Repeat([]byte{7}, size)
		}
		noErr(t, g.w.Settle(snap))
		noErr(t, g.append("SnapshotTaken", 1))
		noErr(t, g.w.Close())
		list := snapshots(t, m, 1<<40)
		if len(list) != want {
			t.Errorf("%d bytes: returned %d times, want %d", size, len(list), want)
		}
		for _, s := range list {
			if s.Seq != 2 || !bytes.Equal(s.Data, snap) {
				t.Errorf("%d bytes: it differs", size)
			}
		}
		noErr(t, sound(m, acknowledged(t, m), acknowledged(t, m), true))
	}
}

// TestSnapshotLadder: the older snapshots are in Pebble; of each 8,192 records the
// newest is kept. A reader may stop early.
func TestSnapshotLadder(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	for range 4 {
		settled(t, m, 1)
	}
	list := snapshots(t, m, 1<<40)
	if got := seqs(list); !slices.Equal(got, []uint64{9, 9}) {
		t.Errorf("snapshots at %v", got)
	}
	v := must[*View](t)(OpenView(m, small))
	defer v.Close()
	n := 0
	for range v.Snapshots(1 << 40) {
		if n++; n == 2 {
			break
		}
	}
	// A snapshot after a live reader's tip is not returned.
	v.tip.Seq = 8
	for range v.Snapshots(1 << 40) {
		n = 9
	}
	if n != 2 {
		t.Errorf("%d", n)
	}
	// A table that cannot be read is an error, not a missing snapshot.
	d := m.Clone()
	for _, name := range names(t, d) {
		if strings.HasSuffix(name, ".sst") {
			b := read(t, d, "journal/"+name)
			b[20] ^= 1
			overwrite(t, d, "journal/"+name, b)
		}
	}
	w := must[*View](t)(OpenView(d, small))
	defer w.Close()
	var last error
	for _, last = range w.Snapshots(1 << 40) {
	}
	if !isDamage(last) {
		t.Errorf("got %v", last)
	}
	if errors.Is(last, ErrBusy) {
		t.Error("busy")
	}
}
