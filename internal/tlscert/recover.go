package tlscert

import (
	"errors"
	"io/fs"
)

// Recover completes a replacement that a crash interrupted, or undoes it if
// the crash came before the commit point, and reports whether there was one.
// It is called before Load; a pair that matches is read without it too, so a
// run that must write nothing leaves it out. The error is an *Error.
func Recover(paths Paths) (recovered bool, err error) { return tidy(host{}, paths) }

// tidy is Recover on any disk.
func tidy(d disk, paths Paths) (bool, error) {
	fail := func(err error) (bool, error) {
		return false, &Error{Path: paths.Cert, Kind: ErrRecover, Err: err,
			Next: "check that the directories of certificate and key are writable; " +
				"if that does not help, deploy certificate and key again in their place"}
	}
	p, err := locate(d, paths)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // Load says which file is missing
	}
	if err != nil {
		return fail(err)
	}
	if p.cert.path == p.key.path {
		// One file for both has no working directory, only a temporary.
		absent, err := isAbsent(d, p.cert.tmp())
		if err == nil && !absent {
			err = d.Remove(p.cert.tmp())
		}
		if err != nil {
			return fail(err)
		}
		return !absent, nil
	}
	absent, err := isAbsent(d, p.work)
	if err != nil {
		return fail(err)
	}
	var linked []member
	for _, m := range p.members() {
		if m.linked {
			linked = append(linked, m)
		}
	}
	if absent && len(linked) == 0 {
		return false, nil
	}
	if len(linked) > 0 {
		// What `pair` was seen to lead to may not be on the disk yet: the
		// process was killed, or the flush failed, right after the rename.
		// It has to be, before either name stops leading through it.
		if err := d.SyncDir(p.work); err != nil {
			return fail(err)
		}
	}
	if err := finish(d, p, linked); err != nil {
		return fail(err)
	}
	if err := cleanUp(d, p); err != nil {
		return fail(err)
	}
	return true, nil
}
