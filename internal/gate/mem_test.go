package gate

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
)

// init gives the nodes of tests a tail that is quickly written; createTails
// gives those of one test another.
func init() { layout.TailLength = 1 << 20 }

const (
	realTail  = 0          // the gate's own
	smallTail = 156 * 4096 // with 26 blocks for frames: settling is due from 14 on
)

// createTails has the journals of this test created with a tail of that length.
// No other test may run meanwhile.
func createTails(t *testing.T, length int64) {
	t.Helper()
	before := layout.TailLength
	layout.TailLength = length
	t.Cleanup(func() { layout.TailLength = before })
}

// memNode is a node whose state root is in memory and can lose power. Config,
// certificates and operating system stay where newNode put them.
type memNode struct {
	*node
	disk *memfs.FS
}

// memRoot is a state root in memory. Nothing else holds its lock.
type memRoot struct{ disk *memfs.FS }

func (m memRoot) FS() durable.FS { return m.disk }
func (memRoot) Facts() stateroot.Facts {
	return stateroot.Facts{Filesystem: "memfs", MountCheck: stateroot.MountCheckSkipped}
}
func (memRoot) Lock(context.Context) error { return nil }
func (memRoot) Close() error               { return nil }

func newMemNode(t *testing.T) *memNode {
	m := &memNode{node: newNode(t), disk: memfs.New()}
	m.edit = func(h *Host) {
		h.OpenRoot = func(string, stateroot.Options) (Root, error) { return memRoot{m.disk}, nil }
	}
	return m
}

func (m *memNode) put(name string, data []byte) {
	m.t.Helper()
	if dir := path.Dir(name); dir != "." {
		m.check(durable.MkdirAll(m.disk, dir, 0o750))
	}
	m.check(durable.WriteFile(m.disk, name, data, 0o644))
}

func (m *memNode) get(name string) []byte {
	m.t.Helper()
	data, _, err := durable.ReadFile(m.disk, name, 1<<20)
	m.check(err)
	return data
}

func (m *memNode) sign(manifest string) {
	m.t.Helper()
	m.put("runtime/manifest.json", []byte(manifest))
	m.put("runtime/manifest.json.sig", ed25519.Sign(m.key, []byte(manifest)))
	m.put("identity/manifest-verify.pub", m.key.Public().(ed25519.PublicKey))
}

// records reads a disk's journal whole and verified.
func records(t *testing.T, disk *memfs.FS) ([]string, error) {
	t.Helper()
	view, err := journal.OpenView(disk, layout)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	var out []string
	for rec, err := range view.Records(1, view.Tip().Seq) {
		if err != nil {
			return nil, err
		}
		out = append(out, string(rec.Raw))
	}
	return out, nil
}

// acknowledged are the records that a disk's head file vouches for.
func acknowledged(t *testing.T, disk *memfs.FS) []string {
	t.Helper()
	found, err := journal.Inspect(disk, layout)
	if err != nil {
		t.Fatal(err)
	}
	if !found.Head {
		return nil
	}
	view, err := journal.OpenView(disk, layout)
	if err != nil {
		t.Fatalf("a head file, but no journal that opens: %v", err)
	}
	defer view.Close()
	slot, ok := view.Head().Newest()
	if !ok {
		t.Fatal("no slot of the head file is good")
	}
	all, err := records(t, disk)
	if err != nil {
		t.Fatal(err)
	}
	if uint64(len(all)) < slot.Tip.Seq {
		t.Fatalf("acknowledged are %d records, the journal holds %d", slot.Tip.Seq, len(all))
	}
	return all[:slot.Tip.Seq]
}

var volatileMembers = regexp.MustCompile(`"(captured_at|rotated_at|digest|id|hash|prev)": "[^"]*"|"(seq|already_in_place)": [a-z0-9]+`)

// outcome is what a boot leaves, apart from times, ids, journal members and
// already_in_place: the projections and everything that operations installed.
func outcome(t *testing.T, disk *memfs.FS) string {
	t.Helper()
	all, err := contents(disk)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch {
		case strings.HasPrefix(name, "journal"), name == layout.Head:
		case strings.HasSuffix(name, ".json") && !strings.HasPrefix(name, "runtime/"):
			data := all[name]
			if !json.Valid([]byte(data[strings.IndexByte(data, '\n')+1:])) {
				t.Fatalf("%s is half written: %q", name, data)
			}
			b.WriteString(name + " " + volatileMembers.ReplaceAllString(data, `"$1$2": …`) + "\n")
		default:
			b.WriteString(name + " " + all[name] + "\n")
		}
	}
	return b.String()
}

// contents are the mode and the bytes of every file, by name, but for the last
// failure, which no boot believes.
func contents(disk *memfs.FS) (map[string]string, error) {
	all := map[string]string{}
	var walk func(dir string) error
	walk = func(dir string) error {
		entries, err := disk.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			switch name := path.Join(dir, e.Name); {
			case strings.HasPrefix(name, "bootstrap/last_failure"):
			case e.IsDir():
				all[name] = e.Mode.String()
				err = walk(name)
			default:
				data, info, readErr := durable.ReadFile(disk, name, 64<<20)
				all[name], err = info.Mode.String()+"\n"+string(data), readErr
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return all, walk(".")
}
