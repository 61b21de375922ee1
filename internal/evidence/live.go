package evidence

import (
	"errors"
	"fmt"
	"strings"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/journal"
)

// tries bounds how often a journal is opened again because its gate was
// writing meanwhile. A gate runs once per boot and for milliseconds.
const tries = 8

// openView opens a journal that a gate may be writing to at this moment.
// Files that are replaced between two looks at the directory make an intact
// journal look damaged, or, where a log was moved into a table after the
// manifest was read, look as if a record were missing. So damage is believed
// only when nothing in the directory changed while it was looked for, and
// success only when no file came or went.
func openView(fsys durable.FS, l journal.Layout) (*journal.View, error) {
	for try := 1; ; try++ {
		before := look(fsys, l)
		view, err := journal.OpenLiveView(fsys, l)
		after := look(fsys, l)
		switch {
		case try == tries:
			return view, err
		case err == nil && before.names == after.names:
			return view, nil
		case err != nil && (!mayBeMotion(err) || before == after):
			return nil, err
		case err == nil:
			_ = view.Close() // read-only
		}
	}
}

func mayBeMotion(err error) bool {
	for _, kind := range []error{journal.ErrCorrupt, journal.ErrTorn, journal.ErrIO, journal.ErrMissing, journal.ErrNotFound} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return isNotExist(err)
}

// sight is what tells a directory in motion from one at rest.
type sight struct {
	names  string // and inodes
	states string // sizes and times, which an append changes too
}

func look(fsys durable.FS, l journal.Layout) sight {
	var names, states strings.Builder
	list, err := fsys.ReadDir(l.Dir)
	fmt.Fprintln(&names, err)
	for _, n := range list {
		fmt.Fprintln(&names, n.Name, n.Ino)
		fmt.Fprintln(&states, n.Size, n.ModTime.UnixNano())
	}
	if l.Head != "" {
		info, err := fsys.Lstat(l.Head)
		fmt.Fprintln(&states, err, info.Ino, info.ModTime.UnixNano())
	}
	return sight{names.String(), states.String()}
}
