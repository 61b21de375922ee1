package journal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

func TestSnapshots(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 3)
	for i := range 5 {
		w, _, err := boot(m)
		noErr(t, err)
		_, err = w.Append(entry(10 + i))
		noErr(t, err)
		noErr(t, w.SaveSnapshot(w.Tip().Seq, []byte("never kept")))
		noErr(t, w.SaveSnapshot(w.Tip().Seq, fmt.Appendf(nil, "state %d", w.Tip().Seq)))
		noErr(t, w.Close())
	}
	v := must[*View](t)(OpenView(m, DefaultLayout()))
	seq, data, ok, err := v.Snapshot(1 << 40)
	if err != nil || !ok || seq != 8 || string(data) != "state 8" {
		t.Errorf("newest: %d, %q, %v, %v", seq, data, ok, err)
	}
	if _, _, ok, err = v.Snapshot(7); ok || err != nil {
		t.Errorf("an older one was kept: %v", err)
	}
	if s := must[[]uint64](t)(v.Snapshots()); !slices.Equal(s, []uint64{8}) {
		t.Errorf("ladder %v", s)
	}
	noErr(t, v.Close())

	// What is wrong with a snapshot makes it absent.
	good := encodeSnapshot(8, []byte("state 8"))
	for name, change := range map[string]func(b *pebble.Batch) error{
		"newer":    func(b *pebble.Batch) error { return b.Set(snapshotKey(8), append([]byte{2}, good[1:]...), nil) },
		"damaged":  func(b *pebble.Batch) error { return b.Set(snapshotKey(8), append(bytes.Clone(good), 'x'), nil) },
		"short":    func(b *pebble.Batch) error { return b.Set(snapshotKey(8), []byte{1}, nil) },
		"of 7":     func(b *pebble.Batch) error { return b.Set(snapshotKey(8), encodeSnapshot(7, []byte("state 8")), nil) },
		"removed":  func(b *pebble.Batch) error { return b.Delete(snapshotKey(8), nil) },
		"unlisted": func(b *pebble.Batch) error { return b.Delete([]byte(ladderKey), nil) },
	} {
		d := m.Clone()
		tamper(t, d, func(b *pebble.Batch) { noErr(t, change(b)) })
		v := must[*View](t)(OpenView(d, DefaultLayout()))
		if _, _, ok, err := v.Snapshot(8); ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
		noErr(t, v.Close())
	}
	w, _, err := boot(m)
	noErr(t, err)
	if err := w.SaveSnapshot(9, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("of no record: %v", err)
	}
	if err := w.SaveSnapshot(8, make([]byte, MaxSnapshot+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	noErr(t, w.SaveSnapshot(8, make([]byte, MaxSnapshot)))
	noErr(t, w.Close())
}

// TestLadder: the newest stays, and of each step of the rest its newest.
func TestLadder(t *testing.T) {
	var have []uint64
	live := map[uint64]bool{}
	for seq := uint64(1000); seq < 10*ladderStep; seq += 1000 {
		keep, drop := nextLadder(have, seq)
		live[seq] = true
		for _, d := range drop {
			if !live[d] {
				t.Fatalf("%d is dropped twice", d)
			}
			delete(live, d)
		}
		have = keep
		if len(have) != len(live) || have[len(have)-1] != seq {
			t.Fatalf("at %d: %v, on disk %v", seq, have, live)
		}
	}
	if len(have) != 10 {
		t.Errorf("ladder %v", have)
	}
	for i := 1; i < len(have); i++ {
		if have[i]-have[i-1] > ladderStep+1000 {
			t.Errorf("a step of %d", have[i]-have[i-1])
		}
	}
	if got := parseLadder(appendLadder(nil, have), 1<<40); !slices.Equal(got, have) {
		t.Errorf("read as %v", got)
	}
	if got := parseLadder(appendLadder(nil, have), 5); got != nil {
		t.Errorf("beyond the tip: %v", got)
	}
	if keep, drop := nextLadder([]uint64{5}, 5); !slices.Equal(keep, []uint64{5}) || drop != nil {
		t.Errorf("again: %v, %v", keep, drop)
	}
}

func FuzzSnapshot(f *testing.F) {
	f.Add(uint64(8), encodeSnapshot(8, []byte("state")))
	f.Add(uint64(8), appendLadder(nil, []uint64{1, 8}))
	f.Fuzz(func(t *testing.T, seq uint64, b []byte) {
		if data, ok := decodeSnapshot(seq, b); ok && !bytes.Equal(encodeSnapshot(seq, data), b) {
			t.Fatal("another form is taken for a snapshot")
		}
		last := uint64(0)
		for _, s := range parseLadder(b, seq) {
			if s <= last || s > seq {
				t.Fatalf("ladder with %d after %d", s, last)
			}
			last = s
		}
		_, _, _ = parseHeadValue(b)
	})
}
