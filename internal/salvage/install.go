package salvage

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// workPrefix begins the name of the directory, in the state root, that a
// salvage is prepared in. It keeps predecessor.jsonl afterwards.
const workPrefix = "journal.salvage-"

// Installed says what Install did.
type Installed struct {
	Event      machine.JournalSalvaged
	Journal    string // id of the new journal
	Quarantine string // where the damaged journal is now, "" where there was none
	Kept       string // path of predecessor.jsonl
	Resumed    bool   // an interrupted installation was completed
}

// Install salvages the journal beneath fsys and swaps the new one in, under
// the gate's lock, which the caller holds. The old one stays, byte for byte,
// under journal.quarantine-<time>.
//
// The rename of the new journal to its place is the commit point; the head
// file follows it. A loss of power anywhere leaves a state from which the
// next Install completes the same salvage: it does not begin another.
func Install(fsys durable.FS, who Who) (Installed, error) {
	if done, in, err := resume(fsys); done || err != nil {
		return in, err
	}
	if err := sweep(fsys); err != nil {
		return Installed{}, err
	}
	stamp := who.Now.UTC().Format("20060102T150405.000000000Z")
	work := workPrefix + stamp
	if err := durable.MkdirAll(fsys, work, 0o750); err != nil {
		return Installed{}, err
	}
	plan, err := prepare(fsys, work, who)
	if err != nil {
		return Installed{}, errors.Join(err, durable.RemoveAll(fsys, work))
	}
	in := Installed{Event: plan.Event, Journal: plan.ID.String(), Kept: work + "/" + stateroot.PredecessorRecords}
	if _, err := fsys.Lstat(stateroot.Journal); err == nil {
		in.Quarantine = stateroot.JournalQuarantine + stamp
		if err := fsys.Rename(stateroot.Journal, in.Quarantine); err != nil {
			return in, err
		}
		if err := fsys.SyncDir("."); err != nil {
			return in, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return in, err
	}
	return in, swapIn(fsys, work)
}

// prepare writes the new journal and the kept prefix into work.
func prepare(fsys durable.FS, work string, who Who) (*Plan, error) {
	kept, err := NewPredecessor(fsys, work)
	if err != nil {
		return nil, err
	}
	plan, err := Examine(fsys, who, kept.Keep)
	if err = errors.Join(err, kept.Close()); err != nil {
		return nil, err
	}
	if _, err := plan.Write(within{fsys, work}); err != nil {
		return nil, err
	}
	return plan, fsys.SyncDir(work)
}

// sweep removes preparations that were never swapped in: on a full disk, or
// after a crash, they would grow in number with every boot. One that was has a
// head file and no journal any more; it is kept, for its predecessor.jsonl.
func sweep(fsys durable.FS) error {
	entries, err := fsys.ReadDir(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name, workPrefix) {
			continue
		}
		_, noJournal := fsys.Lstat(e.Name + "/" + stateroot.Journal)
		_, noHead := fsys.Lstat(e.Name + "/" + stateroot.JournalHead)
		if errors.Is(noJournal, fs.ErrNotExist) && noHead == nil {
			continue
		}
		if err := durable.RemoveAll(fsys, e.Name); err != nil {
			return err
		}
	}
	return nil
}

// swapIn moves the prepared journal to its place and resets the head file.
func swapIn(fsys durable.FS, work string) error {
	if err := fsys.Rename(work+"/"+stateroot.Journal, stateroot.Journal); err != nil {
		return err
	}
	if err := errors.Join(fsys.SyncDir("."), fsys.SyncDir(work)); err != nil {
		return err
	}
	return resetHead(fsys)
}

func resetHead(fsys durable.FS) error {
	view, err := journal.OpenView(fsys, journal.DefaultLayout())
	if err != nil {
		return err
	}
	id, tip := view.ID(), view.Tip()
	if err := view.Close(); err != nil {
		return err
	}
	return journal.ResetHead(fsys, journal.DefaultLayout(), id, tip)
}

// resume completes an installation that lost power: before the new journal was
// in its place, or before the head file was reset.
func resume(fsys durable.FS) (done bool, in Installed, err error) {
	found, err := journal.Inspect(fsys, journal.DefaultLayout())
	if err != nil {
		return false, in, err
	}
	work, quarantine, err := prepared(fsys)
	if err != nil || work == "" {
		return false, in, err
	}
	in.Kept, in.Quarantine, in.Resumed = work+"/"+stateroot.PredecessorRecords, quarantine, true
	if !found.Journal {
		if _, err := fsys.Lstat(work + "/" + stateroot.Journal); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return false, Installed{}, nil
			}
			return false, in, err
		}
		// Swapped in only once it was whole: the damaged one was moved away after that.
		if err := describe(within{fsys, work}, &in); err != nil {
			return false, Installed{}, nil //nolint:nilerr // remains of a preparation that did not finish
		}
		return true, in, swapIn(fsys, work)
	}
	if describe(fsys, &in) != nil || in.Event.V == 0 {
		return false, Installed{}, nil
	}
	// A salvaged journal with one record whose head file is still the
	// predecessor's.
	head, err := journal.ReadHead(fsys, journal.DefaultLayout())
	if err != nil {
		return false, in, err
	}
	slot, ok := head.Newest()
	if !ok || slot.Journal == in.Journal {
		return false, Installed{}, nil
	}
	return true, in, resetHead(fsys)
}

// prepared finds the newest preparation and the newest quarantine.
func prepared(fsys durable.FS) (work, quarantine string, err error) {
	entries, err := fsys.ReadDir(".")
	for _, e := range entries { // in order of name, so of time
		switch {
		case strings.HasPrefix(e.Name, workPrefix):
			work = e.Name
		case strings.HasPrefix(e.Name, stateroot.JournalQuarantine):
			quarantine = e.Name
		}
	}
	return work, quarantine, err
}

// describe reads what a journal of one JournalSalvaged record says.
func describe(fsys durable.FS, in *Installed) error {
	view, err := journal.OpenView(fsys, journal.DefaultLayout())
	if err != nil {
		return err
	}
	defer view.Close() //nolint:errcheck // opened for reading only
	rec, err := view.Record(1)
	if err != nil {
		return err
	}
	e, err := replay.Event(rec)
	if err != nil {
		return err
	}
	salvaged, ok := e.Payload.(machine.JournalSalvaged)
	if !ok || view.Tip().Seq != 1 {
		return fmt.Errorf("record 1 is %s, the journal has %d", rec.Type, view.Tip().Seq)
	}
	in.Event, in.Journal = salvaged, view.ID()
	return nil
}
