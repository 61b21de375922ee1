package projections_test

import (
	"bytes"
	"testing"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

const legacyEvidence = `{"os_fingerprint":{"composite_hash":"aa","boot_epoch":5},"binary_hash":""}`

func TestJudgeEvidence(t *testing.T) {
	h := newHistory(t, journalID).initial()
	before := h.state()
	one := h.epoch(1, 0).state()
	two := h.epoch(2, 2).state()
	three := h.epoch(3, 1).state()
	current, previous := evidenceOf(t, three.Current), evidenceOf(t, three.Previous)
	oldest := evidenceOf(t, one.Current)
	foreign := evidenceOf(t, newHistory(t, otherID).initial().epoch(1, 0).state().Current)
	tests := []struct {
		name   string
		path   string
		data   []byte // nil: not there
		s      machine.State
		kind   projections.Kind
		reason string
	}{
		{"before any epoch", projections.CurrentPath, []byte("x"), before, projections.NotJudged, ""},
		{"before any epoch, none", projections.PreviousPath, nil, before, projections.NotJudged, ""},
		{"current as rendered", projections.CurrentPath, current, three, projections.Agrees, ""},
		{"previous as rendered", projections.PreviousPath, previous, three, projections.Agrees, ""},
		{"no previous is due", projections.PreviousPath, nil, one, projections.Agrees, ""},
		{"current missing", projections.CurrentPath, nil, three, projections.Repair, "missing"},
		{"previous missing", projections.PreviousPath, nil, two, projections.Repair, "missing"},
		{"empty", projections.CurrentPath, []byte{}, three, projections.Repair, "edited"},
		{"garbage", projections.CurrentPath, []byte("garbage"), three, projections.Repair, "edited"},
		{"edited", projections.CurrentPath, bytes.Replace(current, []byte("1234"), []byte("4321"), 1), three, projections.Repair, "edited"},
		{"forged", projections.CurrentPath, resign(t, current, func(d, _ doc) { d["operations"] = []any{} }), three, projections.Repair, "edited"},
		{"forged operation", projections.CurrentPath, resign(t, current, func(d, _ doc) { d["operations"].([]any)[0].(doc)["bytes"] = 1 }), three, projections.Repair, "edited"},
		{"forged type", projections.CurrentPath, resign(t, current, func(d, _ doc) { d["manifest_serial"] = "7" }), three, projections.Repair, "edited"},
		{"other layout", projections.CurrentPath, compact(t, current), three, projections.Repair, "reformatted"},
		{"newer members", projections.CurrentPath, resign(t, current, func(d, _ doc) { d["x"] = 1 }), three, projections.Agrees, ""},
		{"newer member of an operation", projections.CurrentPath, resign(t, current, func(d, _ doc) { d["operations"].([]any)[0].(doc)["x"] = 1 }), three, projections.Agrees, ""},
		{"of the epoch before", projections.CurrentPath, previous, three, projections.Repair, "stale"},
		{"of an older epoch", projections.PreviousPath, oldest, three, projections.Repair, "stale"},
		{"of the running epoch, in previous", projections.PreviousPath, current, three, projections.Repair, "stale"},
		{"previous not due", projections.PreviousPath, oldest, one, projections.Repair, "stale"},
		{"legacy, first epoch", projections.CurrentPath, []byte(legacyEvidence), one, projections.Repair, "stale"},
		{"without journal, later", projections.CurrentPath, []byte(legacyEvidence), three, projections.Repair, "edited"},
		{"a fingerprint in its place", projections.CurrentPath, fingerprintOf(t, three), three, projections.Repair, "edited"},
		{"of another journal", projections.CurrentPath, foreign, three, projections.Foreign, ""},
		{"beyond the tip", projections.CurrentPath, resign(t, current, func(_, j doc) { j["seq"] = 999 }), three, projections.Foreign, ""},
		{"after another record", projections.CurrentPath, resign(t, current, func(_, j doc) { j["prev"] = hash64("x", 1) }), three, projections.Foreign, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := projections.Found{Path: tt.path}
			if tt.data != nil {
				f = projections.NewFound(tt.path, tt.data)
			}
			v, err := projections.JudgeEvidence(tt.path, f, tt.s)
			if err != nil || v.Kind != tt.kind || tt.kind != projections.Foreign && v.Reason != tt.reason {
				t.Errorf("verdict %+v, %v, want %s %q", v, err, tt.kind, tt.reason)
			}
			if v.FoundBLAKE3 != f.BLAKE3 || v.Path != tt.path || v.Kind == projections.Foreign && v.Reason == "" {
				t.Errorf("verdict %+v of %s", v, f.BLAKE3)
			}
		})
	}
	if _, err := projections.JudgeEvidence("epoch/next/evidence.json", projections.Found{}, three); err == nil {
		t.Error("an unknown path was judged")
	}
}

func TestEvidenceOfAncestorIsStale(t *testing.T) {
	old := evidenceOf(t, newHistory(t, otherID).initial().epoch(1, 0).state().Current)
	h := newHistory(t, journalID)
	h.add(machine.JournalSalvaged{V: 1, Predecessor: otherID, Epoch: 1})
	h.detect(1, machine.CauseSalvaged).complete(1, 0, "")
	v, err := projections.JudgeEvidence(projections.CurrentPath, projections.NewFound(projections.CurrentPath, old), h.state())
	if err != nil || v.Kind != projections.Repair || v.Reason != "stale" {
		t.Errorf("verdict %+v, %v", v, err)
	}
}

func TestReferences(t *testing.T) {
	h := newHistory(t, journalID).initial().epoch(1, 0).epoch(2, 1)
	s := h.state()
	files := projections.Files{
		Fingerprint: found(fingerprintOf(t, s)),
		Current:     projections.NewFound(projections.CurrentPath, evidenceOf(t, s.Current)),
		Previous:    projections.NewFound(projections.PreviousPath, evidenceOf(t, s.Previous)),
	}
	refs := projections.References(files)
	if len(refs) != 3 {
		t.Fatalf("%d references, want 3", len(refs))
	}
	for _, ref := range refs {
		seq, hash := ref.Record()
		e, err := h.lookup(seq)
		if err != nil || e.Hash != hash || ref.Journal != journalID {
			t.Errorf("%+v does not resolve: record %d is %s, %v", ref, seq, e.Hash, err)
		}
	}
	if refs[0].Seq != s.Baseline.Seq || refs[1].Seq != s.Current.Meta.Seq || refs[2].Path != projections.PreviousPath {
		t.Errorf("references %+v", refs)
	}
	for name, data := range map[string][]byte{
		"edited":                   bytes.Replace(files.Fingerprint.Data, []byte("6.8"), []byte("6.9"), 1),
		"legacy":                   legacyFile("1"),
		"evidence in its place":    files.Current.Data,
		"names an event bare":      resign(t, files.Fingerprint.Data, func(_, j doc) { delete(j, "hash") }),
		"unreadable":               []byte("{"),
		"journal is not an object": []byte(`{"journal":3}`),
	} {
		if refs := projections.References(projections.Files{Fingerprint: found(data)}); len(refs) != 0 {
			t.Errorf("%s: %+v", name, refs)
		}
	}
}

func TestMustResolve(t *testing.T) {
	refs := []projections.Ref{{Journal: journalID, Seq: 1}, {Journal: otherID, Seq: 2}, {Journal: "third", Seq: 3}}
	current := &machine.EpochRecord{}
	for name, tt := range map[string]struct {
		s    machine.State
		want int
	}{
		"no salvage":                    {machine.State{Journal: journalID}, 3},
		"salvaged, nothing judged yet":  {machine.State{Journal: journalID, Salvage: &machine.Salvage{Predecessor: otherID}}, 0},
		"salvaged, then reconstructed":  {machine.State{Journal: journalID, Salvage: &machine.Salvage{Predecessor: otherID}, Current: current}, 2},
		"salvaged, predecessor unknown": {machine.State{Journal: journalID, Salvage: &machine.Salvage{}, Current: current}, 1},
	} {
		if got := projections.MustResolve(refs, tt.s); len(got) != tt.want {
			t.Errorf("%s: %d must resolve, want %d", name, len(got), tt.want)
		}
	}
}
