package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// maxManifest is the largest size of a manifest in bytes, far above any that is written.
const maxManifest = 64 << 20

// maxNumber is above the number of every file of Pebble's. Pebble continues from
// the highest number that it finds, and wraps to 0 after the largest of 64 bits.
const maxNumber = math.MaxUint64 - 1<<32

// File is a file of Pebble's, as a directory listing shows it.
type File struct {
	Name string
	Size int64 // bytes
}

// List returns Pebble's files in dir, in order of name. Other files are not
// listed.
func List(fsys durable.FS, dir string) ([]File, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, errs.Of("list the journal", dir, err)
	}
	var files []File
	for _, e := range entries {
		if shown(e.Name) {
			files = append(files, File{e.Name, e.Size})
		}
	}
	return files, nil
}

// shown reports whether Pebble may see a file of this name.
func shown(name string) bool {
	return isMarker(name) || isManifest(name) || isTable(name)
}

func isMarker(name string) bool   { return strings.HasPrefix(path.Base(name), "marker.") }
func isManifest(name string) bool { return strings.HasPrefix(path.Base(name), "MANIFEST-") }
func isTable(name string) bool    { return strings.HasSuffix(name, ".sst") }
func isCurrent(name string) bool  { return strings.HasPrefix(path.Base(name), "marker.manifest.") }

// check refuses a directory in which Pebble would do harm: without its markers
// Pebble would create an empty database, it would read a manifest of any size,
// and it panics if a file's number is used again.
func (fl *files) check(dir string, names []string) error {
	format, manifest := newestMarker(names, "format-version"), newestMarker(names, "manifest")
	if format == "" || manifest == "" {
		return errs.Corrupt(dir, 0, nil, "open the journal: the marker of its format or of its manifest is missing")
	}
	n, err := strconv.ParseUint(format, 10, 32)
	if err != nil {
		return errs.Corrupt(dir, 0, err, "open the journal: read the marker of its format")
	}
	if n > uint64(formatVersion) {
		return &errs.Error{Kind: errs.ErrNewer, Path: dir, Detail: "open the journal: storage format " + format, Next: errs.NextUpgrade}
	}
	for _, name := range names {
		digits := strings.TrimSuffix(strings.TrimPrefix(name, "MANIFEST-"), ".sst")
		if number, err := strconv.ParseUint(digits, 10, 64); err == nil && number > maxNumber {
			return errs.Corrupt(path.Join(dir, name), 0, nil, "open the journal: its number is higher than Pebble ever uses")
		}
	}
	at := path.Join(dir, manifest)
	info, err := fl.disk.Lstat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errs.Corrupt(at, 0, err, "open the journal: its manifest is missing")
	case err != nil:
		return errs.Of("open the journal", at, err)
	case info.Size > maxManifest:
		return errs.Corrupt(at, 0, nil, "open the journal: its manifest has %d bytes, at most %d are ever written", info.Size, int64(maxManifest))
	}
	return nil
}

// newestMarker returns the value of Pebble's marker file of that name,
// marker.<name>.<iteration>.<value>, with the highest iteration; "" if there is
// none.
func newestMarker(names []string, marker string) (value string) {
	var best uint64
	for _, n := range names {
		rest, ok := strings.CutPrefix(n, "marker."+marker+".")
		if !ok {
			continue
		}
		it, val, ok := strings.Cut(rest, ".")
		if i, err := strconv.ParseUint(it, 10, 64); ok && err == nil && (value == "" || i > best) {
			best, value = i, val
		}
	}
	return value
}

// inventMarkers adds a marker for the newest manifest to the listing if no marker
// names a manifest.
func (fl *files) inventMarkers(dir string) {
	names, err := fl.List(dir)
	if err != nil || newestMarker(names, "manifest") != "" {
		return
	}
	slices.Sort(names) // a number has at least six digits
	for _, n := range names {
		if isManifest(n) {
			fl.invented = append(fl.invented[:0], "marker.manifest.000001."+n)
		}
	}
	if newestMarker(names, "format-version") == "" {
		fl.invented = append(fl.invented, fmt.Sprintf("marker.format-version.000001.%03d", formatVersion))
	}
}
