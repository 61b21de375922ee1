package salvage

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

var check = historytest.Check

// someone returns the caller of a salvage without the node's name.
func someone() Request {
	return Request{By: "op", Reason: "bit rot", Run: uuid.Must(uuid.NewV7()).String(), BootID: uuid.NewString(), UptimeMS: 1,
		Now: time.Date(2026, 3, 5, 10, 0, 0, 0, time.UTC), NewID: uuid.NewV7}
}

// grownRecords is the number of records of grown.
const grownRecords = 9

// grown is a history at epoch 1, serial 7, and its disk. Its newest two records
// are in the tail, the others have settled.
func grown(t *testing.T) (*historytest.History, *memfs.FS) {
	t.Helper()
	h := historytest.New(t, t.TempDir())
	h.First()
	h.Match()
	h.Reconstruct(historytest.NewOS, 7)
	h.Settle(h.State)
	h.Match()
	h.Publish()
	return h, disk(t, h.Dir)
}

// disk returns a directory as a disk, with everything durable.
func disk(t *testing.T, dir string) *memfs.FS {
	t.Helper()
	m := memfs.New()
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil || name == ".":
			return err
		case d.IsDir():
			return m.Mkdir(name, 0o750)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return durable.WriteFile(m, name, data, 0o640)
	}))
	m.SyncAll()
	return m
}

func get(t *testing.T, m durable.FS, name string) string {
	t.Helper()
	data, _, err := durable.ReadFile(m, name, 16<<20)
	check(t, err)
	return string(data)
}

func put(t *testing.T, m durable.FS, name, data string) {
	t.Helper()
	check(t, durable.WriteFile(m, name, []byte(data), 0o640))
}

// examine calls Examine and checks that it changes nothing.
func examine(t *testing.T, m *memfs.FS, req Request) (machine.JournalSalvaged, []string, error) {
	t.Helper()
	before := m.Dump()
	var kept []string
	plan, err := Examine(m, req, func(raw []byte) error {
		kept = append(kept, string(raw))
		return nil
	})
	after := m.Dump()
	if len(after) != len(before) {
		t.Errorf("%d paths, before %d", len(after), len(before))
	}
	for name, what := range before {
		if after[name] != what {
			t.Errorf("%s was changed", name)
		}
	}
	if err != nil {
		return machine.JournalSalvaged{}, kept, err
	}
	return plan.Event, kept, nil
}

// records returns a journal's records, verified.
func records(t *testing.T, fsys durable.FS) []record.Record {
	t.Helper()
	view, err := journal.OpenView(fsys, journal.DefaultLayout())
	check(t, err)
	defer view.Close() //nolint:errcheck // opened for reading only
	if _, err := view.CheckHead(nil); err != nil {
		t.Fatal(err)
	}
	var all []record.Record
	for rec, err := range view.Records(1, view.Tip().Seq) {
		check(t, err)
		rec.Raw = bytes.Clone(rec.Raw) // valid until the next step only, as Data is
		kept, err := record.Decode(rec.Raw)
		check(t, err)
		all = append(all, kept)
	}
	return all
}

// named returns the entries of the root whose names begin so.
func named(t *testing.T, m durable.FS, prefix string) (names []string) {
	t.Helper()
	entries, err := m.ReadDir(".")
	check(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name, prefix) {
			names = append(names, e.Name)
		}
	}
	return names
}

// under returns a dump's entries below a directory, relative to it.
func under(dump map[string]string, dir string) map[string]string {
	sub := map[string]string{}
	for name, what := range dump {
		if rel, ok := strings.CutPrefix(name, dir+"/"); ok {
			sub[rel] = what
		}
	}
	return sub
}

// rotten flips a bit of every table and of every frame.
func rotten(t *testing.T, m *memfs.FS) {
	t.Helper()
	rot(t, m, func(table []byte) []byte {
		table[len(table)/4] ^= 1
		return table
	})
}

// hollow empties every table and flips a bit of every frame. Pebble refuses that faster: it
// searches for a flipped bit by flipping each one.
func hollow(t *testing.T, m *memfs.FS) {
	t.Helper()
	rot(t, m, func([]byte) []byte { return nil })
}

func rot(t *testing.T, m *memfs.FS, table func([]byte) []byte) {
	t.Helper()
	entries, err := m.ReadDir(stateroot.Journal)
	check(t, err)
	for _, e := range entries {
		name := stateroot.Journal + "/" + e.Name
		data := []byte(get(t, m, name))
		switch {
		case strings.HasSuffix(name, ".sst"):
			data = table(data)
		case e.Name == "tail":
			historytest.RotFrames(data)
		default:
			continue
		}
		put(t, m, name, string(data))
	}
	m.SyncAll()
}

// headOf returns the journal that the head file names.
func headOf(m durable.FS) string {
	head, err := journal.ReadHead(m, journal.DefaultLayout())
	slot, ok := head.Newest()
	if err != nil || !ok {
		return ""
	}
	return slot.Journal
}
