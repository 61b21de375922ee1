package tlscert

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// Install puts the rotation's certificate and key in the place of the
// bundle's, with the owner and mode of the files they replace; see the package
// documentation for how. When it returns an error the old pair is in place and
// nothing else is left behind, unless the disk refuses that too: then the pair
// still matches, and Recover completes or undoes the rest. The error is an
// *Error.
func Install(b *Bundle, r *Rotation) error { return install(host{}, b, r) }

func install(d disk, b *Bundle, r *Rotation) error {
	fail := func(err error) error {
		return &Error{Path: b.Paths.Cert, Kind: ErrInstall, Err: err,
			Next: "check that the directories of certificate and key are writable and have space"}
	}
	if _, err := tidy(d, b.Paths); err != nil {
		return err
	}
	p, err := locate(d, b.Paths)
	if err != nil {
		return fail(err)
	}
	if p.cert.path == p.key.path {
		// One file for both: one rename does it.
		if err := replaceOne(d, p.cert, b.certPEM, slices.Concat(r.CertPEM, r.KeyPEM)); err != nil {
			return fail(err)
		}
		return nil
	}
	err = replaceBoth(d, p, b, r)
	if err == nil {
		return nil
	}
	if _, undo := tidy(d, b.Paths); undo != nil {
		return fail(errors.Join(err, undo))
	}
	if _, old := unchanged(d, p.cert.path, r.CertPEM); old == nil {
		return nil // the failure came at or after the commit point and was mended
	}
	return fail(err)
}

// errChanged: somebody else replaced the files meanwhile.
var errChanged = errors.New("the file changed since it was read; run precheck again")

// unchanged gives the owner of the file at path, which must still hold want.
func unchanged(d disk, path string, want []byte) (owner, error) {
	info, err := d.Lstat(path)
	if err != nil {
		return owner{}, err
	}
	data, err := d.Read(path)
	if err != nil {
		return owner{}, err
	}
	if !bytes.Equal(data, want) {
		return owner{}, fmt.Errorf("%s: %w", path, errChanged)
	}
	return ownerOf(info), nil
}

func replaceOne(d disk, m member, was, data []byte) error {
	o, err := unchanged(d, m.path, was)
	if err != nil {
		return err
	}
	if err := publish(d, m, data, o); err != nil {
		_ = removeIfThere(d, m.tmp()) // the first error is the one that tells
		return err
	}
	return nil
}

// publish makes a regular file with data at m's path: written beside, flushed,
// renamed, its directory flushed.
func publish(d disk, m member, data []byte, o owner) error {
	if err := removeIfThere(d, m.tmp()); err != nil {
		return err
	}
	if err := d.Create(m.tmp(), data, o); err != nil {
		return err
	}
	return swap(d, m)
}

// link makes a link of ours at m's path.
func link(d disk, p *pair, m member) error {
	if err := removeIfThere(d, m.tmp()); err != nil {
		return err
	}
	if err := d.Symlink(p.target(m), m.tmp()); err != nil {
		return err
	}
	return swap(d, m)
}

func swap(d disk, m member) error {
	if err := d.Rename(m.tmp(), m.path); err != nil {
		return err
	}
	return d.SyncDir(m.dir())
}

// replaceBoth runs the five steps. Each is durable before the next begins:
// no two names are ever waiting to reach the disk in an order of its choice.
func replaceBoth(d disk, p *pair, b *Bundle, r *Rotation) error {
	if err := prepare(d, p, b, r); err != nil {
		return err
	}
	for _, m := range p.members() { // 1 and 2: other names, same bytes
		if err := link(d, p, m); err != nil {
			return err
		}
	}
	if err := pointTo(d, p, dirNew); err != nil { // 3: COMMIT POINT
		return err
	}
	if err := finish(d, p, p.members()); err != nil { // 4 and 5: same bytes again
		return err
	}
	return cleanUp(d, p)
}

// prepare lays out the working directory with both pairs and `pair` -> old.
func prepare(d disk, p *pair, b *Bundle, r *Rotation) error {
	certOwner, err := unchanged(d, p.cert.path, b.certPEM)
	if err != nil {
		return err
	}
	keyOwner, err := unchanged(d, p.key.path, b.keyPEM)
	if err != nil {
		return err
	}
	if err := d.Mkdir(p.work); err != nil {
		return err
	}
	for _, side := range []struct {
		dir       string
		cert, key []byte
	}{{dirOld, b.certPEM, b.keyPEM}, {dirNew, r.CertPEM, r.KeyPEM}} {
		dir := filepath.Join(p.work, side.dir)
		if err := d.Mkdir(dir); err != nil {
			return err
		}
		if err := d.Create(filepath.Join(dir, nameCert), side.cert, certOwner); err != nil {
			return err
		}
		if err := d.Create(filepath.Join(dir, nameKey), side.key, keyOwner); err != nil {
			return err
		}
		if err := d.SyncDir(dir); err != nil {
			return err
		}
	}
	if err := pointTo(d, p, dirOld); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(p.work))
}

// pointTo makes `pair` lead to the old or to the new side, durably.
func pointTo(d disk, p *pair, side string) error {
	path := filepath.Join(p.work, linkPair)
	if err := d.Symlink(side, path+tmpSuffix); err != nil {
		return err
	}
	if err := d.Rename(path+tmpSuffix, path); err != nil {
		return err
	}
	return d.SyncDir(p.work)
}

// finish turns links of ours back into regular files with what they lead to.
func finish(d disk, p *pair, linked []member) error {
	for _, m := range linked {
		path := filepath.Join(p.work, linkPair, m.name)
		data, err := d.Read(path)
		if err != nil {
			return err
		}
		side, err := d.Readlink(filepath.Join(p.work, linkPair))
		if err != nil {
			return err
		}
		info, err := d.Lstat(filepath.Join(p.work, side, m.name))
		if err != nil {
			return err
		}
		if err := publish(d, m, data, ownerOf(info)); err != nil {
			return err
		}
	}
	return nil
}

// cleanUp removes the working directory, which no path leads through any more.
// It is what brings a recovery here again, and therefore goes last: after the
// temporaries, and after both names are known to be on the disk.
func cleanUp(d disk, p *pair) error {
	for _, m := range p.members() {
		if err := removeIfThere(d, m.tmp()); err != nil {
			return err
		}
		if err := d.SyncDir(m.dir()); err != nil {
			return err
		}
	}
	paths := []string{}
	for _, side := range []string{dirOld, dirNew} {
		for _, name := range []string{nameCert, nameKey, ""} {
			paths = append(paths, filepath.Join(p.work, side, name))
		}
	}
	link := filepath.Join(p.work, linkPair)
	paths = append(paths, link+tmpSuffix, link, p.work)
	for _, path := range paths {
		if err := removeIfThere(d, path); err != nil {
			return err
		}
	}
	return d.SyncDir(filepath.Dir(p.work))
}

// isAbsent reports whether nothing stands at path.
func isAbsent(d disk, path string) (bool, error) {
	_, err := d.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}
