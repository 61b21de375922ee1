package machine

import (
	"errors"
	"testing"
	"time"
)

// expect boots and compares the kinds appended and the exit.
func (s *sim) expect(b boot, kinds string, exit int) {
	s.t.Helper()
	got, code := s.run(b)
	if got != kinds || code != exit {
		s.t.Fatalf("boot %d appended\n  %s (exit %d), want\n  %s (exit %d)", s.runs, got, code, kinds, exit)
	}
}

func (s *sim) epoch(want uint64) {
	s.t.Helper()
	if got := s.refold().Epoch; got != want {
		s.t.Fatalf("epoch %d, want %d", got, want)
	}
}

var tampered = FoundFile{Cause: CauseTampered, BLAKE3: "found", Hash: hashOf("zero")}

func TestRowUpdate(t *testing.T) {
	s := newSim(t)
	s.expect(boot{live: "a"}, "FingerprintCaptured:initial", 0)
	s.expect(boot{live: "b", manifest: "m", ops: 2},
		"FingerprintCaptured:differs UpdateDetected:[os_changed]#1 ManifestVerified OpApplied:0 OpApplied:1 EpochRotated", 0)
	s.expect(boot{live: "b", manifest: "m", ops: 2}, "FingerprintCaptured:match", 0)
	s.epoch(1)
}

func TestRowFailureAndRetry(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.expect(boot{live: "b"}, "FingerprintCaptured:differs UpdateDetected:[os_changed]#1 PrecheckFailed", 5)
	s.expect(boot{live: "b", manifest: "m", ops: 2, failAt: "op1"},
		"FingerprintCaptured:differs UpdateDetected:[os_changed]#2 ManifestVerified OpApplied:0 PrecheckFailed", 5)
	// A certificate that fails is no attempt of the reconstruction.
	s.must("cert", PrecheckFailed{V: 1, ExitCode: 3, Stage: "certificate", Attempt: 2})
	s.expect(boot{live: "b", manifest: "m", ops: 2},
		"FingerprintCaptured:differs UpdateDetected:[os_changed]#3 ManifestVerified OpApplied:1 EpochRotated", 0)
	s.epoch(1)
}

func TestRowPowerLost(t *testing.T) {
	for crash := 1; crash <= 6; crash++ {
		s := newSim(t)
		s.run(boot{live: "a"})
		s.run(boot{live: "b", manifest: "m", ops: 2, crashAfter: crash})
		_, exit := s.run(boot{live: "b", manifest: "m", ops: 2})
		if exit != 0 {
			t.Fatalf("crash after %d: exit %d", crash, exit)
		}
		s.epoch(1)
		applied := map[int]int{}
		for _, e := range s.events {
			if op, ok := e.Payload.(OpApplied); ok {
				applied[op.Index]++
			}
		}
		if applied[0] != 1 || applied[1] != 1 {
			t.Fatalf("crash after %d: applied %v", crash, applied)
		}
	}
}

func TestRowPowerLostOperationGone(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.run(boot{live: "b", manifest: "m", ops: 2, crashAfter: 5})
	s.expect(boot{live: "b", manifest: "m", ops: 2, gone: map[int]bool{0: true}},
		"FingerprintCaptured:differs ManifestVerified OpApplied:0 EpochRotated", 0)
	s.epoch(1)
}

func TestRowPowerLostManifestChanged(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.run(boot{live: "b", manifest: "m", ops: 2, crashAfter: 5})
	s.expect(boot{live: "b", manifest: "other", ops: 2},
		"FingerprintCaptured:differs ManifestVerified OpApplied:0 OpApplied:1 EpochRotated", 0)
	s.epoch(1)
}

func TestRowSuperseded(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.run(boot{live: "b", manifest: "m", ops: 2, crashAfter: 4})
	s.expect(boot{live: "c", manifest: "m", ops: 2},
		"FingerprintCaptured:differs UpdateDetected:[os_changed]#2 ManifestVerified OpApplied:1 EpochRotated", 0)
	s.epoch(1)
	var u UpdateDetected
	for _, e := range s.events {
		if p, ok := e.Payload.(UpdateDetected); ok {
			u = p
		}
	}
	if u.Supersedes != 3 {
		t.Fatalf("supersedes %d, want 3", u.Supersedes)
	}
}

func TestRowAbandoned(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.run(boot{live: "b"})
	s.expect(boot{live: "a"}, "FingerprintCaptured:match UpdateAbandoned", 0)
	s.expect(boot{live: "a"}, "FingerprintCaptured:match", 0)
	s.epoch(0)
}

func TestRowAbandonedNeverForAnotherCause(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.run(boot{live: "b", file: tampered})
	s.expect(boot{live: "a"}, "FingerprintCaptured:match UpdateDetected:[fingerprint_tampered os_changed]#2 PrecheckFailed", 5)
	s.expect(boot{live: "a", manifest: "m"},
		"FingerprintCaptured:match UpdateDetected:[fingerprint_tampered os_changed]#3 ManifestVerified EpochRotated", 0)
	s.epoch(1)
}

func TestRowAbandonedNeverOnceApplied(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.run(boot{live: "b", manifest: "m", ops: 1, failAt: "rotate"})
	s.expect(boot{live: "a", manifest: "m", ops: 1},
		"FingerprintCaptured:match UpdateDetected:[os_changed]#2 ManifestVerified EpochRotated", 0)
	s.epoch(1)
}

func TestRowAbandonedJudgesTheFileAfterwards(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.run(boot{live: "b"})
	// The file was edited while the update was open: the abandonment must not hide it.
	s.expect(boot{live: "a", manifest: "m", file: tampered},
		"FingerprintCaptured:match UpdateAbandoned UpdateDetected:[fingerprint_tampered]#1 ManifestVerified EpochRotated", 0)
	s.epoch(1)
}

func TestRowTampered(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	for range 3 {
		s.expect(boot{live: "a", manifest: "m", file: tampered},
			"FingerprintCaptured:match UpdateDetected:[fingerprint_tampered]#1 ManifestVerified EpochRotated", 0)
	}
	s.epoch(3)
}

func TestRowRepair(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	repairs := []ProjectionRepaired{{V: 1, Path: "fp", Reason: "missing"}, {V: 1, Path: "ev", Reason: "edited"}}
	s.expect(boot{live: "a", repairs: repairs}, "FingerprintCaptured:match ProjectionRepaired ProjectionRepaired", 0)
	s.run(boot{live: "b"})
	// While a reconstruction is open the fingerprint file is not judged.
	s.expect(boot{live: "b", repairs: repairs, manifest: "m"},
		"FingerprintCaptured:differs ProjectionRepaired UpdateDetected:[os_changed]#2 ManifestVerified EpochRotated", 0)
}

func TestRowDriftAndDrill(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.must("ctl", DrillRequested{V: 1, By: "op", Reason: "quarterly"})
	s.expect(boot{live: "b", file: tampered, drift: true, manifest: "m"},
		"FingerprintCaptured:differs UpdateDetected:[fingerprint_tampered os_changed runtime_drift drill]#1 ManifestVerified EpochRotated", 0)
	s.expect(boot{live: "b", manifest: "m"}, "FingerprintCaptured:match", 0)
	s.must("ctl", DrillRequested{V: 1, By: "op", Reason: "again"})
	s.must("ctl", DrillCancelled{V: 1, By: "op", Reason: "no"})
	s.expect(boot{live: "b", manifest: "m"}, "FingerprintCaptured:match", 0)
	s.epoch(1)
}

// A run that stops before a drill is answered has not ended, whatever it found, and
// its time raises no floor.
func TestRowDrillCutShort(t *testing.T) {
	rows := map[string]struct {
		before func(*sim)
		cut    boot
		kinds  string
	}{
		"match": {func(s *sim) { s.run(boot{live: "a"}) }, boot{live: "a", manifest: "m", crashAfter: 1}, "FingerprintCaptured:match"},
		"abandoned": {func(s *sim) { s.run(boot{live: "a"}); s.run(boot{live: "b"}) },
			boot{live: "a", manifest: "m", crashAfter: 2}, "FingerprintCaptured:match UpdateAbandoned"},
		"first run": {func(s *sim) { s.must("early", PrecheckFailed{V: 1, ExitCode: 3, Stage: "certificate"}) },
			boot{live: "a", crashAfter: 1}, "FingerprintCaptured:initial"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			row.before(s)
			s.must("ctl", DrillRequested{V: 1, By: "op", Reason: "quarterly"})
			floor := s.refold().TimeFloor("next")
			s.expect(row.cut, row.kinds, -1)
			if st := s.refold(); st.Run.Ended || !st.TimeFloor("next").Equal(floor) {
				t.Errorf("ended %t, floor %s, was %s", st.Run.Ended, st.TimeFloor("next"), floor)
			}
			if _, exit := s.run(boot{live: "a", manifest: "m"}); exit != 0 || s.refold().Drill != nil || !s.refold().Run.Ended {
				t.Errorf("the next boot: exit %d, %+v", exit, s.refold().Run)
			}
		})
	}
}

func TestRowSalvaged(t *testing.T) {
	s := newSim(t)
	serial := int64(9)
	s.must("ctl", JournalSalvaged{V: 1, Predecessor: "p", Size: 12, Epoch: 6, Serial: &serial, ManifestKey: "key", CheckpointKey: "other",
		TimeFloor: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)})
	s.expect(boot{live: "a", file: tampered}, "FingerprintCaptured:differs UpdateDetected:[salvaged]#1 PrecheckFailed", 5)
	s.expect(boot{live: "a", manifest: "m"}, "FingerprintCaptured:differs UpdateDetected:[salvaged]#2 ManifestVerified EpochRotated", 0)
	s.expect(boot{live: "a"}, "FingerprintCaptured:match", 0)
	s.epoch(7)
	if st := s.refold(); *st.Serial != 9 || st.TimeFloor("x").Year() != 2030 || st.Salvage == nil || st.Keys.Checkpoint != "other" {
		t.Errorf("floors lost: %+v", st)
	}
}

func TestKeyContinuity(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	if !s.refold().AcceptsManifestKey("anything") {
		t.Error("before the first epoch any key is accepted")
	}
	s.run(boot{live: "b", manifest: "m"})
	if s.refold().AcceptsManifestKey("new") {
		t.Error("another key is accepted")
	}
	s.must("ctl", KeyRotated{V: 1, Purpose: PurposeManifest, OldKey: "key", NewKey: "new"})
	s.must("ctl", KeyReplaced{V: 1, Purpose: PurposeManifest, OldKey: "new", NewKey: "newer"})
	st := s.refold()
	for _, k := range []string{"key", "new", "newer"} {
		if !st.AcceptsManifestKey(k) {
			t.Errorf("%s is refused", k)
		}
	}
	st.completeUnder("new")
	if st.AcceptsManifestKey("key") || !st.AcceptsManifestKey("newer") || st.Keys.Replaced != 1 {
		t.Errorf("after an epoch under the new key: %+v", st.Keys)
	}
	s.must("ctl", KeyRotated{V: 1, Purpose: PurposeCheckpoint, NewKey: "cp"})
	if s.refold().Keys.Checkpoint != "cp" {
		t.Error("checkpoint key not followed")
	}
}

func TestTimeFloor(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	first := s.now
	if got := s.refold().TimeFloor("run1"); !got.IsZero() {
		t.Errorf("a run raises its own floor to %s", got)
	}
	if got := s.refold().TimeFloor("run2"); !got.Equal(first) {
		t.Errorf("floor %s, want %s", got, first)
	}
	// A boot in 2099 that fails raises nothing.
	s.now = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	s.must("far", PrecheckFailed{V: 1, ExitCode: 3})
	s.run(boot{live: "b"})
	if got := s.refold().TimeFloor("next"); !got.Equal(first) {
		t.Errorf("floor %s after failures, want %s", got, first)
	}
	// A boot that exits 0 raises it, and a clock reset lowers it.
	s.run(boot{live: "b", manifest: "m"})
	if got := s.refold().TimeFloor("next"); got.Year() != 2099 {
		t.Errorf("floor %s", got)
	}
	s.must("ctl", ClockReset{V: 1, By: "op", Reason: "rtc", New: first})
	if got := s.refold().TimeFloor("next"); !got.Equal(first) {
		t.Errorf("floor %s after the reset", got)
	}
}

// A SnapshotTaken, in the run before it or in a run of its own, changes only the
// tip: no run begins or ends by it, and its time raises no floor.
func TestSnapshotTakenOnlyMovesTheTip(t *testing.T) {
	for name, at := range map[string]func(*sim){
		"before the first record":   func(*sim) {},
		"after a first run":         func(s *sim) { s.run(boot{live: "a"}) },
		"inside a reconstruction":   func(s *sim) { s.run(boot{live: "a"}); s.run(boot{live: "b", manifest: "m", ops: 2, crashAfter: 4}) },
		"after a failure":           func(s *sim) { s.run(boot{live: "a"}); s.run(boot{live: "b"}) },
		"after a reconstruction":    func(s *sim) { s.run(boot{live: "a"}); s.run(boot{live: "b", manifest: "m"}) },
		"after an operator's drill": func(s *sim) { s.run(boot{live: "a"}); s.must("ctl", DrillRequested{V: 1, By: "op"}) },
	} {
		for _, own := range []bool{false, true} {
			s := newSim(t)
			at(s)
			before := s.fold.State()
			run := before.Run.ID
			if own {
				run = "later"
			}
			s.now = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
			s.must(run, SnapshotTaken{V: 1, Of: before.Seq, BLAKE3: hashOf("snapshot")})
			after := s.refold()
			if floor := after.TimeFloor("next"); !floor.Equal(before.TimeFloor("next")) {
				t.Errorf("%s: floor %s, was %s", name, floor, before.TimeFloor("next"))
			}
			tip := after
			tip.Journal, tip.Node, tip.Seq, tip.Hash = before.Journal, before.Node, before.Seq, before.Hash
			if after.Seq != before.Seq+1 || after.Hash == before.Hash || mustEncode(t, tip) != mustEncode(t, before) {
				t.Errorf("%s, run of its own %t:\n%s\nbecame\n%s", name, own, mustEncode(t, before), mustEncode(t, after))
			}
		}
	}
}

func TestNodeRenamed(t *testing.T) {
	s := newSim(t)
	s.run(boot{live: "a"})
	s.must("ctl", NodeRenamed{V: 1, By: "op", Old: "n", New: "m"})
	if got := s.refold().Node; got != "m" {
		t.Errorf("node %q", got)
	}
	s.run(boot{live: "a"}) // under the new name
	if last := s.events[len(s.events)-1]; last.Node != "m" {
		t.Errorf("the boot after it is of node %q", last.Node)
	}
}

// Only a NodeRenamed changes the node of a history: it carries the old name, and
// the records after it carry the new one.
func TestNodeIsOne(t *testing.T) {
	renamed := NodeRenamed{V: 1, By: "op", Old: "n", New: "m"}
	drill := DrillRequested{V: 1, By: "op"}
	cases := map[string]struct {
		before bool // it was renamed already
		node   string
		p      Payload
		ok     bool
	}{
		"as ever":                     {false, "n", drill, true},
		"another, without a rename":   {false, "m", drill, false},
		"none":                        {false, "", drill, false},
		"renamed":                     {false, "n", renamed, true},
		"renamed, under the new name": {false, "m", renamed, false},
		"renamed from another":        {false, "n", NodeRenamed{V: 1, Old: "x", New: "m"}, false},
		"renamed to none":             {false, "n", NodeRenamed{V: 1, Old: "n"}, false},
		"the new name":                {true, "m", drill, true},
		"the old name again":          {true, "n", drill, false},
	}
	for name, c := range cases {
		s := newSim(t)
		s.run(boot{live: "a"})
		if c.before {
			s.must("ctl", renamed)
		}
		e := next(s.fold, "later", c.p)
		e.Node = c.node
		before := mustEncode(t, s.fold.State())
		err := s.fold.Apply(e)
		if c.ok != (err == nil) || err != nil && (!errors.Is(err, ErrTransition) || mustEncode(t, s.fold.State()) != before) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestApplyRefusesWhatNoGateWrites(t *testing.T) {
	settled := func() *sim { s := newSim(t); s.run(boot{live: "a"}); return s }
	opened := func() *sim { s := settled(); s.run(boot{live: "b", manifest: "m", ops: 2, crashAfter: 3}); return s }
	text := "x"
	cases := map[string]struct {
		s *sim
		p Payload
	}{
		"rotation out of nothing":    {settled(), EpochRotated{V: 1, BootEpoch: 1}},
		"rotation before operations": {opened(), EpochRotated{V: 1, BootEpoch: 1, ManifestHash: "m"}},
		"operation out of nothing":   {settled(), OpApplied{V: 1}},
		"operation beyond the end":   {opened(), OpApplied{V: 1, Index: 2}},
		"second baseline":            {settled(), FingerprintCaptured{V: 1, Role: RoleInitial, OSRelease: &text}},
		"match that does not":        {settled(), FingerprintCaptured{V: 1, Role: RoleMatch, CompositeHash: "other"}},
		"difference that is none":    {settled(), FingerprintCaptured{V: 1, Role: RoleDiffers, CompositeHash: hashOf("a")}},
		"unknown role":               {settled(), FingerprintCaptured{V: 1, Role: "odd"}},
		"salvage in the middle":      {settled(), JournalSalvaged{V: 1}},
		"adoption over a baseline":   {settled(), LegacyStateAdopted{V: 1}},
		"abandonment out of nothing": {settled(), UpdateAbandoned{V: 1}},
		"update without a capture":   {settled(), UpdateDetected{V: 1, Cause: CauseDrill, Causes: []Cause{CauseDrill}, Attempt: 1, CurrentHash: "x"}},
		"manifest of a settled node": {settled(), ManifestVerified{V: 1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before := mustEncode(t, c.s.fold.State())
			if err := c.s.add("bad", c.p); !errors.Is(err, ErrTransition) {
				t.Fatalf("accepted, or another error: %v", err)
			}
			if after := mustEncode(t, c.s.fold.State()); after != before {
				t.Error("a refused event changed the state")
			}
		})
	}
	s := settled()
	e := s.events[0]
	e.Seq = 5
	if err := s.fold.Apply(e); !errors.Is(err, ErrTransition) {
		t.Errorf("a gap: %v", err)
	}
	e.Seq, e.Journal = 2, "other"
	if err := s.fold.Apply(e); !errors.Is(err, ErrTransition) {
		t.Errorf("another journal: %v", err)
	}
	if _, err := Apply(s.fold.State(), e); !errors.Is(err, ErrTransition) {
		t.Errorf("another journal: %v", err)
	}
}
