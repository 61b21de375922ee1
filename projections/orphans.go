package projections

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
)

// tmpDir returns the name of a publication's temporary directory; now is a time in
// nanoseconds.
func tmpDir(now int64) string { return fmt.Sprintf("%s/epoch_%d.tmp", epochDir, now) }

// CleanOrphans removes the temporary directories that interrupted publications left
// in epoch/: only those whose name and content a publication makes. It returns an
// error for each that is still there. No decision depends on them.
func CleanOrphans(fsys durable.FS) (left []error) {
	entries, err := fsys.ReadDir(epochDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []error{err}
	}
	removed := false
	for _, e := range entries {
		if !e.IsDir() || !isTmpDir(epochDir+"/"+e.Name) {
			continue
		}
		if err := cleanOrphan(fsys, epochDir+"/"+e.Name); err != nil {
			left = append(left, err)
			continue
		}
		removed = true
	}
	if removed {
		if err := fsys.SyncDir(epochDir); err != nil {
			left = append(left, err)
		}
	}
	return left
}

// isTmpDir reports whether tmpDir returns this name.
func isTmpDir(name string) bool {
	var now int64
	_, err := fmt.Sscanf(name, epochDir+"/epoch_%d.tmp", &now)
	return err == nil && name == tmpDir(now)
}

// cleanOrphan removes a temporary directory. It tries to remove the directory
// first: a mount point refuses that, and its content stays.
func cleanOrphan(fsys durable.FS, dir string) error {
	err := fsys.Remove(dir)
	if !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) { // POSIX allows either
		return err
	}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name != evidenceName || !e.Mode.IsRegular() {
			return &fs.PathError{Op: "remove", Path: dir, Err: fmt.Errorf("it holds %s, which no publication writes", strings.ToValidUTF8(e.Name, "?"))}
		}
	}
	if err := fsys.Remove(dir + "/" + evidenceName); err != nil {
		return err
	}
	return fsys.Remove(dir)
}
