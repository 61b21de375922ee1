package gate

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
)

// everyCrash makes the matrices exhaustive (make crash); otherwise a part runs.
var everyCrash = os.Getenv("EDGED_CRASH") == "full"

// every is the stride of a matrix that is not asked to be exhaustive.
func every(n int) int {
	switch {
	case everyCrash:
		return 1
	case memfs.RaceDetector:
		return 8 * n
	}
	return n
}

// dense is the stride of a matrix that would take hours if it were exhaustive:
// full under make crash, every(sampled) otherwise. Package journal tries every bit
// and every point of the same files, without a gate above them.
func dense(sampled, full int) int {
	if everyCrash {
		return full
	}
	return every(sampled)
}

// crashRow is a row of the situations table: it prepares the disk before
// the boot that loses power, and leaves the node ready to boot.
type crashRow struct {
	name  string
	exit  int
	setup func(m *memNode)
}

const twoOperations = `{"version":"1","operations":[{"op":"copy_binary","src":"edged","dst":"bin/edged"},{"op":"install_config","src":"config.yaml","dst":"etc/app/config.yaml"}]}`

func (m *memNode) firstBoot() {
	m.boot(ExitOK)
	m.put("runtime/binaries/edged", []byte("edged, the binary"))
	m.put("bootstrap/config.yaml", []byte("a: b\n"))
	m.sign(twoOperations)
}

func crashRows() []crashRow {
	settled := func(then func(m *memNode)) func(m *memNode) {
		return func(m *memNode) { m.firstBoot(); then(m) }
	}
	updated := func(then func(m *memNode)) func(m *memNode) {
		return settled(func(m *memNode) { m.kernel += "+1"; m.boot(ExitOK); then(m) })
	}
	edited := func(m *memNode) {
		text := string(m.get("bootstrap/os_fingerprint.json"))
		m.put("bootstrap/os_fingerprint.json", []byte(strings.Replace(text, `"composite_hash": "`, `"composite_hash": "0`, 1)))
	}
	return []crashRow{
		{"first run", ExitOK, func(*memNode) {}},
		{"first run over a manifest", ExitOK, func(m *memNode) { m.sign(emptyManifest) }},
		{"first run over a replaced runtime", ExitOK, func(m *memNode) {
			m.gateKeys("verify_runtime: true")
			m.put("bin/edged", []byte("another binary"))
			m.put("runtime/binaries/edged", []byte("edged, the binary"))
			m.put("bootstrap/config.yaml", []byte("a: b\n"))
			m.sign(twoOperations)
		}},
		{"first run that fails", ExitReconstruction, func(m *memNode) { m.put("runtime/manifest.json", []byte("{}")) }},
		{"legacy state", ExitOK, func(m *memNode) {
			m.sign(emptyManifest)
			m.put("bootstrap/os_fingerprint.json", []byte(`{"composite_hash":"`+zeroHash+`","os_release":"ID=x\n","uname_release":"5","boot_epoch":4,"captured_at":"2025-01-01T00:00:00Z"}`))
			m.put("epoch/current/evidence.json", []byte(`{"os_fingerprint":{"boot_epoch":4}}`))
		}},
		{"legacy state over a replaced runtime", ExitOK, func(m *memNode) {
			m.gateKeys("verify_runtime: true")
			m.put("bin/edged", []byte("another binary"))
			m.put("runtime/binaries/edged", []byte("edged, the binary"))
			m.put("bootstrap/config.yaml", []byte("a: b\n"))
			m.sign(twoOperations)
			m.put("bootstrap/os_fingerprint.json", []byte(`{"composite_hash":"`+m.liveHash()+`","boot_epoch":0}`))
		}},
		{"unreadable fingerprint on a first run", ExitOK, func(m *memNode) {
			m.sign(emptyManifest)
			m.put("bootstrap/os_fingerprint.json", nil)
		}},
		{"match", ExitOK, settled(func(*memNode) {})},
		{"match, and the tail settles", ExitOK, settled(func(m *memNode) { m.cleanBoots(settlingDue) })},
		{"match, and the tables are compacted", ExitOK, settled(func(m *memNode) { m.aged() })},
		{"os changed", ExitOK, settled(func(m *memNode) { m.kernel += "+1" })},
		{"os changed, and the tail settles", ExitOK, settled(func(m *memNode) { m.cleanBoots(settlingDue); m.kernel += "+1" })},
		{"os changed, and the tail is full in the middle", ExitOK, settled(func(m *memNode) { m.fill(3); m.kernel += "+1" })},
		{"os changed in the second epoch", ExitOK, updated(func(m *memNode) { m.kernel += "+2"; m.put("runtime/binaries/edged", []byte("next")) })},
		{"fingerprint edited", ExitOK, updated(edited)},
		{"fingerprint missing", ExitOK, updated(func(m *memNode) { m.check(m.disk.Remove("bootstrap/os_fingerprint.json")) })},
		{"evidence edited", ExitOK, updated(func(m *memNode) { m.put("epoch/current/evidence.json", []byte("{}")) })},
		{"reconstruction fails", ExitReconstruction, settled(func(m *memNode) { m.kernel += "+1"; m.put("runtime/manifest.json.sig", make([]byte, 64)) })},
		{"retry after a failure", ExitOK, settled(func(m *memNode) {
			m.kernel += "+1"
			m.put("runtime/manifest.json.sig", make([]byte, 64))
			m.boot(ExitReconstruction)
			m.sign(twoOperations)
		})},
		{"back to the baseline", ExitOK, settled(func(m *memNode) {
			kernel := m.kernel
			m.kernel += "+1"
			m.put("runtime/manifest.json.sig", make([]byte, 64))
			m.boot(ExitReconstruction)
			m.kernel = kernel
		})},
		{"changed again while open", ExitOK, settled(func(m *memNode) {
			m.kernel += "+1"
			m.put("runtime/manifest.json.sig", make([]byte, 64))
			m.boot(ExitReconstruction)
			m.sign(twoOperations)
			m.kernel += "+2"
		})},
	}
}

// TestCrashMatrix loses power at every operation of every row's boot that
// changes the disk, with none, some and all of the unsynced data kept, and
// boots again: no acknowledged record is lost, the outcome is the one of the
// boot that was not interrupted, and the epoch advances exactly once.
func TestCrashMatrix(t *testing.T) {
	points := 0
	for _, row := range crashRows() {
		t.Run(row.name, func(t *testing.T) { points += crashRowMatrix(t, row) })
	}
	t.Logf("%d crash points", points)
}

// TestCrashMatrixRealTail does the same with a tail of the gate's own length, for
// a boot that creates one and a boot that settles one.
func TestCrashMatrixRealTail(t *testing.T) {
	createTails(t, realTail)
	points, rows := 0, 0
	for _, row := range crashRows() {
		if row.name == "first run" || row.name == "match, and the tail settles" {
			rows++
			t.Run(row.name, func(t *testing.T) { points += crashRowMatrix(t, row) })
		}
	}
	if rows != 2 {
		t.Fatalf("%d rows", rows)
	}
	t.Logf("%d crash points", points)
}

func crashRowMatrix(t *testing.T, row crashRow) (points int) {
	m := newMemNode(t)
	row.setup(m)
	m.disk.SyncAll()
	base, now := m.disk, m.now

	// The boot that is not interrupted.
	var at []int // operations that change the disk
	m.disk = base.Clone()
	m.disk.SetHook(func(op memfs.Op) error {
		if op.Mutates {
			at = append(at, op.N)
		}
		return nil
	})
	if got := m.precheck(); got != row.exit {
		t.Fatalf("exit %d, want %d\n%s", got, row.exit, m.logs.String())
	}
	m.disk.SetHook(nil)
	want := outcome(t, m.disk)

	stride := every(11)
	for i := 0; i < len(at); i += stride {
		m.now, m.disk = now, base.Clone()
		dying := m.disk
		dying.SetHook(func(op memfs.Op) error {
			if op.N == at[i] {
				dying.Ghost() // the power is gone; what still runs runs in vain
			}
			return nil
		})
		m.precheck()
		none := dying.Crash(memfs.Crash{Keep: memfs.None})
		acked := acknowledged(t, none)
		outcomes := map[string]*memfs.FS{"none": none, "all": dying.Crash(memfs.Crash{Keep: memfs.All})}
		for seed := range uint64(3) {
			outcomes[fmt.Sprint("random ", seed)] = dying.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed + uint64(at[i])<<8})
		}
		for kept, disk := range outcomes {
			points++
			m.disk = disk
			if got := m.precheck(); got != row.exit {
				t.Fatalf("operation %d, kept %s: the next boot exits %d, want %d\n%s", at[i], kept, got, row.exit, m.logs.String())
			}
			if got := outcome(t, disk); got != want {
				t.Fatalf("operation %d, kept %s: the outcome differs\n%s\nwant\n%s\n%s", at[i], kept, got, want, m.logs.String())
			}
			prefix(t, disk, acked)
		}
	}
	return points
}
