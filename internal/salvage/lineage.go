package salvage

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// maxAncestors is how many journals back a salvaged one knows what it
// continues.
const maxAncestors = 64

// ancestors are the journals that the one with this id continued, newest
// first: as its own first record says, or where that is lost, as the salvage
// that made it has left beside it.
func ancestors(fsys durable.FS, id string, state machine.State) ([]string, error) {
	if s := state.Salvage; s != nil {
		all := slices.Concat([]string{s.Predecessor}, s.Ancestors)
		all = slices.DeleteFunc(all, func(id string) bool { return id == "" })
		return all[:min(len(all), maxAncestors)], nil
	}
	var all []string
	for state.Seq == 0 && id != "" && len(all) < maxAncestors {
		work, err := madeBy(fsys, id)
		if err != nil || work == "" {
			return all, err
		}
		if id, err = keptFrom(fsys, work); err != nil || id == "" || slices.Contains(all, id) {
			return all, err
		}
		all = append(all, id)
	}
	return all, nil
}

// keptFrom is the journal that the records kept in work are of, "" where none
// was kept.
func keptFrom(fsys durable.FS, work string) (string, error) {
	f, err := fsys.Open(work + "/" + stateroot.PredecessorRecords)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // opened for reading only
	line, err := bufio.NewReader(io.LimitReader(f, record.MaxLen+1)).ReadBytes('\n')
	if err != nil {
		return "", nil //nolint:nilerr // no whole record was kept
	}
	rec, err := record.Decode(line[:len(line)-1])
	if err != nil {
		return "", nil //nolint:nilerr // altered since: it proves nothing
	}
	return rec.Journal, nil
}

// owns refuses what is left of another node's journal: a partition that was
// put into the wrong machine is put back, and not taken over.
func (w Who) owns(e machine.JournalSalvaged, state machine.State) error {
	if w.Node != "" && state.Node != "" && state.Node != w.Node {
		return fmt.Errorf("%w: what is left of journal %s is of node %q, and not of %q", ErrForeign, e.Predecessor, state.Node, w.Node)
	}
	if pin := w.Predecessor; pin != "" && !e.Continues(pin) {
		return fmt.Errorf("%w: what is left is of journal %s, and gate.journal_id pins %s", ErrForeign, e.Predecessor, pin)
	}
	return nil
}
