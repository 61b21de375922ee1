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

// maxAncestors is the largest number of ancestors that a salvaged journal names.
const maxAncestors = 64

// ancestors returns the journals that the one with this id continued, newest first. They
// are in its first record or, if that is lost, in the files that its salvage has left.
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

// keptFrom returns the id of the journal whose records are kept in work, "" if there are
// none.
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
		return "", nil //nolint:nilerr // edited since: it proves nothing
	}
	return rec.Journal, nil
}

// owns refuses the journal of another node: a partition that was put into the wrong
// machine must be put back, and is not taken over.
func (r Request) owns(e machine.JournalSalvaged, state machine.State) error {
	if r.Node != "" && state.Node != "" && state.Node != r.Node {
		return fmt.Errorf("%w: journal %s is of node %q, but this is node %q", ErrForeign, e.Predecessor, state.Node, r.Node)
	}
	if pin := r.Predecessor; pin != "" && !e.Continues(pin) {
		return fmt.Errorf("%w: the records are of journal %s, but gate.journal_id pins %s", ErrForeign, e.Predecessor, pin)
	}
	return nil
}
