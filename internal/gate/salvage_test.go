package gate

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
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
	"tail gone":     func(m *memNode) { m.check(m.disk.Remove("journal/tail")) },
	"every table empty": func(m *memNode) {
		for _, name := range files(m.t, m.disk, ".sst") {
			m.put(name, nil)
		}
	},
	"markers gone": func(m *memNode) {
		for _, name := range files(m.t, m.disk, "") {
			if strings.HasPrefix(name, "journal/marker.") {
				m.check(m.disk.Remove(name))
			}
		}
	},
	"a bit flipped in the newest record": func(m *memNode) {
		m.tail(func(data []byte) {
			used := historytest.Blocks(data)
			for at := used[len(used)-1]; ; at-- { // behind it lie records that have settled
				if b := data[at*historytest.BlockLen:]; binary.BigEndian.Uint64(b[24:]) == headSeq(m.t, m.disk) {
					b[500] ^= 1
					return
				}
			}
		})
	},
	"both headers and the first frame bad": func(m *memNode) {
		m.tail(func(data []byte) {
			for _, at := range []int{0, 1, historytest.FirstFrame} {
				data[at*historytest.BlockLen+50] ^= 1
			}
		})
	},
}

// tail changes the bytes of the journal's tail.
func (m *memNode) tail(change func(data []byte)) {
	m.t.Helper()
	data := bytesOf(m.t, m.disk, "journal/tail")
	change(data)
	m.put("journal/tail", data)
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
	m.cleanBoots(settlingDue)
	m.silent()
	m.silent()
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
			before := m.disk.Dump()
			m.boot(ExitOK, func(o *Options) { o.DryRun = true })
			if printed := m.stdout.String(); !strings.Contains(printed, "would append  JournalSalvaged") || !strings.Contains(printed, "causes=[salvaged]") {
				t.Errorf("the dry run says\n%s", printed)
			}
			if !maps.Equal(before, m.disk.Dump()) {
				t.Error("the dry run changed the disk")
			}
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

// Damage does not make another node's journal this one's, nor a newer release's
// known: neither is salvaged, and nothing is changed.
func TestDamage_NotSalvaged(t *testing.T) {
	for name, tt := range map[string]struct {
		also func(m *memNode)
		says string
	}{
		"another node's": {func(m *memNode) { m.setConfig("edge_domain_id: node-01", "edge_domain_id: node-02") }, "precheck: journal is of another node"},
		"a newer release's": {func(m *memNode) {
			onJournal(m.t, m.disk, func(w *journal.Writer, s machine.State) error {
				e := cleanBoot(m.t, w, s)
				e.Type, e.Crit, e.Data = "SomethingNew", true, []byte(`{"v":1}`)
				if _, err := w.Append(e); err != nil {
					return err
				}
				return w.Settle(nil)
			})
		}, "precheck: journal is newer than this binary"},
	} {
		t.Run(name, func(t *testing.T) {
			m := damaged(t, func(m *memNode) { tt.also(m); damages["tail gone"](m) })
			m.salvageConfig()
			for _, dry := range []bool{true, false} {
				before := m.disk.Dump()
				m.boot(ExitStateRoot, func(o *Options) { o.DryRun = dry })
				m.logged("level=ERROR", tt.says, "next=")
				after := m.disk.Dump()
				delete(after, "bootstrap/last_failure.json")
				if !maps.Equal(before, after) {
					t.Error("the disk was changed")
				}
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
			stride := every(9)
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
	var settled []uint64
	for range 3 {
		m.boot(ExitOK)
		m.cleanBoots(settlingDue)
		m.boot(ExitOK)
		settled = append(settled, headSeq(t, m.disk)-1)
	}
	tables := files(t, m.disk, ".sst")
	if len(tables) != 3 {
		t.Fatalf("%d tables", len(tables))
	}
	m.put(tables[2], m.get(tables[2])[:1000])
	m.salvageConfig()
	m.sign(emptyManifest)
	m.boot(ExitOK)
	m.logged("edge.journal.salvaged", fmt.Sprintf("kept=%d ", settled[1]))
}

// The files that a salvage left refer to a journal: a node whose journal, head file and
// projections are all gone is no first run, however far a salvage had come when
// it was killed, and a later salvage carries over the epoch that it can read.
func TestSalvage_NeverAFirstRun(t *testing.T) {
	m := damaged(t, damages["tail gone"])
	halt, now := m.config, m.now
	m.config = m.file("salvage.yaml")
	m.writeFile(m.config, append(m.must(os.ReadFile(halt)), "gate: { on_damage: salvage }\n"...))
	m.disk.SyncAll()
	base := m.disk
	m.disk = base.Clone()
	at := m.mutations(ExitOK)
	salvaged := 0
	for i := 0; i < len(at); i += every(5) {
		for _, keep := range keeps(i) {
			m.disk, m.now = base.Clone(), now
			m.disk = m.dies(at[i]).Crash(keep)
			where := fmt.Sprintf("operation %d, kept %+v", at[i], keep)
			remains := slices.ContainsFunc(m.listing(), func(name string) bool { return strings.Contains(name, "journal") })
			for _, name := range []string{"bootstrap/journal_head", "bootstrap/os_fingerprint.json", "epoch"} {
				m.check(durable.RemoveAll(m.disk, name))
			}
			config := m.config
			m.config = halt
			exit := m.precheck()
			if strings.Contains(m.logs.String(), "fingerprint_initialized") || exit != ExitStateRoot && exit != ExitOK || !remains {
				t.Fatalf("%s: exit %d\n%s", where, exit, m.logs.String())
			}
			m.config = config
			m.boot(ExitOK)
			all, err := records(t, m.disk)
			m.check(err)
			if !strings.Contains(all[0], string(machine.KindJournalSalvaged)) || !strings.Contains(string(m.get("bootstrap/os_fingerprint.json")), `"boot_epoch": 2`) {
				t.Fatalf("%s: the history begins with %s, the fingerprint is\n%s", where, all[0], m.get("bootstrap/os_fingerprint.json"))
			}
			if exit == ExitOK {
				salvaged++ // it was swapped in
			}
		}
	}
	if salvaged == 0 || salvaged == len(at)*3 {
		t.Errorf("%d of %d were swapped in", salvaged, len(at)*3)
	}
}

// Only the files that a salvage left show that there was a journal.
func TestSalvage_RemainsAlone(t *testing.T) {
	for _, name := range []string{"journal.quarantine-20260304T100000.000000000Z", "journal.salvage-20260304T100000.000000000Z", "journal.quarantine-by-hand"} {
		t.Run(name, func(t *testing.T) {
			m := newMemNode(t)
			m.sign(emptyManifest)
			m.check(m.disk.Mkdir(name, 0o750))
			for _, dry := range []bool{true, false} {
				m.boot(ExitStateRoot, func(o *Options) { o.DryRun = dry })
				m.logged("level=ERROR", "precheck: journal missing", name+" refers to a journal", "edgectl journal salvage")
			}
			if got := m.listing(); slices.Contains(got, "journal") || !slices.Contains(got, name) {
				t.Errorf("%v", got)
			}
			m.salvageConfig()
			m.boot(ExitOK)
			m.logged("edge.journal.salvaged")
			m.silent()
		})
	}
}

// A killed salvage, a run in the same boot, and then the power goes.
func TestCrashSalvageKilled(t *testing.T) {
	points := 0
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			m := damaged(t, damage)
			m.salvageConfig()
			m.disk.SyncAll()
			base, now, boots := m.disk, m.now, m.boots
			m.disk = base.Clone()
			first := m.mutations(ExitOK)
			for i := 0; i < len(first); i += dense(61, 3) {
				m.disk, m.now, m.boots = base.Clone(), now, boots
				left := m.dies(first[i]).Restart()
				later, boot := m.now, m.boots
				m.disk = left.Clone()
				second := m.operations(func() {
					if exit := m.again(); exit != ExitOK {
						t.Fatalf("killed at operation %d: the next run exits %d\n%s", first[i], exit, m.logs.String())
					}
				})
				for j := i % dense(29, 5); j < len(second); j += dense(29, 5) {
					m.now, m.boots, m.disk = later, boot, left.Clone()
					dying := m.disk
					dying.SetHook(func(op memfs.Op) error {
						if op.N == second[j] {
							dying.Ghost()
						}
						return nil
					})
					m.again()
					for _, keep := range keeps(i + j) {
						points++
						m.now, m.boots, m.disk = later, boot, dying.Crash(keep)
						m.boot(ExitOK)
						m.continued(fmt.Sprintf("killed at operation %d, run again, and the power gone at %d, kept %+v", first[i], second[j], keep), 0)
					}
				}
			}
		})
	}
	t.Logf("%d crash points", points)
}
