package machine

import (
	"strings"
	"testing"
)

func TestRowFirstRun(t *testing.T) {
	s := newSim(t)
	s.expect(boot{live: "a"}, "FingerprintCaptured:initial", 0)
	s.expect(boot{live: "a"}, "FingerprintCaptured:match", 0)
	s.epoch(0)
}

func TestRowFirstRunVerifiesAManifestThatIsThere(t *testing.T) {
	s := newSim(t)
	s.expect(boot{live: "a", manifest: "m", failAt: "verify"}, "PrecheckFailed", 5)
	s.expect(boot{live: "a", manifest: "m", ops: 2, crashAfter: 1}, "ManifestVerified", -1)
	s.expect(boot{live: "a", manifest: "m", ops: 2}, "ManifestVerified FingerprintCaptured:initial", 0)
	s.epoch(0)
}

// A pinned key makes a manifest mandatory, whatever legacy file there is.
func TestRowFirstRunUnderAPinnedKey(t *testing.T) {
	for name, legacy := range map[string]*LegacyStateAdopted{
		"no file": nil,
		"legacy":  {V: 1, CompositeHash: hashOf("a"), File: []byte(`{}`)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			s.expect(boot{live: "a", legacy: legacy, pinned: true}, "PrecheckFailed", 5)
			want := "ManifestVerified FingerprintCaptured:initial"
			if legacy != nil {
				want = "ManifestVerified LegacyStateAdopted FingerprintCaptured:match"
			}
			s.expect(boot{live: "a", legacy: legacy, pinned: true, manifest: "m"}, want, 0)
			s.epoch(0)
		})
	}
}

// If the runtime differs from what the manifest installs, it is reconstructed
// before a baseline is set, or right after one was adopted, wherever power is lost.
func TestRowFirstRunDrift(t *testing.T) {
	for name, tt := range map[string]struct {
		legacy *LegacyStateAdopted
		kinds  string
	}{
		"no file": {nil, "ManifestVerified FingerprintCaptured:differs UpdateDetected:[runtime_drift]#1 ManifestVerified OpApplied:0 EpochRotated"},
		"legacy": {&LegacyStateAdopted{V: 1, CompositeHash: hashOf("a"), File: []byte(`{}`)},
			"ManifestVerified LegacyStateAdopted FingerprintCaptured:match UpdateDetected:[runtime_drift]#1 ManifestVerified OpApplied:0 EpochRotated"},
	} {
		t.Run(name, func(t *testing.T) {
			b := boot{live: "a", legacy: tt.legacy, manifest: "m", ops: 1, drift: true}
			s := newSim(t)
			s.expect(b, tt.kinds, 0)
			s.epoch(1)
			for crash := range strings.Fields(tt.kinds)[1:] {
				s := newSim(t)
				dying, next := b, b
				dying.crashAfter = crash + 1
				s.run(dying)
				if floor := s.fold.State().TimeFloor(""); !floor.IsZero() {
					t.Errorf("crash after %d: the time floor is %v, but no run has ended", crash+1, floor)
				}
				if s.fold.State().Phase != PhaseNew {
					next.legacy, next.drift = nil, false // adopted: no boot judges the runtime again before an epoch
				}
				if kinds, exit := s.run(next); exit != 0 {
					t.Fatalf("crash after %d: exit %d, %s", crash+1, exit, kinds)
				}
				s.epoch(1)
			}
		})
	}
}

func TestRowFirstRunUnreadable(t *testing.T) {
	s := newSim(t)
	s.expect(boot{live: "a", unreadable: true, floor: 7, file: tampered, manifest: "m"},
		"FingerprintCaptured:differs UpdateDetected:[fingerprint_tampered]#1 ManifestVerified EpochRotated", 0)
	s.epoch(8)
}

func TestRowLegacy(t *testing.T) {
	adopt := func(epoch uint64, live string) *LegacyStateAdopted {
		return &LegacyStateAdopted{V: 1, BootEpoch: epoch, CompositeHash: hashOf(live), File: []byte(`{"os_release":"ID=x"}`)}
	}
	t.Run("epoch 0, same os", func(t *testing.T) {
		s := newSim(t)
		s.expect(boot{live: "a", legacy: adopt(0, "a")}, "LegacyStateAdopted FingerprintCaptured:match", 0)
		s.epoch(0)
	})
	t.Run("epoch 0, other os", func(t *testing.T) {
		s := newSim(t)
		s.expect(boot{live: "b", legacy: adopt(0, "a"), manifest: "m"},
			"ManifestVerified LegacyStateAdopted FingerprintCaptured:differs UpdateDetected:[os_changed]#1 ManifestVerified EpochRotated", 0)
		s.epoch(1)
	})
	t.Run("epoch 4", func(t *testing.T) {
		s := newSim(t)
		s.expect(boot{live: "a", legacy: adopt(4, "a"), manifest: "m", crashAfter: 2}, "ManifestVerified LegacyStateAdopted", -1)
		s.expect(boot{live: "a", manifest: "m"},
			"FingerprintCaptured:match UpdateDetected:[legacy]#1 ManifestVerified EpochRotated", 0)
		s.epoch(5)
		if s.refold().Adopted != nil {
			t.Error("the adopted files outlive the first rotation")
		}
	})
}
