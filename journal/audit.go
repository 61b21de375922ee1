package journal

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
)

// audit looks at everything that Pebble would read leniently: the markers,
// the manifest and the logs. A torn tail, which is what a power cut leaves, is
// accepted; damage before it is not.
func (s *store) audit(dir string) error {
	names, err := s.List(dir)
	if err != nil {
		return ioError("list the journal", dir, err)
	}
	format, manifest := newestMarker(names, "format-version"), newestMarker(names, "manifest")
	if format == "" || manifest == "" {
		return corrupt(dir, 0, nil, "open the journal: the marker of its format or of its manifest is missing")
	}
	n, err := strconv.ParseUint(format, 10, 32)
	if err != nil {
		return corrupt(dir, 0, err, "open the journal: read the marker of its format")
	}
	if n > uint64(formatVersion) {
		return &Error{Kind: ErrNewer, Path: dir, Detail: "open the journal: storage format " + format, Next: nextUpgrade}
	}
	path := s.PathJoin(dir, manifest)
	if err := s.auditLog(path, 0, false); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return corrupt(path, 0, err, "open the journal: its manifest is missing")
		}
		return err
	}
	for _, name := range names {
		if !isLog(name) {
			continue
		}
		num, err := strconv.ParseUint(strings.TrimSuffix(name, ".log"), 10, 64)
		if err != nil {
			return corrupt(s.PathJoin(dir, name), 0, nil, "open the journal: no log is named so")
		}
		if err := s.auditLog(s.PathJoin(dir, name), uint32(num), true); err != nil {
			return err
		}
	}
	return nil
}

// newestMarker finds the value of Pebble's marker file of that name:
// marker.<name>.<iteration>.<value>, the highest iteration counts.
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
