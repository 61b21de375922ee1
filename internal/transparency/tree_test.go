package transparency_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal"
)

// sizes are around every bound of the code: tiles, chunks, powers of two.
var sizes = []int{1, 2, 3, 7, 8, 255, 256, 257, 1000, 8191, 8192, 8193, 20000}

func TestRootIsTlogs(t *testing.T) {
	l := newLog(20000)
	for _, n := range sizes {
		want, _ := l.hashes(t, n)
		var last uint64
		got, err := transparency.Root(t.Context(), l, uint64(n), func(done, total uint64) {
			if done < last || total != uint64(n) {
				t.Errorf("progress %d of %d after %d", done, total, last)
			}
			last = done
		})
		if err != nil || got != want || last != uint64(n) {
			t.Errorf("%d: root %s, %v, want %s; progress ended at %d", n, got, err, want, last)
		}
	}
	for _, n := range []uint64{0, 20001} {
		if _, err := transparency.Root(t.Context(), l, n, nil); !errors.Is(err, transparency.ErrSize) {
			t.Errorf("%d: %v", n, err)
		}
	}
	l.broken = 16000
	if _, err := transparency.Root(t.Context(), l, 20000, nil); !errors.Is(err, errBroken) {
		t.Errorf("a record that cannot be read: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := transparency.Root(ctx, newLog(20000), 20000, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// A source that yields fewer records than its tip says is an error.
func TestRootOfShortSource(t *testing.T) {
	for _, n := range []int{100, 9000} {
		if _, err := transparency.Root(t.Context(), short{newLog(n)}, uint64(n), nil); !errors.Is(err, transparency.ErrSize) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if _, err := transparency.Root(t.Context(), late{newLog(10)}, 10, nil); !errors.Is(err, transparency.ErrSize) {
		t.Errorf("an export that begins later: %v", err)
	}
}

// short is a log that skips record 50.
type short struct{ *log }

func (s short) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		for raw, err := range s.log.RawRecords(from, to) {
			if raw.Seq != 50 && !yield(raw, err) {
				return
			}
		}
	}
}

// late is a log that begins with record 2.
type late struct{ *log }

func (late) First() uint64 { return 2 }
