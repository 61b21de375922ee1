package gate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/projections"
)

func (m *memNode) rebuild() (Rebuilt, error) {
	m.t.Helper()
	host := LinuxHost()
	host.OpenRoot = func(string, stateroot.Options) (Root, error) { return memRoot{m.disk}, nil }
	return RebuildProjections(m.t.Context(), "/state", host)
}

// updatedNode has two epochs, so that every projection exists.
func updatedNode(t *testing.T) *memNode {
	m := newMemNode(t)
	m.firstBoot()
	for range 2 {
		m.kernel += "+1"
		m.boot(ExitOK)
	}
	return m
}

func (m *memNode) editFingerprint() {
	text := string(m.get(projections.FingerprintPath))
	m.put(projections.FingerprintPath, []byte(strings.Replace(text, `"boot_epoch": 2`, `"boot_epoch": 9`, 1)))
}

// TestRebuildProjections: what a boot would write again is written and journaled;
// what a reconstruction must answer stays; nothing is written over a file of
// another history.
func TestRebuildProjections(t *testing.T) {
	verdicts := func(all []projections.Verdict) (text string) {
		for _, v := range all {
			text += " " + string(v.Kind)
		}
		return text
	}
	for _, tt := range []struct {
		name   string
		change func(m *memNode)
		events string // what is journaled
		after  string
		boot   string // what the next boot journals
	}{
		{"whole", func(*memNode) {}, "", " agrees agrees agrees", "FingerprintCaptured"},
		{"missing and edited", func(m *memNode) {
			m.check(m.disk.Remove(projections.FingerprintPath))
			m.put(projections.CurrentPath, []byte("{}"))
			m.check(m.disk.Remove(projections.PreviousPath))
		}, "ProjectionRepaired ProjectionRepaired ProjectionRepaired", " agrees agrees agrees", "FingerprintCaptured"},
		{"an edited fingerprint", func(m *memNode) {
			m.editFingerprint()
			m.put(projections.CurrentPath, []byte("{}"))
		}, "ProjectionRepaired", " cause agrees agrees",
			"FingerprintCaptured UpdateDetected ManifestVerified OpApplied OpApplied EpochRotated"},
		{"a reconstruction is open", func(m *memNode) {
			m.kernel += "+1"
			m.put("runtime/manifest.json.sig", make([]byte, 64))
			m.boot(ExitReconstruction)
			m.editFingerprint()
			m.put(projections.CurrentPath, []byte("{}"))
		}, "ProjectionRepaired", " not_judged agrees agrees", "FingerprintCaptured UpdateDetected PrecheckFailed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := updatedNode(t)
			tt.change(m)
			before := m.state().Seq
			found, err := projections.Read(m.disk)
			m.check(err)
			done, err := m.rebuild()
			if err != nil {
				t.Fatal(err)
			}
			if got := m.newestEvents(before); got != tt.events || len(done.Repairs) != len(strings.Fields(tt.events)) {
				t.Errorf("journaled %q, want %q; %d events", got, tt.events, len(done.Repairs))
			}
			if got := verdicts(done.After); got != tt.after || done.Journal != m.state().Journal {
				t.Errorf("afterwards%s, want%s", got, tt.after)
			}
			if f := found.Fingerprint; f.Exists && string(m.get(f.Path)) != string(f.Data) {
				t.Error("the fingerprint file was replaced")
			}
			before = m.state().Seq
			m.precheck()
			if got := m.newestEvents(before); got != tt.boot {
				t.Errorf("the next boot journals %q, want %q", got, tt.boot)
			}
		})
	}

	m, other := updatedNode(t), updatedNode(t)
	m.put(projections.CurrentPath, other.get(projections.CurrentPath))
	m.check(m.disk.Remove(projections.PreviousPath))
	before := outcome(t, m.disk)
	var f *Failure
	if _, err := m.rebuild(); !errors.As(err, &f) || f.Exit != ExitStateRoot || !errors.Is(err, journal.ErrForeign) {
		t.Errorf("a file of another history: %v", err)
	}
	if outcome(t, m.disk) != before {
		t.Error("something was written")
	}
}

// TestRebuildOnAFullDisk: nothing is journaled for a file that cannot be written,
// and what an interrupted publication left is removed.
func TestRebuildOnAFullDisk(t *testing.T) {
	m := updatedNode(t)
	m.put(projections.CurrentPath, []byte("{}"))
	const orphan = "epoch/epoch_1.tmp"
	m.put(orphan+"/evidence.json", []byte("{}"))
	m.disk.SetCapacity(m.disk.Used())
	before := m.state().Seq
	var f *Failure
	if _, err := m.rebuild(); !errors.As(err, &f) || f.Exit != ExitStateRoot || f.Stage != "projection" || m.state().Seq != before {
		t.Errorf("%v, and record %d is the newest, was %d", err, m.state().Seq, before)
	}
	m.disk.SetCapacity(-1)
	if _, err := m.rebuild(); err != nil || m.state().Seq != before+1 || present(m.disk, orphan) {
		t.Errorf("%v, record %d, orphan %t", err, m.state().Seq, present(m.disk, orphan))
	}
}

// TestCrashRebuild loses power at every operation of a rebuild: no acknowledged
// record is lost, and the next boot leaves the same files.
func TestCrashRebuild(t *testing.T) {
	for name, change := range map[string]func(m *memNode){
		"missing": func(m *memNode) {
			m.check(m.disk.Remove(projections.FingerprintPath))
			m.put(projections.CurrentPath, []byte("{}"))
			m.check(m.disk.Remove(projections.PreviousPath))
		},
		"an edited fingerprint": func(m *memNode) {
			m.editFingerprint()
			m.put(projections.CurrentPath, []byte("{}"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := updatedNode(t)
			change(m)
			m.disk.SyncAll()
			base := m.disk
			m.disk = base.Clone()
			at := m.operations(func() {
				_, err := m.rebuild()
				m.check(err)
			})
			m.boot(ExitOK)
			want := outcome(t, m.disk)
			points := 0
			for _, op := range at {
				m.disk = base.Clone()
				dying := m.disk
				dying.SetHook(func(o memfs.Op) error {
					if o.N == op {
						dying.Ghost()
					}
					return nil
				})
				_, _ = m.rebuild() // in vain
				acked := acknowledged(t, dying.Crash(memfs.Crash{Keep: memfs.None}))
				for seed := range uint64(5) {
					points++
					m.disk = dying.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed})
					m.boot(ExitOK)
					if got := outcome(t, m.disk); got != want {
						t.Fatalf("operation %d, seed %d: the outcome differs\n%s\nwant\n%s", op, seed, got, want)
					}
					prefix(t, m.disk, acked)
				}
			}
			t.Logf("%s: %d crash points", name, points)
			if points == 0 {
				t.Error(fmt.Sprint("no operation changes the disk: ", at))
			}
		})
	}
}
