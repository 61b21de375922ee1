package tlscert

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// Install replaces the bundle's certificate and key by the rotation's: steps 1 to 5 of the
// package documentation. After an error the old pair is in place without any extra file, unless
// the disk refuses that too: then Load, at the next run, completes or undoes it. The error is an
// *errs.Error.
func (f *Files) Install(b *Bundle, r *Rotation) error {
	sides := f.sides(b, r)
	err := unchanged(sides)
	if err == nil {
		err = f.stage(sides)
	}
	if err == nil {
		if err = f.swap(); err == nil {
			return nil
		}
		if undone := undo(sides); undone != nil {
			return f.notReplaced(errors.Join(err, undone))
		}
	}
	_ = f.sweep() // the first error matters
	return f.notReplaced(err)
}

func (f *Files) notReplaced(err error) error {
	return &errs.Error{Check: check, Path: f.Cert, Kind: ErrInstall, Err: err, Next: "check that the folders of certificate and key are writable and have space, " +
		"that neither file is immutable (lsattr) or a mount point, and that only the gate uses the name in the error"}
}

// errChanged: another process replaced the files meanwhile.
var errChanged = errors.New("the file changed since it was read; run precheck again")

// side is one of the files that a replacement changes.
type side struct {
	file File
	path string
	was  content
	new  []byte
}

// sides returns the key first, whose replacement is the commit point, then the certificate. If
// one file holds both, it returns that one.
func (f *Files) sides(b *Bundle, r *Rotation) []side {
	cert := side{f.cert, f.Cert, b.cert, r.cert}
	if f.oneFile {
		return []side{cert}
	}
	return []side{{f.key, f.Key, b.key, r.key}, cert}
}

// unchanged checks that the files are the ones from which the bundle was read.
func unchanged(sides []side) error {
	for _, side := range sides {
		now, err := side.file.read()
		if err != nil {
			return err
		}
		if !bytes.Equal(now.data, side.was.data) {
			return fmt.Errorf("%s: %w", side.path, errChanged)
		}
	}
	return nil
}

// stage writes everything that the renames need, durably: after the commit point nothing needs
// space, and the new certificate file survives a crash.
func (f *Files) stage(sides []side) error {
	for _, side := range sides {
		if err := write(side.file.staged(), side.was.data, side.was.info); err != nil {
			return err
		}
	}
	cert := sides[len(sides)-1]
	if err := write(f.cert.tmp(), cert.new, cert.was.info); err != nil {
		return err
	}
	if err := f.cert.tmp().rename(f.cert.next()); err != nil {
		return err
	}
	for _, side := range sides {
		if err := write(side.file.tmp(), side.new, side.was.info); err != nil {
			return err
		}
		if err := side.file.FS.SyncDir(side.file.dir()); err != nil {
			return err
		}
	}
	return nil
}

// swap makes the renames.
func (f *Files) swap() error {
	if !f.oneFile {
		if err := f.key.tmp().rename(f.key); err != nil { // COMMIT POINT
			return err
		}
	}
	return f.cert.tmp().rename(f.cert)
}

// undo reverts the changes of a swap that failed, the certificate first: a crash in between
// leaves the same as a crash between the two renames.
func undo(sides []side) error {
	for _, side := range slices.Backward(sides) {
		now, err := side.file.read()
		if err == nil && !bytes.Equal(now.data, side.new) {
			continue
		}
		if err := replace(side.file, side.was.data, side.was.info); err != nil {
			return err
		}
	}
	return nil
}

// Complete replaces the certificate of an unfinished replacement: step 5. The error is an
// *errs.Error.
func (f *Files) Complete(b *Bundle) error {
	// A visible rename may not be durable yet, if the process was killed, or the
	// flush failed, right after it.
	for _, file := range []File{f.key, f.cert} {
		if err := file.FS.SyncDir(file.dir()); err != nil {
			return f.notReplaced(err)
		}
	}
	now, err := f.cert.read()
	if err != nil {
		return f.notReplaced(err)
	}
	if bytes.Equal(now.data, b.cert.data) {
		return nil
	}
	if err := replace(f.cert, b.cert.data, now.info); err != nil {
		return f.notReplaced(err)
	}
	return nil
}

// Finish renames the replaced pair and removes what is left: steps 7 and 8. The caller journals
// the replacement first. The error is an *errs.Error and decides nothing: the pair is in place.
func (f *Files) Finish() error {
	var failed []error
	for _, file := range f.each() {
		if err := file.staged().rename(file.previous()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return f.tidied(append(failed, f.sweep()))
}

// Sweep removes the files of a replacement that was not committed. It removes only regular files
// under the names of a replacement. The error is an *errs.Error and decides nothing.
func (f *Files) Sweep() error { return f.tidied([]error{f.sweep()}) }

func (f *Files) tidied(failed []error) error {
	err := errors.Join(failed...)
	if err == nil {
		return nil
	}
	return &errs.Error{Check: check, Path: f.Cert, Kind: ErrTidy, Err: err,
		Next: "the pair in place is good; remove or rename the file that is in the way"}
}

func (f *Files) each() []File {
	if f.oneFile {
		return []File{f.cert}
	}
	return []File{f.key, f.cert}
}

// sweep removes the new certificate file last, because it shows that a replacement has begun.
func (f *Files) sweep() error {
	var failed []error
	for _, file := range f.each() {
		failed = append(failed, file.tmp().remove(), file.staged().remove())
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return f.cert.next().remove()
}

// remove removes f if it is a regular file.
func (f File) remove() error {
	info, err := f.FS.Lstat(f.Name)
	if err != nil || !info.Mode.IsRegular() {
		return nil // absent, a name too long to exist, or not the gate's
	}
	return f.FS.Remove(f.Name)
}

// replace replaces f's content by data: it writes beside f, flushes, and renames.
func replace(f File, data []byte, like durable.Info) error {
	if err := write(f.tmp(), data, like); err != nil {
		return err
	}
	return f.tmp().rename(f)
}

// rename renames f in its folder, durably.
func (f File) rename(to File) error {
	if err := f.FS.Rename(f.Name, to.Name); err != nil {
		return err
	}
	return f.FS.SyncDir(f.dir())
}

// write makes a new file with data and with the owner and mode of like, flushed. Its name is
// durable after its folder is flushed, which the next rename does.
func write(f File, data []byte, like durable.Info) error {
	if err := f.remove(); err != nil {
		return err
	}
	// 0600 until the owner is right: others must never be able to read a key.
	file, err := f.FS.Create(f.Name, 0o600)
	if err != nil {
		return err
	}
	err = file.Chown(like.UID, like.GID)
	if err == nil {
		err = file.Chmod(like.Mode.Perm())
	}
	if err == nil {
		_, err = file.Write(data)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}
