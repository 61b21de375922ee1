package projections

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/autonomyops/edged/internal/durable"
)

const orphanSuffix = ".tmp"

// CleanOrphans removes what an interrupted publication left: every *.tmp in
// epoch/ and bootstrap/. Nobody but the holder of the gate's lock writes
// there. Other names are left alone, and where there is no *.tmp nothing is
// written.
func CleanOrphans(fsys durable.FS) error {
	for _, dir := range []string{epochDir, bootstrapDir} {
		if err := cleanOrphansIn(fsys, dir); err != nil {
			return fmt.Errorf("remove orphans: %w", err)
		}
	}
	return nil
}

func cleanOrphansIn(fsys durable.FS, dir string) error {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	removed := false
	for _, e := range entries {
		if !strings.HasSuffix(e.Name, orphanSuffix) {
			continue
		}
		if err := durable.RemoveAll(fsys, dir+"/"+e.Name); err != nil {
			return err
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return fsys.SyncDir(dir)
}
