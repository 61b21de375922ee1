package projections_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// scenario is a disk as a boot finds it, and the state to publish.
type scenario struct {
	name  string
	files map[string]string
	s     machine.State
}

// outcome returns the disk after an uninterrupted publication.
func (sc scenario) outcome(t *testing.T) map[string]string {
	t.Helper()
	m := disk(t, sc.files)
	must(t, publish(m, sc.s, 1))
	if got, want := contents(t, m), projected(t, sc.s); !maps.Equal(got, want) {
		t.Fatalf("%s: published %v, want %v", sc.name, got, want)
	}
	return m.Dump()
}

func scenarios(t *testing.T) []scenario {
	h := newHistory(t, journalID).initial()
	zero := h.state()
	one := h.epoch(1, 0).state()
	two := h.epoch(2, 2).state()
	three := h.epoch(3, 1).state()
	with := func(s machine.State, more map[string]string) map[string]string {
		files := projected(t, s)
		maps.Copy(files, more)
		return files
	}
	legacy := map[string]string{
		projections.FingerprintPath: string(legacyFile("4")),
		projections.CurrentPath:     legacyEvidence, "epoch/current/more": "x",
		projections.PreviousPath: legacyEvidence,
	}
	return []scenario{
		{"first run", nil, zero},
		{"first epoch", with(zero, nil), one},
		{"first epoch over legacy state", legacy, one},
		{"first epoch, empty directories", map[string]string{"epoch/current/": "", "epoch/previous/": ""}, one},
		{"first epoch, previous left empty", with(one, map[string]string{"epoch/previous/": ""}), one},
		{"second epoch", with(one, nil), two},
		{"third epoch", with(two, map[string]string{"epoch/previous/more": "x"}), three},
		{"third epoch after a crash within it", map[string]string{
			projections.FingerprintPath:       projected(t, two)[projections.FingerprintPath],
			projections.PreviousPath:          projected(t, three)[projections.PreviousPath],
			"epoch/epoch_9.tmp/evidence.json": "{",
		}, three},
		{"all gone", nil, three},
		{"all edited", map[string]string{projections.FingerprintPath: "x", projections.CurrentPath: "x", projections.PreviousPath: "x"}, three},
		{"evidence exchanged", with(three, map[string]string{
			projections.CurrentPath:  projected(t, three)[projections.PreviousPath],
			projections.PreviousPath: projected(t, three)[projections.CurrentPath],
		}), three},
		{"both slots hold the older", with(three, map[string]string{projections.CurrentPath: projected(t, three)[projections.PreviousPath]}), three},
		{"previous gone", map[string]string{
			projections.FingerprintPath: projected(t, three)[projections.FingerprintPath],
			projections.CurrentPath:     projected(t, three)[projections.CurrentPath],
		}, three},
		{"no regular files", map[string]string{
			projections.FingerprintPath + "/a/": "", "epoch/current": "->elsewhere", projections.PreviousPath + "/b": "x",
		}, three},
	}
}

// A power cut before every operation, with all, nothing or a random part of the
// unflushed data kept, and another one during the recovery: the next publication
// reaches the same bytes, and no final name ever shows half a file.
func TestCrashAtEveryOperation(t *testing.T) {
	points := 0
	for _, sc := range scenarios(t) {
		want := sc.outcome(t)
		whole := wholeFiles(t, sc)
		base := disk(t, sc.files)
		for at := 1; ; at++ {
			cut, done := runUntil(base.Clone(), sc.s, at, 1)
			if done {
				break
			}
			for _, c := range crashes(at) {
				points++
				after := cut.Crash(c)
				checkWhole(t, sc, after, whole)
				// The power is cut again during the recovery, once per point.
				if again, done := runUntil(after.Clone(), sc.s, 1+at%7, 2); !done {
					after = again.Crash(c)
					checkWhole(t, sc, after, whole)
				}
				if err := publish(after, sc.s, 3); err != nil {
					t.Fatalf("%s: crash at %d %+v: %v", sc.name, at, c, err)
				}
				if got := after.Dump(); !maps.Equal(want, got) {
					t.Fatalf("%s: crash at %d %+v: got %v, want %v", sc.name, at, c, got, want)
				}
				if got := after.Crash(memfs.Crash{Keep: memfs.None}).Dump(); !maps.Equal(want, got) {
					t.Fatalf("%s: crash at %d %+v: the recovery was not flushed: %v", sc.name, at, c, got)
				}
				if n, err := mutations(after, func() error { return publish(after, sc.s, 4) }); n != 0 || err != nil {
					t.Fatalf("%s: crash at %d %+v: published, but again %d mutations, %v", sc.name, at, c, n, err)
				}
			}
		}
	}
	t.Logf("%d crash points", points)
}

func crashes(at int) []memfs.Crash {
	out := []memfs.Crash{{Keep: memfs.None}, {Keep: memfs.All}}
	for seed := range uint64(6) {
		out = append(out, memfs.Crash{Keep: memfs.Random, Seed: seed*1000 + uint64(at)})
	}
	return out
}

// runUntil publishes until the power is cut at operation at; done reports that there
// were fewer operations.
func runUntil(m *memfs.FS, s machine.State, at int, now int64) (_ *memfs.FS, done bool) {
	n := 0
	m.SetHook(func(memfs.Op) error {
		if n++; n == at {
			m.Kill()
		}
		return nil
	})
	err := publish(m, s, now)
	m.SetHook(nil)
	if n >= at && !errors.Is(err, memfs.ErrDead) {
		panic(fmt.Sprintf("the power was cut at operation %d, publication returned %v", at, err))
	}
	return m, n < at
}

// wholeFiles returns the bytes that each final name may show: those found before,
// and those that some event projects.
func wholeFiles(t *testing.T, sc scenario) map[string]bool {
	whole := map[string]bool{}
	for _, data := range sc.files {
		whole[data] = true
	}
	for _, data := range projected(t, sc.s) {
		whole[data] = true
	}
	return whole
}

func checkWhole(t *testing.T, sc scenario, m *memfs.FS, whole map[string]bool) {
	t.Helper()
	files, err := projections.Read(m)
	must(t, err)
	for _, f := range []projections.Found{files.Fingerprint, files.Current, files.Previous} {
		if f.Exists && !whole[string(f.Data)] && !strings.HasPrefix(string(f.Data), "not a readable file: ") {
			t.Fatalf("%s: %s shows half a file: %q", sc.name, f.Path, f.Data)
		}
	}
}
