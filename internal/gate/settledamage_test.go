package gate

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// aged is a node at epoch 1 with so many tables that its next boot, which
// settles, compacts them.
func aged(t *testing.T) *memNode {
	m := newMemNode(t)
	m.firstBoot()
	m.kernel += "+1"
	m.boot(ExitOK)
	m.aged()
	return m
}

// aged lets boots pass until the next one compacts the tables.
func (m *memNode) aged() {
	m.t.Helper()
	for m.tables() < compactedFrom-1 {
		m.cleanBoots(settlingDue)
		m.silent()
	}
	m.cleanBoots(settlingDue)
	m.disk.SyncAll()
}

// fill lets boots pass that do not settle, until the tail has room for so many
// records more.
func (m *memNode) fill(room int) {
	m.t.Helper()
	onJournal(m.t, m.disk, func(w *journal.Writer, _ machine.State) error {
		room = int(w.Tail().FreeBytes)/historytest.BlockLen - room
		return nil
	})
	m.cleanBoots(room)
}

// The number of records in the tail that a run's end settles, and that of
// tables which a settling compacts.
const (
	settlingDue   = 33
	compactedFrom = 12
)

// tables counts the journal's tables: none of an aged node's is obsolete.
func (m *memNode) tables() int { m.t.Helper(); return len(files(m.t, m.disk, ".sst")) }

// cleanBoots appends what so many more boots like the last would have.
func (m *memNode) cleanBoots(n int) { m.t.Helper(); cleanBoots(m.t, m.disk, n) }

// rotten flips a bit among the records that settled first, or last.
func (m *memNode) rotten(newest bool) *memNode {
	m.t.Helper()
	tables := files(m.t, m.disk, ".sst")
	name := tables[0]
	if newest {
		name = tables[len(tables)-1]
	}
	data := m.get(name)
	data[len(data)/10] ^= 1
	m.put(name, data)
	m.disk.SyncAll()
	return m
}

// Damage that only the settling at the end of a boot meets, or only its
// compaction, halts the node as damage met at its beginning does, and says the
// same.
func TestSettleDamage_Halts(t *testing.T) {
	for name, tt := range map[string]struct {
		newest bool
		path   string
	}{
		"met by the compaction": {false, "journal/"},
		"met by the settling":   {true, "journal"},
	} {
		t.Run(name, func(t *testing.T) {
			m := aged(t).rotten(tt.newest)
			for range 3 {
				m.boot(ExitStateRoot)
				m.logged("level=ERROR", `msg="precheck: journal unusable"`, "state/"+tt.path, "corrupt",
					"edgectl journal verify --deep", "edgectl journal salvage", "exit_code=2")
			}
			var left lastFailure
			m.check(json.Unmarshal(m.get("bootstrap/last_failure.json"), &left))
			if left.Stage != "journal" || !strings.HasPrefix(left.Path, tt.path) || left.ExitCode != ExitStateRoot {
				t.Errorf("%+v", left)
			}
		})
	}
}

// With gate.on_damage: salvage the same run salvages, and reconstructs.
func TestSettleDamage_Salvaged(t *testing.T) {
	m := aged(t).rotten(false)
	m.salvageConfig()
	m.boot(ExitOK)
	m.logged("level=WARN", "edge.journal.damaged", ".sst ")
	m.logged("level=WARN", "edge.journal.salvaged", "lost=")
	m.logged("edge.os.update_detected", "cause=salvaged")
	m.logged("edge.os.reconstruction_completed", "boot_epoch=2")
	if logs := m.logs.String(); strings.Contains(logs, "level=ERROR") {
		t.Errorf("a boot that passes says\n%s", logs)
	}
	if _, err := m.disk.Lstat("bootstrap/last_failure.json"); err == nil {
		t.Error("a boot that passes left a failure")
	}
	m.silent()
}

// Damage that comes while the run is at work is answered as well.
func TestSettleDamage_Underway(t *testing.T) {
	m := aged(t)
	m.salvageConfig()
	edit, done := m.edit, false
	m.edit = func(h *Host) {
		edit(h)
		uname := h.OS.Uname
		h.OS.Uname = func() (string, error) { // after the journal was judged, before the first append
			if !done {
				done = true
				m.rotten(true)
			}
			return uname()
		}
	}
	m.boot(ExitOK)
	m.logged("level=WARN", "edge.journal.salvaged")
	m.logged("edge.os.reconstruction_completed", "boot_epoch=2")
	m.silent()
}

// A boot that fails for another reason does not salvage on its way out: the
// one that would pass does.
func TestSettleDamage_AnotherFailure(t *testing.T) {
	m := aged(t).rotten(false)
	m.salvageConfig()
	m.certificate(time.Hour)
	logs := m.boot(ExitCertificate)
	if strings.Contains(logs, "edge.journal.") || strings.Count(logs, "level=ERROR") != 1 {
		t.Errorf("it says\n%s", logs)
	}
	m.certificate(90 * 24 * time.Hour)
	m.boot(ExitOK)
	m.logged("edge.journal.salvaged")
}

// A dry run settles nothing, and cannot know.
func TestSettleDamage_DryRun(t *testing.T) {
	m := aged(t).rotten(false)
	before := m.disk.Dump()
	m.boot(ExitOK, func(o *Options) { o.DryRun = true })
	if after := m.disk.Dump(); !maps.Equal(before, after) {
		t.Error("it changed the disk")
	}
}

// The boot that salvages on its way out loses power at every operation. The
// node is salvaged once, every record that was acknowledged is in the
// quarantine and is counted by the salvage, and the epoch is the next one.
func TestCrashSettleDamage(t *testing.T) {
	m := aged(t).rotten(false)
	m.salvageConfig()
	base, now := m.disk, m.now
	m.disk = base.Clone()
	at := m.mutations(ExitOK)
	points := 0
	for i := 0; i < len(at); i += every(11) {
		m.disk, m.now = base.Clone(), now
		dying := m.dies(at[i])
		for _, kept := range keeps(i) {
			points++
			where := fmt.Sprintf("operation %d, kept %+v", at[i], kept)
			m.disk = dying.Crash(kept)
			acked := headSeq(t, m.disk)
			m.boot(ExitOK)
			m.salvagedOnce(where, acked)
			m.silent()
		}
	}
	t.Logf("%d crash points", points)
}

// headSeq is how many records a disk's head file vouches for.
func headSeq(t *testing.T, disk *memfs.FS) uint64 {
	t.Helper()
	head, err := journal.ReadHead(disk, layout)
	if err != nil {
		t.Fatal(err)
	}
	slot, ok := head.Newest()
	if !ok {
		t.Fatal("no slot of the head file is good")
	}
	return slot.Tip.Seq
}

// salvagedOnce judges the history of a node that was at epoch 1, of whose
// journal so many records were acknowledged, and requires one quarantine.
func (m *memNode) salvagedOnce(where string, acked uint64) {
	m.t.Helper()
	m.continued(where, acked)
	m.quarantined(where)
}

// continued is the same, of a journal of which nothing may be left.
func (m *memNode) continued(where string, acked uint64) {
	m.t.Helper()
	recs, err := records(m.t, m.disk)
	if err != nil {
		m.t.Fatalf("%s: %v", where, err)
	}
	var first struct {
		Type machine.Kind            `json:"type"`
		Data machine.JournalSalvaged `json:"data"`
	}
	m.check(json.Unmarshal([]byte(recs[0]), &first))
	all := strings.Join(recs, "\n")
	if n := strings.Count(all, `"type":"JournalSalvaged"`); first.Type != machine.KindJournalSalvaged || n != 1 {
		m.t.Fatalf("%s: %d salvages, the history begins with %s", where, n, recs[0])
	}
	if n := strings.Count(all, `"type":"EpochRotated"`); n != 1 {
		m.t.Fatalf("%s: %d rotations", where, n)
	}
	// A journal of few records is the new one, whose own were vouched for.
	if acked > 10*settlingDue && (first.Data.HeadSeq < acked || !strings.Contains(first.Data.Lost, fmt.Sprintf(" to %d: ", first.Data.HeadSeq))) {
		m.t.Fatalf("%s: %d were acknowledged, head_seq is %d, lost is %q", where, acked, first.Data.HeadSeq, first.Data.Lost)
	}
	if first.Data.Epoch != 1 || !strings.Contains(string(m.get("bootstrap/os_fingerprint.json")), `"boot_epoch": 2`) {
		m.t.Fatalf("%s: from epoch %d:\n%s", where, first.Data.Epoch, m.get("bootstrap/os_fingerprint.json"))
	}
}

// quarantined requires one quarantine.
func (m *memNode) quarantined(where string) {
	m.t.Helper()
	entries, err := m.disk.ReadDir(".")
	m.check(err)
	n := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name, "journal.quarantine-") {
			n++
		}
	}
	if n != 1 {
		m.t.Fatalf("%s: %d quarantines", where, n)
	}
}
