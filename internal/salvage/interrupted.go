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

// aside returns the directory of the damaged journal of an interrupted installation: the
// quarantine with the stamp of a preparation that was not installed. It is "" if there
// is a journal, or if none was moved away. The newest name does not count: names are
// wall-clock times, and clocks may be wrong.
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

// takeBack undoes an installation that was interrupted before its commit point.
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

// damagedAt returns the layout of the journal to salvage.
func damagedAt(fsys durable.FS) (journal.Layout, error) {
	l := journal.DefaultLayout()
	quarantine, err := aside(fsys)
	if quarantine != "" {
		l.Dir = quarantine
	}
	return l, err
}

// resume completes an installation that was interrupted after its commit point and before
// the head file was reset.
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
	// A salvage that was killed may have left names that are not durable yet.
	if err := errors.Join(fsys.SyncDir("."), fsys.SyncDir(work)); err != nil {
		return true, in, err
	}
	return true, in, resetHead(fsys, work)
}

// quarantineOf returns the directory to which the salvage prepared in work moves the
// damaged journal.
func quarantineOf(work string) string {
	return stateroot.JournalQuarantine + strings.TrimPrefix(work, stateroot.JournalSalvage)
}

// ReadHead reads the head file. Something else in its place is damage: neither slot is
// good.
func ReadHead(fsys durable.FS) (journal.HeadReport, error) {
	head, err := journal.ReadHead(fsys, journal.DefaultLayout())
	if errors.Is(err, errs.ErrCorrupt) {
		err = nil
	}
	return head, err
}

// Leftovers returns the names in the state root that salvages, finished or not, have left.
// While there is one, no journal is created, because each refers to a journal.
func Leftovers(fsys durable.FS) (left []string, err error) {
	names, err := durable.Names(fsys, ".")
	for _, name := range names {
		if strings.HasPrefix(name, stateroot.JournalQuarantine) || strings.HasPrefix(name, stateroot.JournalSalvage) {
			left = append(left, name)
		}
	}
	return left, err
}

// preparations returns the directories in which salvages were prepared. Other names that
// only begin like them are ignored.
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

// madeBy returns the directory of the salvage that made this journal, "" if there is
// none. Its head file names the journal.
func madeBy(fsys durable.FS, journalID string) (string, error) {
	works, err := preparations(fsys)
	for _, work := range works {
		head, err := journal.ReadHead(within{fsys, work}, journal.DefaultLayout())
		if err != nil {
			continue // a preparation that did not finish
		}
		if slot, ok := head.Newest(); ok && slot.Journal == journalID {
			return work, nil
		}
	}
	return "", err
}

// describe reads a journal of one JournalSalvaged record.
func describe(fsys durable.FS, in *Installed) error {
	view, err := journal.OpenView(fsys, journal.Layout{Dir: stateroot.Journal}) // without the head file
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
		return fmt.Errorf("record 1 is %s, and the journal has %d records", rec.Type, view.Tip().Seq)
	}
	in.Event, in.Journal = salvaged, view.ID()
	return nil
}
