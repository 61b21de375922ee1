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

// Install puts the rotation's certificate and key in the place of the
// bundle's: steps 1 to 5 of the package documentation. When it returns an
// error the old pair is in place and nothing else is left behind, unless the
// disk refuses that too: then Load, at the next run, completes or undoes it.
// The error is an *errs.Error.
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
	_ = f.sweep() // the first error is the one that counts
	return f.notReplaced(err)
}

func (f *Files) notReplaced(err error) error {
	return &errs.Error{Check: check, Path: f.Cert, Kind: ErrInstall, Err: err, Next: "check that the folders of certificate and key are writable and have space, " +
		"that neither file is immutable (lsattr) or a mount of its own, and that nothing but the gate's own files has the name in the error"}
}

// errChanged: somebody else replaced the files meanwhile.
var errChanged = errors.New("the file changed since it was read; run precheck again")

// side is one of the files that a replacement changes.
type side struct {
	file File
	path string
	was  content
	new  []byte
}

// sides are the key first, whose replacement is the commit point, then the
// certificate; where one file holds both, that one.
func (f *Files) sides(b *Bundle, r *Rotation) []side {
	cert := side{f.cert, f.Cert, b.cert, r.cert}
	if f.oneFile {
		return []side{cert}
	}
	return []side{{f.key, f.Key, b.key, r.key}, cert}
}

// unchanged requires that the files still hold what the bundle was made from.
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

// stage writes everything that the renames need, durably, so that nothing after
// the commit point asks for space, and the new certificate file outlasts a crash.
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

// undo takes back what a swap that failed has changed, the certificate first: a
// crash in between leaves what a crash between the two renames leaves.
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

// Complete puts the certificate of an unfinished replacement in its place:
// step 5. The error is an *errs.Error.
func (f *Files) Complete(b *Bundle) error {
	// A rename that is seen may not have reached the disk yet: the process was
	// killed, or the flush failed, right after it.
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

// Finish gives the replaced pair its name and clears away what is left: steps 7
// and 8. It is called once the replacement is journaled. The error is an *errs.Error
// and decides nothing: the pair is in place.
func (f *Files) Finish() error {
	var failed []error
	for _, file := range f.each() {
		if err := file.staged().rename(file.previous()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return f.tidied(append(failed, f.sweep()))
}

// Sweep removes what a replacement left that was not committed. It removes
// regular files under the names of a replacement and nothing else. The error is
// an *errs.Error and decides nothing.
func (f *Files) Sweep() error { return f.tidied([]error{f.sweep()}) }

func (f *Files) tidied(failed []error) error {
	err := errors.Join(failed...)
	if err == nil {
		return nil
	}
	return &errs.Error{Check: check, Path: f.Cert, Kind: ErrTidy, Err: err,
		Next: "the pair in place is good; remove or rename by hand what stands in the way"}
}

func (f *Files) each() []File {
	if f.oneFile {
		return []File{f.cert}
	}
	return []File{f.key, f.cert}
}

// sweep removes the new certificate file last: it says that a replacement is
// under way.
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
		return nil // absent, a name too long to exist, or somebody else's
	}
	return f.FS.Remove(f.Name)
}

// replace makes f hold data: written beside, flushed, renamed into place.
func replace(f File, data []byte, like durable.Info) error {
	if err := write(f.tmp(), data, like); err != nil {
		return err
	}
	return f.tmp().rename(f)
}

// rename gives f another name in its folder, durably.
func (f File) rename(to File) error {
	if err := f.FS.Rename(f.Name, to.Name); err != nil {
		return err
	}
	return f.FS.SyncDir(f.dir())
}

// write makes a new file with data and the owner and mode of like, flushed. Its
// name is durable once its folder is flushed, which the next rename does.
func write(f File, data []byte, like durable.Info) error {
	if err := f.remove(); err != nil {
		return err
	}
	// 0600 until the owner is right: a key is never readable for others.
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
