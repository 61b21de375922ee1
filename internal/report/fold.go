package report

import (
	"context"
	"strings"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// folded is what a replay says about each record. Most records leave the state as
// it was, so that states and causes are stored as points of change: seq, index,
// seq, index … An index of -1 means unknown, or no cause.
type folded struct {
	States     [][]string `json:"states"` // the distinct ones, as lines
	StateAfter []int64    `json:"state_after"`
	// StateUnknown is the reason why states are unknown, "" if none is.
	StateUnknown string   `json:"state_unknown"`
	Causes       []string `json:"causes"` // the distinct ones
	CauseAt      []int64  `json:"cause_at"`
	Texts        []string `json:"texts"`   // the distinct meanings of records
	TextOf       []int    `json:"text_of"` // for each line, an index
	// Hashes are those that the next record does not name: of the newest record,
	// and of those before damage.
	Hashes map[uint64]string `json:"hashes"`
}

// folding is a fold in progress.
type folding struct {
	*folded
	src                   *history.Source
	fold                  *machine.Fold // nil if the state is unknown
	states, causes, texts map[string]int
	last                  record.Record
	closed                machine.State // the newest state without an open reconstruction
	diffs                 map[uint64][]display.Row
}

// fold folds the history, and returns the difference between the end of each
// epoch and the beginning of the next, by the number of the next.
func (r *Report) fold(ctx context.Context, src *history.Source, progress func(done, total uint64)) (map[uint64][]display.Row, error) {
	r.folded = folded{States: [][]string{}, StateAfter: []int64{}, Causes: []string{}, CauseAt: []int64{}, Texts: []string{}, TextOf: []int{}, Hashes: map[uint64]string{}}
	f := &folding{folded: &r.folded, src: src, states: map[string]int{}, causes: map[string]int{}, texts: map[string]int{}, diffs: map[uint64][]display.Row{}}
	first, tip := src.First(), src.Tip().Seq
	if first == 1 {
		f.fold = machine.NewFold(machine.State{})
	} else {
		f.unknown(first, "the records begin later than the history")
	}
	for p, err := range replay.Onward(ctx, src, first, tip) {
		switch {
		case err != nil:
			return nil, err
		case p.Err != nil:
			f.unknown(p.Seq, "records before cannot be read")
			continue
		}
		if p.Seq%1024 == 0 {
			progress(p.Seq-first, tip-first+1)
		}
		f.add(p.Raw)
	}
	if f.last.Seq != 0 {
		f.Hashes[f.last.Seq] = f.last.Hash.String()
	}
	return f.diffs, nil
}

// add folds the next line.
func (f *folding) add(raw []byte) {
	rec, err := record.Decode(raw)
	if err != nil {
		f.TextOf = append(f.TextOf, index(f.texts, &f.Texts, "unreadable: "+display.Clean(err.Error())))
		f.unknown(f.last.Seq+1, "a record before cannot be read")
		return
	}
	f.TextOf = append(f.TextOf, index(f.texts, &f.Texts, display.Payload(rec)))
	if f.last.Seq != 0 && rec.Prev != f.last.Hash {
		f.Hashes[f.last.Seq] = f.last.Hash.String()
	}
	f.last = rec
	f.last.Raw, f.last.Data = nil, nil
	f.apply(rec)
}

// apply moves the fold by one record. If the state is unknown, a snapshot may give
// it again.
func (f *folding) apply(rec record.Record) {
	if f.fold == nil {
		if machine.Kind(rec.Type) != machine.KindSnapshotTaken {
			return
		}
		state, _, err := replay.State(f.src, rec.Seq)
		if err != nil {
			return // it stays unknown
		}
		f.fold = machine.NewFold(state)
		f.state(rec.Seq, state, state)
		return
	}
	before := f.fold.State()
	event, err := replay.Event(rec)
	if err == nil {
		err = f.fold.Apply(event)
	}
	if err != nil {
		f.unknown(rec.Seq, display.Clean(err.Error()))
		return
	}
	f.state(rec.Seq, before, f.fold.State())
}

// state adds the state and the cause after a record.
func (f *folding) state(seq uint64, before, after machine.State) {
	lines := display.State(after)
	at := index(f.states, nil, strings.Join(lines, "\n"))
	if at == len(f.States) {
		f.States = append(f.States, lines)
	}
	f.StateAfter = change(f.StateAfter, seq, at)

	open := after.Open
	if open == nil {
		open = before.Open // this record closed it
	}
	cause := -1
	if open != nil {
		names := make([]string, len(open.Causes))
		for i, c := range open.Causes {
			names[i] = string(c)
		}
		cause = index(f.causes, &f.Causes, strings.Join(names, ", "))
	}
	if cause >= 0 || len(f.CauseAt) > 0 {
		f.CauseAt = change(f.CauseAt, seq, cause)
	}

	if after.Open == nil {
		if f.closed.Seq > 0 && after.Epoch > f.closed.Epoch {
			f.diffs[after.Epoch] = display.DifferenceRows(replay.Compare(f.closed, after))
		}
		f.closed = after
	}
}

// unknown notes that the state from record seq on is not known.
func (f *folding) unknown(seq uint64, reason string) {
	if f.StateUnknown == "" {
		f.StateUnknown = reason
	}
	f.fold, f.closed = nil, machine.State{}
	f.StateAfter = change(f.StateAfter, seq, -1)
}

// index returns the index of a text, and appends a new one to list, if that is
// not nil.
func index(of map[string]int, list *[]string, text string) int {
	at, ok := of[text]
	if !ok {
		at = len(of)
		of[text] = at
		if list != nil {
			*list = append(*list, text)
		}
	}
	return at
}

// change appends a point of change, if the value is another one.
func change(points []int64, seq uint64, value int) []int64 {
	if n := len(points); n > 0 && points[n-1] == int64(value) {
		return points
	}
	return append(points, int64(seq), int64(value)) //nolint:gosec // the number of a record
}
