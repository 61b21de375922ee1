package salvage

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// aside is where the damaged journal of an interrupted installation stands: in
// the quarantine of the same stamp as a preparation that was not swapped in.
// "" where there is a journal, or none was moved away. The newest by name is
// not asked for: names are wall-clock times, and clocks lie.
func aside(fsys durable.FS) (quarantine string, err error) {
	if there, err := exists(fsys, stateroot.Journal); err != nil || there {
		return "", err
	}
	works, err := preparations(fsys)
	if err != nil {
		return "", err
	}
	for _, work := range works {
		prepared, err := exists(fsys, work+"/"+stateroot.Journal)
		if err != nil {
			return "", err
		}
		moved, err := exists(fsys, quarantineOf(work))
		if err != nil {
			return "", err
		}
		if prepared && moved {
			quarantine = quarantineOf(work)
		}
	}
	return quarantine, nil
}

// takeBack undoes an installation that lost power before its commit point.
func takeBack(fsys durable.FS) error {
	quarantine, err := aside(fsys)
	if err != nil || quarantine == "" {
		return err
	}
	if err := fsys.Rename(quarantine, stateroot.Journal); err != nil {
		return err
	}
	return fsys.SyncDir(".")
}

// damagedAt is where the journal to salvage is.
func damagedAt(fsys durable.FS) (journal.Layout, error) {
	l := journal.DefaultLayout()
	quarantine, err := aside(fsys)
	if quarantine != "" {
		l.Dir = quarantine
	}
	return l, err
}

// resume completes an installation that lost power after its commit point,
// before the head file was reset.
func resume(fsys durable.FS) (done bool, in Installed, err error) {
	if there, err := exists(fsys, stateroot.Journal); err != nil || !there {
		return false, in, err
	}
	if describe(fsys, &in) != nil {
		return false, Installed{}, nil // not a salvaged journal of one record
	}
	work, err := madeBy(fsys, in.Journal)
	if err != nil || work == "" {
		return false, Installed{}, err
	}
	head, err := ReadHead(fsys)
	if err != nil {
		return false, in, err
	}
	if slot, ok := head.Newest(); ok && (slot.Journal == in.Journal || slot.Tip.Seq != in.Event.HeadSeq) {
		return false, Installed{}, nil
	}
	in.Kept, in.Resumed = work+"/"+stateroot.PredecessorRecords, true
	if moved, _ := exists(fsys, quarantineOf(work)); moved {
		in.Quarantine = quarantineOf(work)
	}
	// A salvage that was killed may have left names that no disk holds yet.
	if err := errors.Join(fsys.SyncDir("."), fsys.SyncDir(work)); err != nil {
		return true, in, err
	}
	return true, in, resetHead(fsys, work)
}

// quarantineOf is where the salvage that was prepared in work moves the damaged
// journal.
func quarantineOf(work string) string {
	return stateroot.JournalQuarantine + strings.TrimPrefix(work, stateroot.JournalSalvage)
}

// ReadHead reads the head file. Something else in its place is damage like any
// other: no slot of it is good.
func ReadHead(fsys durable.FS) (journal.HeadReport, error) {
	head, err := journal.ReadHead(fsys, journal.DefaultLayout())
	if errors.Is(err, errs.ErrCorrupt) {
		err = nil
	}
	return head, err
}

// Remains are the names in the state root that salvages, finished or not, have
// left. Each of them refers to a journal: where one is, no journal is created.
func Remains(fsys durable.FS) (remains []string, err error) {
	names, err := durable.Names(fsys, ".")
	for _, name := range names {
		if strings.HasPrefix(name, stateroot.JournalQuarantine) || strings.HasPrefix(name, stateroot.JournalSalvage) {
			remains = append(remains, name)
		}
	}
	return remains, err
}

// preparations are the directories that salvages were prepared in. What only
// begins with their name is somebody else's.
func preparations(fsys durable.FS) ([]string, error) {
	entries, err := fsys.ReadDir(".")
	var works []string
	for _, e := range entries {
		stamp, ours := strings.CutPrefix(e.Name, stateroot.JournalSalvage)
		if _, err := time.Parse(stampLayout, stamp); ours && err == nil && e.Mode.IsDir() {
			works = append(works, e.Name)
		}
	}
	return works, err
}

// madeBy is the directory that the salvage which made this journal was
// prepared in, "" where there is none: its head file is the new journal's first.
func madeBy(fsys durable.FS, journalID string) (string, error) {
	works, err := preparations(fsys)
	for _, work := range works {
		head, err := journal.ReadHead(within{fsys, work}, journal.DefaultLayout())
		if err != nil {
			continue // no preparation that finished
		}
		if slot, ok := head.Newest(); ok && slot.Journal == journalID {
			return work, nil
		}
	}
	return "", err
}

// describe reads what a journal of one JournalSalvaged record says.
func describe(fsys durable.FS, in *Installed) error {
	view, err := journal.OpenView(fsys, journal.Layout{Dir: stateroot.Journal}) // whatever the head file is
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
