package gate

import (
	"io/fs"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// Room that a run needs on the disk besides what it overwrites in place.
const (
	settlingRoom    = 1 << 20 // bytes, besides what the tail holds
	publicationRoom = 32 << 10
	salvageRoom     = 5 << 20
	settlingInodes  = 8
	publishInodes   = 3
)

// rehearseAppend asks the disk, in place of an append, what the append would
// meet: attributes, permissions, and whether the tail has room.
func (r *run) rehearseAppend(e record.Entry) *Failure {
	p, view := r.plan, r.history.view
	if !p.asked {
		p.asked = true
		if err := r.checkJournalFiles(); err != nil {
			return r.unusable(err, "precheck: journal cannot be written", "check free space, the disk and the kernel log")
		}
	}
	if view == nil {
		return nil
	}
	const block, envelope = 4096, 1024 // bytes
	use := view.Tail()
	p.tailBytes += (int64(len(e.Data)) + envelope + block - 1) / block * block
	if p.tailBytes <= use.FreeBytes {
		return nil
	}
	p.tailBytes = use.UsedBytes - use.FreeBytes // it settles, and is empty then
	if err := r.room(layout.Dir, use.UsedBytes+settlingRoom, settlingInodes); err != nil {
		return r.unusable(err, "precheck: journal cannot be settled", "free space and inodes on the state root, check the disk and the kernel log")
	}
	return nil
}

// checkJournalFiles reports why the files that an append writes could not be
// written.
func (r *run) checkJournalFiles() error {
	view := r.history.view
	if view == nil { // it is going to be created
		if err := durable.CheckWrite(r.fs, "."); err != nil {
			return err
		}
		return durable.CheckReplace(r.fs, layout.Head, "")
	}
	if err := durable.CheckWrite(r.fs, layout.Dir+"/"+journal.TailName); err != nil {
		return err
	}
	if !view.Head().Present {
		return durable.CheckReplace(r.fs, layout.Head, "")
	}
	return durable.CheckWrite(r.fs, layout.Head)
}

// rehearsePublication looks at the folders and files that the publication of
// what was planned would write.
func (r *run) rehearsePublication() error {
	for _, dir := range []string{stateroot.Epoch, stateroot.Bootstrap} {
		if _, err := r.fs.ReadDir(dir); err != nil && !isNotExist(err) {
			return err
		}
	}
	var names []string
	for _, e := range r.plan.Events {
		switch p := e.Data.(type) {
		case machine.FingerprintCaptured:
			if p.Role == machine.RoleInitial {
				names = append(names, projections.FingerprintPath)
			}
		case machine.ProjectionRepaired:
			names = append(names, p.Path)
		case machine.EpochRotated:
			const current, previous = stateroot.Epoch + "/current", stateroot.Epoch + "/previous"
			names = append(names, projections.CurrentPath, current, projections.PreviousPath, previous, projections.FingerprintPath)
		}
	}
	for _, name := range names {
		check := durable.CheckWriteFile // as the fingerprint file is written
		if name != projections.FingerprintPath {
			check = func(fsys durable.FS, name string) error { return durable.CheckReplace(fsys, name, "") }
		}
		if err := check(r.fs, name); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return nil
	}
	return r.room(names[0], publicationRoom, publishInodes)
}

// room reports that the state root's filesystem cannot take so many bytes and
// inodes more, as the disk would report it for name.
func (r *run) room(name string, bytes int64, inodes uint64) error {
	space, err := durable.FreeSpace(r.fs)
	if err == nil && (space.FreeBytes < uint64(bytes) || space.FreeInodes < inodes) {
		err = &fs.PathError{Op: "create", Path: r.absolute(name), Err: syscall.ENOSPC}
	}
	return err
}
