package gate

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/machine"
)

// salvageConfig has the gate salvage.
func (m *memNode) salvageConfig() {
	text := string(m.must(os.ReadFile(m.config)))
	m.writeFile(m.config, []byte(text+"gate: { on_damage: salvage }\n"))
}

// damages are ways in which a journal is lost; each leaves something to refuse.
var damages = map[string]func(m *memNode){
	"journal wiped": func(m *memNode) { m.removeTree("journal") },
	"every table empty": func(m *memNode) {
		entries, err := m.disk.ReadDir("journal")
		m.check(err)
		for _, e := range entries {
			if strings.HasSuffix(e.Name, ".sst") {
				m.put("journal/"+e.Name, nil)
			}
		}
	},
	"markers gone": func(m *memNode) {
		entries, err := m.disk.ReadDir("journal")
		m.check(err)
		for _, e := range entries {
			if strings.HasPrefix(e.Name, "marker.") {
				m.check(m.disk.Remove("journal/" + e.Name))
			}
		}
	},
	"a bit flipped in the newest table": func(m *memNode) {
		entries, err := m.disk.ReadDir("journal")
		m.check(err)
		newest := ""
		for _, e := range entries {
			if strings.HasSuffix(e.Name, ".sst") {
				newest = "journal/" + e.Name
			}
		}
		data := m.get(newest)
		data[len(data)/3] ^= 1
		m.put(newest, data)
	},
}

func (m *memNode) removeTree(name string) {
	m.t.Helper()
	entries, err := m.disk.ReadDir(name)
	m.check(err)
	for _, e := range entries {
		m.check(m.disk.Remove(name + "/" + e.Name))
	}
	m.check(m.disk.Remove(name))
}

// damaged is a node at epoch 1 whose journal has been damaged.
func damaged(t *testing.T, damage func(m *memNode)) *memNode {
	m := newMemNode(t)
	m.firstBoot()
	m.kernel += "+1"
	m.boot(ExitOK)
	m.boot(ExitOK)
	damage(m)
	return m
}

func TestDamage_Halts(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			m := damaged(t, damage)
			before := m.disk.Dump()
			m.boot(ExitStateRoot)
			m.logged("level=ERROR", "next=", "edgectl journal salvage")
			after := m.disk.Dump()
			delete(after, "bootstrap/last_failure.json")
			if len(after) != len(before) {
				t.Fatalf("%d files, before %d", len(after), len(before))
			}
			for path, what := range before {
				if after[path] != what {
					t.Errorf("%s: %s, before %s", path, after[path], what)
				}
			}
		})
	}
}

func TestDamage_Salvaged(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			m := damaged(t, damage)
			m.salvageConfig()
			m.boot(ExitOK)
			m.logged("level=WARN", "edge.journal.salvaged", "lost=")
			m.logged("edge.os.update_detected", "cause=salvaged")
			m.logged("edge.os.reconstruction_completed", "boot_epoch=2")
			if logs := m.boot(ExitOK); logs != "" {
				t.Errorf("the boot after says\n%s", logs)
			}
			recs, err := records(t, m.disk)
			if err != nil || !strings.Contains(recs[0], string(machine.KindJournalSalvaged)) {
				t.Fatalf("%v %v", recs, err)
			}
		})
	}
}

// A salvage loses power at every operation: the node is salvaged once, keeps
// its epoch, and reaches exit 0.
func TestCrashSalvage(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			m := damaged(t, damage)
			m.salvageConfig()
			m.disk.SyncAll()
			base, now := m.disk, m.now
			m.disk = base.Clone()
			var at []int
			m.disk.SetHook(func(op memfs.Op) error {
				if op.Mutates {
					at = append(at, op.N)
				}
				return nil
			})
			m.boot(ExitOK)
			stride := every(5)
			points := 0
			for i := 0; i < len(at); i += stride {
				m.disk, m.now = base.Clone(), now
				dying := m.disk
				dying.SetHook(func(op memfs.Op) error {
					if op.N == at[i] {
						dying.Ghost()
					}
					return nil
				})
				m.precheck()
				for kept, crash := range map[string]memfs.Crash{"none": {Keep: memfs.None}, "all": {Keep: memfs.All}, "random": {Keep: memfs.Random, Seed: uint64(i)}} {
					points++
					m.disk = dying.Crash(crash)
					m.boot(ExitOK)
					where := fmt.Sprintf("operation %d, kept %s", at[i], kept)
					recs, err := records(t, m.disk)
					if err != nil {
						t.Fatalf("%s: %v", where, err)
					}
					if n := strings.Count(strings.Join(recs, "\n"), `"type":"JournalSalvaged"`); n != 1 {
						t.Fatalf("%s: %d salvages in one history", where, n)
					}
					if n := strings.Count(strings.Join(recs, "\n"), `"type":"EpochRotated"`); n != 1 {
						t.Fatalf("%s: %d rotations", where, n)
					}
					if !strings.Contains(string(m.get("bootstrap/os_fingerprint.json")), `"boot_epoch": 2`) {
						t.Fatalf("%s: epoch lost:\n%s", where, m.get("bootstrap/os_fingerprint.json"))
					}
				}
			}
			t.Logf("%d crash points", points)
		})
	}
}

// A damaged table costs the records from it on, not those before it.
func TestDamage_KeepsThePrefix(t *testing.T) {
	m := newMemNode(t)
	for range 4 {
		m.boot(ExitOK)
	}
	entries, err := m.disk.ReadDir("journal")
	m.check(err)
	var tables []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name, ".sst") {
			tables = append(tables, "journal/"+e.Name)
		}
	}
	if len(tables) < 3 {
		t.Fatalf("%d tables: the boots were compacted", len(tables))
	}
	newest := tables[len(tables)-1]
	data := m.get(newest)
	data[len(data)/3] ^= 1
	m.put(newest, data)
	m.salvageConfig()
	m.sign(emptyManifest)
	m.boot(ExitOK)
	m.logged("edge.journal.salvaged", "kept=3")
}
