package salvage

import (
	"errors"
	"io/fs"
	"path"
	"syscall"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// stampLayout is the form of a salvage's time in the names that it makes.
const stampLayout = "20060102T150405.000000000Z"

// Installed is the result of Install.
type Installed struct {
	Event      machine.JournalSalvaged
	Journal    string // id of the new journal
	Quarantine string // the new directory of the damaged journal, "" if there was none
	Kept       string // path of predecessor.jsonl
	Resumed    bool   // an interrupted installation was completed
}

// Install salvages the journal below fsys and puts the new one in its place. The
// caller holds the gate's lock. The old journal stays, byte for byte, under
// journal.quarantine-<time>.
//
// The rename of the new journal to journal/ is the commit point; the head file follows
// it. After a power cut before that point the next Install puts the old journal back
// and starts again, because the disk may hold newer records than the preparation. After
// a power cut after it the next Install resets the head file.
func Install(fsys durable.FS, req Request) (Installed, error) {
	if err := takeBack(fsys); err != nil {
		return Installed{}, err
	}
	if done, in, err := resume(fsys); done || err != nil {
		return in, err
	}
	if err := sweep(fsys); err != nil {
		return Installed{}, err
	}
	stamp, err := unused(fsys, req.Now)
	if err != nil {
		return Installed{}, err
	}
	work := stateroot.JournalSalvage + stamp
	if err := durable.MkdirAll(fsys, work, 0o750); err != nil {
		return Installed{}, err
	}
	plan, err := prepare(fsys, work, req)
	if err != nil {
		return Installed{}, errors.Join(err, discard(fsys, work))
	}
	if err := roomForHead(fsys); err != nil {
		return Installed{}, errors.Join(err, discard(fsys, work))
	}
	in := Installed{Event: plan.Event, Journal: plan.ID.String(), Kept: work + "/" + stateroot.PredecessorRecords}
	damaged, err := exists(fsys, stateroot.Journal)
	if err != nil {
		return in, err
	}
	if damaged {
		in.Quarantine = stateroot.JournalQuarantine + stamp
		if err := fsys.Rename(stateroot.Journal, in.Quarantine); err != nil {
			return in, err
		}
		if err := fsys.SyncDir("."); err != nil {
			return in, err
		}
	}
	return in, swapIn(fsys, work)
}

// roomForHead checks that the head file, which is written after the commit point, has
// room.
func roomForHead(fsys durable.FS) error {
	const inodes, bytes = 1, 8 << 10
	space, err := durable.FreeSpace(fsys)
	if err == nil && (space.FreeInodes < inodes || space.FreeBytes < bytes) {
		err = syscall.ENOSPC
	}
	if err != nil {
		return errs.Of("make room for the head file", stateroot.JournalHead, err)
	}
	return nil
}

// unused returns a stamp that neither a preparation nor a quarantine has. The clock may
// have been set back.
func unused(fsys durable.FS, now time.Time) (string, error) {
	for ; ; now = now.Add(1) {
		stamp := now.UTC().Format(stampLayout)
		work, err := exists(fsys, stateroot.JournalSalvage+stamp)
		if err != nil {
			return "", err
		}
		quarantine, err := exists(fsys, stateroot.JournalQuarantine+stamp)
		if err != nil || !work && !quarantine {
			return stamp, err
		}
	}
}

// exists reports whether there is anything of this name.
func exists(fsys durable.FS, name string) (bool, error) {
	_, err := fsys.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// prepare writes the new journal and the kept prefix into work.
func prepare(fsys durable.FS, work string, req Request) (*Plan, error) {
	kept, err := NewPredecessor(fsys, work)
	if err != nil {
		return nil, err
	}
	plan, err := Examine(fsys, req, kept.Keep)
	if err = errors.Join(err, kept.Close()); err != nil {
		return nil, err
	}
	out := within{fsys, work}
	if _, err := plan.Write(out); err != nil {
		return nil, out.placed(err)
	}
	return plan, fsys.SyncDir(work)
}

// sweep removes preparations that were never installed: on a full disk, or after a
// crash, their number would grow with every boot. An installed one has a head file and
// no journal any more; it is kept, for its predecessor.jsonl.
func sweep(fsys durable.FS) error {
	works, err := preparations(fsys)
	for _, work := range works {
		_, noJournal := fsys.Lstat(work + "/" + stateroot.Journal)
		_, noHead := fsys.Lstat(work + "/" + stateroot.JournalHead)
		if errors.Is(noJournal, fs.ErrNotExist) && noHead == nil {
			continue
		}
		if err := discard(fsys, work); err != nil {
			return err
		}
	}
	return err
}

// discard removes a preparation, its head file first: what a power cut leaves of the
// removal must not look installed, or no later sweep would remove it.
func discard(fsys durable.FS, work string) error {
	head := work + "/" + stateroot.JournalHead
	err := fsys.Remove(head)
	if err == nil {
		err = fsys.SyncDir(path.Dir(head))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.RemoveAll(fsys, work)
}

// swapIn moves the prepared journal to its place and resets the head file.
func swapIn(fsys durable.FS, work string) error {
	if err := fsys.Rename(work+"/"+stateroot.Journal, stateroot.Journal); err != nil {
		return err
	}
	if err := errors.Join(fsys.SyncDir("."), fsys.SyncDir(work)); err != nil {
		return err
	}
	return resetHead(fsys, work)
}

// resetHead writes the head file of the new journal. A head file that is no regular
// file cannot be overwritten: it is moved into the preparation's directory.
func resetHead(fsys durable.FS, work string) error {
	if info, err := fsys.Lstat(stateroot.JournalHead); err == nil && !info.Mode.IsRegular() {
		err := errors.Join(fsys.Rename(stateroot.JournalHead, work+"/journal_head.found"),
			fsys.SyncDir(work), fsys.SyncDir(stateroot.Bootstrap))
		if err != nil {
			return err
		}
	}
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
