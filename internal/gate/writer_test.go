package gate

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

const (
	good  = "#!app"
	other = "#!another"
)

// traces are what shows that a node has booted before.
var traces = []string{"journal", "bootstrap/journal_head", "bootstrap/os_fingerprint.json", "epoch"}

// writings are what somebody who may write to the state root, and has no
// manifest key, can do to have another file run in the place of bin/app. Each
// has a row in ARCHITECTURE.md under the same name.
var writings = []struct {
	name  string
	write func(s *stage)
}{
	{"exchanges an installed file", func(s *stage) {}},
	{"exchanges the source that it is installed from", func(s *stage) {
		s.executable("bin/app", good)
		s.write("runtime/binaries/app", []byte(other))
	}},
	{"exchanges manifest, signature and key", func(s *stage) { s.foreignManifest() }},
	{"puts an older signed manifest back", func(s *stage) {
		s.deploy(strings.Replace(pinnedOp, `"serial":5`, `"serial":4`, 1))
	}},
	{"removes a projection", func(s *stage) { s.remove("bootstrap/os_fingerprint.json") }},
	{"edits the fingerprint file", func(s *stage) { s.tamper(map[string]any{"boot_epoch": 77}) }},
	{"removes the journal", func(s *stage) { s.remove("journal") }},
	{"removes every trace of a boot", func(s *stage) { s.removeAll(traces...) }},
	{"removes every trace, manifest and signature", func(s *stage) {
		s.removeAll(traces...)
		s.removeAll("runtime/manifest.json", "runtime/manifest.json.sig")
	}},
	{"removes every trace, and puts manifest, signature and key of its own there", func(s *stage) {
		s.removeAll(traces...)
		s.foreignManifest()
	}},
	{"removes every trace, and puts a file of the older software there", func(s *stage) {
		s.removeAll(traces...)
		s.legacy(s.liveHash(), 0)
	}},
	{"writes a whole history of its own, under the journal's id", func(s *stage) { s.forgeHistory() }},
}

const pinnedOp = `{"serial":5,"version":"1","operations":[{"op":"copy_binary","src":"app","dst":"bin/app","blake3":"HASH"}]}`

// TestStateRootWriter: what such a writer gains is what ARCHITECTURE.md says,
// at the next boot and at the boot after the next update: without pins in the
// config, with the key pinned and the runtime verified, and with the journal's
// id pinned as well.
func TestStateRootWriter(t *testing.T) {
	page, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range writings {
		t.Run(slug(w.name), func(t *testing.T) {
			cells := []string{w.name}
			for pins := range 3 {
				s := &stage{node: newNode(t)}
				s.updated(1, strings.Replace(pinnedOp, "HASH", blake3Hex([]byte(good)), 1))
				keys := "verify_runtime: true, manifest_key_blake3: " + s.keyHash()
				switch pins {
				case 1:
					s.gateKeys(keys)
				case 2:
					state, _ := s.history()
					s.gateKeys(keys + ", journal_id: " + state.Journal)
				}
				s.executable("bin/app", other)
				w.write(s)
				now := s.gained()
				s.update()
				if later := s.gained(); later != now {
					now += ", then " + later
				}
				cells = append(cells, now)
			}
			if row := "| " + strings.Join(cells, " | ") + " |"; !strings.Contains(string(page), row+"\n") {
				t.Errorf("ARCHITECTURE.md has no row\n%s", row)
			}
		})
	}
}

// gained boots and says what the writer has gained.
func (s *stage) gained() string {
	s.t.Helper()
	if exit := s.precheck(); exit != ExitOK {
		return fmt.Sprintf("exit %d", exit)
	}
	if string(s.read("bin/app")) == other {
		return "its file runs"
	}
	return "the right file runs"
}

func (s *stage) executable(name, text string) {
	s.t.Helper()
	s.write(name, []byte(text))
	s.check(os.Chmod(s.path(name), 0o755))
}

func (s *stage) removeAll(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.remove(name)
	}
}

// foreignManifest installs the other file, under a key of the writer's own.
func (s *stage) foreignManifest() {
	s.t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	s.check(err)
	s.key = key
	s.write("runtime/binaries/app", []byte(other))
	s.deploy(strings.Replace(pinnedOp, "HASH", blake3Hex([]byte(other)), 1))
}

// forgeHistory writes the node's history again as if the other file had been
// installed: nothing on a node vouches for what its own journal says.
func (s *stage) forgeHistory() {
	s.t.Helper()
	root, err := durable.OpenRoot(s.root)
	s.check(err)
	defer root.Close()
	view, err := journal.OpenView(root, layout)
	s.check(err)
	var entries []record.Entry
	for rec, err := range view.Records(1, view.Tip().Seq) {
		s.check(err)
		data := bytes.Clone(rec.Data)
		if rec.Type == string(machine.KindOpApplied) {
			var op machine.OpApplied
			s.check(json.Unmarshal(data, &op))
			op.BLAKE3, op.Bytes = blake3Hex([]byte(other)), int64(len(other))
			data = s.must(machine.Encode(op))
		}
		id, err := uuid.Parse(rec.ID)
		s.check(err)
		entries = append(entries, record.Entry{ID: id, Type: rec.Type, Crit: rec.Crit, Time: rec.Time, BootID: rec.BootID,
			UptimeMS: rec.UptimeMS, Run: rec.Run, Node: rec.Node, Epoch: rec.Epoch, Data: data})
	}
	id, err := uuid.Parse(view.ID())
	s.check(err)
	s.check(view.Close())
	s.removeAll(traces...)
	w, _, err := journal.Create(root, layout, entries[0], journal.CreateOptions{ID: id})
	s.check(err)
	for _, e := range entries[1:] {
		_, err := w.Append(e)
		s.check(err)
	}
	s.check(w.Close())
}
