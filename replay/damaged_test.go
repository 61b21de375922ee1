package replay_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/replay"
)

// Whatever record is damaged, a reader gets the same as from the whole history, or an
// error: never something else.
func TestDamaged(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.Eventful()
	s := h.State
	src := open(t, h)
	want := files(t, src, s.Seq)
	var lines [][]byte
	for raw, err := range src.RawRecords(1, s.Seq) {
		historytest.Check(t, err)
		lines = append(lines, bytes.Clone(raw.Raw))
	}
	failed := 0
	for k := range lines[:len(lines)-1] { // an export with a damaged end does not open
		damaged := slices.Clone(lines)
		damaged[k] = []byte(`{"rubbish":true}`)
		file := filepath.Join(t.TempDir(), "h.jsonl")
		historytest.Export(t, file, damaged...)
		bad, err := history.Open(file)
		if err != nil {
			continue // the first record names the journal
		}
		got, broken := stood{}, error(nil)
		for f, err := range replay.Files(bad, s) {
			if err != nil {
				broken = err
				break
			}
			got[f.Path] = string(f.Data)
		}
		if broken != nil {
			failed++
		}
		if broken == nil && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("record %d damaged: %s\nwant %s", k+1, got, want)
		}
		for epoch := range uint64(5) {
			p := replay.AtEpoch(epoch)
			is, err := p.Find(bad)
			should, errWhole := p.Find(src)
			if err == nil && (errWhole != nil || is.Hash != should.Hash) {
				t.Errorf("record %d damaged: epoch %d began with record %d, not %d", k+1, epoch, is.Seq, should.Seq)
			}
			_, _, _ = replay.Epochs(bad, epoch)
		}
		historytest.Check(t, bad.Close())
	}
	if failed < 10 {
		t.Errorf("only %d records were ever needed", failed)
	}
}

// One edited epoch hides no epoch before it: its beginning is found, whatever record
// misled the search.
func TestFindEdited(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.First()
	for serial, hash := range []string{historytest.NewOS, historytest.OldOS, historytest.NewOS, historytest.OldOS} {
		h.Reconstruct(hash, int64(serial+1))
	}
	src := open(t, h)
	var lines [][]byte
	for raw, err := range src.RawRecords(1, src.Tip().Seq) {
		historytest.Check(t, err)
		lines = append(lines, bytes.Clone(raw.Raw))
	}
	for k := range lines {
		rec, err := src.Record(uint64(k + 1))
		historytest.Check(t, err)
		if rec.Epoch < 2 {
			continue
		}
		edited := slices.Clone(lines)
		edited[k] = bytes.Replace(lines[k], fmt.Appendf(nil, `"epoch":%d,"id"`, rec.Epoch), []byte(`"epoch":0,"id"`), 1)
		file := filepath.Join(t.TempDir(), "h.jsonl")
		historytest.Export(t, file, edited...)
		bad, err := history.Open(file)
		historytest.Check(t, err)
		for epoch := range rec.Epoch {
			is, err := replay.AtEpoch(epoch).Find(bad)
			should, errWhole := replay.AtEpoch(epoch).Find(src)
			if err != nil || errWhole != nil || is.Hash != should.Hash {
				t.Errorf("record %d edited: epoch %d began with record %d: %v, %v", k+1, epoch, is.Seq, err, errWhole)
			}
		}
		historytest.Check(t, bad.Close())
	}
}

// A caller may stop early.
func TestFilesStop(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.Eventful()
	s := h.State
	src := open(t, h)
	all := len(files(t, src, s.Seq))
	for n := 1; n <= all; n++ {
		seen := 0
		for _, err := range replay.Files(src, s) {
			historytest.Check(t, err)
			if seen++; seen == n {
				break
			}
		}
		if seen != n {
			t.Errorf("%d files, want %d of %d", seen, n, all)
		}
	}
}

// An export that begins in the middle holds no epoch's beginning before it.
func TestBeginsLate(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.Eventful()
	tip := h.State.Seq
	src := open(t, h)
	var lines [][]byte
	for raw, err := range src.RawRecords(30, tip) {
		historytest.Check(t, err)
		lines = append(lines, bytes.Clone(raw.Raw))
	}
	file := filepath.Join(t.TempDir(), "h.jsonl")
	historytest.Export(t, file, lines...)
	late, err := history.Open(file)
	historytest.Check(t, err)
	defer late.Close() //nolint:errcheck // read-only
	for epoch, ok := range map[uint64]bool{0: false, 1: false, 2: true, 3: true, 4: false} {
		if _, err := replay.AtEpoch(epoch).Find(late); (err == nil) != ok {
			t.Errorf("epoch %d: %v", epoch, err)
		}
	}
	if _, err := replay.AtSeq(29).Find(late); err == nil {
		t.Error("record 29 is not there")
	}
}
