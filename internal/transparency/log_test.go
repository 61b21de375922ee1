package transparency_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// log is a history of invented records.
type log struct {
	records [][]byte
	broken  uint64 // the record that cannot be read, 0 for none
}

var errBroken = errors.New("broken")

func newLog(n int) *log {
	l := &log{}
	for i := range n {
		l.records = append(l.records, []byte(fmt.Sprintf(`{"seq":%d,"text":"%s"}`, i+1, strings.Repeat("x", i%97))))
	}
	return l
}

func (l *log) ID() string      { return "6f0d1f6e-0000-4000-8000-000000000001" }
func (l *log) First() uint64   { return 1 }
func (l *log) Tip() record.Tip { return record.Tip{Seq: uint64(len(l.records))} }
func (l *log) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		for seq := from; seq <= to; seq++ {
			if seq == l.broken {
				yield(journal.RawRecord{}, errBroken)
				return
			}
			if !yield(journal.RawRecord{Seq: seq, Raw: l.records[seq-1]}, nil) {
				return
			}
		}
	}
}

// hashes returns the root and the hashes of the same records, computed by tlog alone.
func (l *log) hashes(t testing.TB, n int) (tlog.Hash, tlog.HashReaderFunc) {
	t.Helper()
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for i, r := range l.records[:n] {
		hs, err := tlog.StoredHashes(int64(i), r, read)
		check(t, err)
		stored = append(stored, hs...)
	}
	root, err := tlog.TreeHash(int64(n), read)
	check(t, err)
	return root, read
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func signer(t testing.TB, name string) transparency.Signer {
	t.Helper()
	s, err := transparency.GenerateSigner(name)
	check(t, err)
	return s
}

func (l *log) checkpoint(t testing.TB, n int, key transparency.Signer) (transparency.Checkpoint, []byte) {
	t.Helper()
	tree := l.tree(t, n)
	signed, err := tree.Checkpoint().Sign(key)
	check(t, err)
	return tree.Checkpoint(), signed
}

func (l *log) tree(t testing.TB, n int) *transparency.Tree {
	t.Helper()
	tree, err := transparency.Build(t.Context(), l, uint64(n), nil)
	check(t, err)
	return tree
}
