package projections_test

import (
	"bytes"
	"testing"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// fuzzHistory returns the history that the fuzz targets judge against; its T never fails.
func fuzzHistory() (*history, machine.State) {
	h := newHistory(&testing.T{}, journalID).initial().epoch(1, 0).epoch(2, 1)
	return h, h.state()
}

func FuzzJudgeFingerprint(f *testing.F) {
	h, s := fuzzHistory()
	want, err := projections.Fingerprint(s.Journal, *s.Baseline)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{want, legacyFile("1"), {}, []byte("{}"), []byte(`{"journal":{"digest":""}}`), []byte(`{"boot_epoch":1e400}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := projections.JudgeFingerprint(found(data), s, h.lookup)
		if err != nil {
			t.Fatal(err)
		}
		if v.Kind == projections.Agrees && !bytes.Equal(data, want) && !bytes.Contains(data, []byte(`"digest"`)) {
			t.Errorf("agrees without a digest: %q", data)
		}
		if v.Kind == projections.NotJudged || len(v.PreviousHash) > 128 {
			t.Errorf("verdict %+v", v)
		}
		if l, err := projections.ParseLegacy(data); err == nil && l.CompositeHash == "" {
			t.Errorf("legacy without a hash: %q", data)
		}
		projections.References(projections.Files{Fingerprint: found(data)})
	})
}

func FuzzJudgeEvidence(f *testing.F) {
	_, s := fuzzHistory()
	want, err := projections.Evidence(*s.Current)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{want, []byte(legacyEvidence), {}, []byte("{}"), []byte(`{"journal":{"digest":"","id":"a","seq":1}}`), []byte(`{"operations":[[]]}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := projections.NewFound(projections.CurrentPath, data)
		v, err := projections.JudgeEvidence(projections.CurrentPath, file, s)
		if err != nil || v.Kind == projections.NotJudged || v.Kind == projections.Cause {
			t.Errorf("verdict %+v, %v", v, err)
		}
		projections.EvidenceEpochFloor(projections.Files{Current: file})
		projections.Classify(projections.Files{Current: file})
	})
}
