package projections_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

type doc = map[string]any

const legacyHash = "aa11"

func legacyFile(epoch string) []byte {
	return []byte(`{"composite_hash":"` + legacyHash + `","os_release":"ID=old\n","uname_release":"5.4","boot_epoch":` + epoch + `,"captured_at":"2025-01-02T03:04:05Z"}`)
}

func found(data []byte) projections.Found {
	return projections.NewFound(projections.FingerprintPath, data)
}

func compact(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestJudgeFingerprint(t *testing.T) {
	h := newHistory(t, journalID).initial()
	initial := fingerprintOf(t, h.state())
	h.epoch(1, 0)
	first := fingerprintOf(t, h.state())
	h.detect(2, machine.CauseTampered).complete(2, 1, projections.NewFound("", []byte("tampered")).BLAKE3)
	s := h.state()
	now := fingerprintOf(t, s)
	replace := func(old, new string) []byte {
		out := strings.Replace(string(now), old, new, 1)
		if out == string(now) {
			t.Fatalf("%q is not in the file", old)
		}
		return []byte(out)
	}
	same := func(doc, doc) {}
	tests := []struct {
		name   string
		data   []byte
		kind   projections.Kind
		reason string // "" for any
		cause  machine.Cause
		hash   string // previous hash, "*" for any
	}{
		{"as rendered", now, projections.Agrees, "", "", ""},
		{"answered", []byte("tampered"), projections.Repair, "answered", "", ""},
		{"older state", first, projections.Repair, "stale", "", "*"},
		{"oldest state", initial, projections.Repair, "stale", "", "*"},
		{"older state, other layout", compact(t, first), projections.Repair, "stale", "", "*"},
		{"other layout", compact(t, now), projections.Repair, "reformatted", "", "*"},
		{"other order", resign(t, now, same), projections.Repair, "reformatted", "", "*"},
		{"number written otherwise", replace(`"boot_epoch": 2`, `"boot_epoch": 2.0`), projections.Repair, "reformatted", "", "*"},
		{"no final newline", bytes.TrimSuffix(now, []byte("\n")), projections.Repair, "reformatted", "", "*"},
		{"newer members", resign(t, now, func(d, j doc) { d["tpm"] = doc{"pcr": 1}; j["x"] = "y" }), projections.Agrees, "", "", "*"},
		{"newer member only in journal", resign(t, now, func(_, j doc) { j["a"] = 1 }), projections.Agrees, "", "", "*"},

		{"empty", []byte{}, projections.Cause, "", machine.CauseTampered, ""},
		{"not JSON", []byte("garbage"), projections.Cause, "", machine.CauseTampered, ""},
		{"truncated", now[:len(now)/2], projections.Cause, "", machine.CauseTampered, ""},
		{"trailing data", append(bytes.Clone(now), '{', '}'), projections.Cause, "", machine.CauseTampered, ""},
		{"not UTF-8", replace("söns", "s\xffns"), projections.Cause, "", machine.CauseTampered, ""},
		{"byte order mark", append([]byte("\xef\xbb\xbf"), now...), projections.Cause, "", machine.CauseTampered, ""},
		{"duplicate member", replace(`"uname_release"`, `"boot_epoch": 2, "uname_release"`), projections.Cause, "", machine.CauseTampered, ""},
		{"duplicate, escaped", replace(`"uname_release"`, `"boot\u005fepoch": 2, "uname_release"`), projections.Cause, "", machine.CauseTampered, ""},
		{"null", []byte("null"), projections.Cause, "", machine.CauseTampered, ""},
		{"array", []byte("[]"), projections.Cause, "", machine.CauseTampered, ""},
		{"deep", []byte(strings.Repeat("[", 60000)), projections.Cause, "", machine.CauseTampered, ""},
		{"edited epoch", replace(`"boot_epoch": 2`, `"boot_epoch": 9`), projections.Cause, "its digest is wrong", machine.CauseTampered, hash64("os", 2)},
		{"edited hash", replace(hash64("os", 2), "dead"), projections.Cause, "its digest is wrong", machine.CauseTampered, "dead"},
		{"hash not fit for a log", replace(hash64("os", 2), `a\nlevel=ERROR`), projections.Cause, "", machine.CauseTampered, ""},
		{"hash too long", replace(hash64("os", 2), strings.Repeat("a", 129)), projections.Cause, "", machine.CauseTampered, ""},
		{"edited inside journal", replace(hash64("5f0c", int(s.Baseline.Seq)), hash64("5f0c", 1)), projections.Cause, "its digest is wrong", machine.CauseTampered, "*"},
		{"wrong type", replace(`"boot_epoch": 2`, `"boot_epoch": "2"`), projections.Cause, "", machine.CauseTampered, "*"},
		{"epoch with a fraction", replace(`"boot_epoch": 2`, `"boot_epoch": 2.5`), projections.Cause, "", machine.CauseTampered, "*"},
		{"epoch beyond exact", replace(`"boot_epoch": 2`, `"boot_epoch": 9007199254740993`), projections.Cause, "", machine.CauseTampered, "*"},
		{"journal null", []byte(`{"composite_hash":"ab","journal":null}`), projections.Cause, "", machine.CauseTampered, "ab"},
		{"journal without id", resign(t, now, func(_, j doc) { delete(j, "id") }), projections.Cause, "", machine.CauseTampered, "*"},
		{"journal seq 0", resign(t, now, func(_, j doc) { j["seq"] = 0 }), projections.Cause, "", machine.CauseTampered, "*"},
		{"journal id not printable", resign(t, now, func(_, j doc) { j["id"] = "a b" }), projections.Cause, "", machine.CauseTampered, "*"},
		{"only a digest", []byte(`{"journal":{"digest":"00"}}`), projections.Cause, "", machine.CauseTampered, ""},
		{"digest removed", resignless(t, now), projections.Cause, "its digest is wrong", machine.CauseTampered, "*"},
		{"forged with a right digest", resign(t, now, func(d, _ doc) { d["boot_epoch"] = 1 }), projections.Cause, "", machine.CauseTampered, "*"},
		{"forged by leaving out", resign(t, now, func(d, _ doc) { delete(d, "os_release") }), projections.Cause, "", machine.CauseTampered, "*"},
		{"forged known optional member", resign(t, now, func(d, _ doc) { d["os_release_truncated"] = false }), projections.Cause, "", machine.CauseTampered, "*"},
		{"forged older", resign(t, first, func(d, _ doc) { d["boot_epoch"] = 0 }), projections.Cause, "", machine.CauseTampered, "*"},
		{"older with a member not due", resign(t, initial, func(d, _ doc) { d["os_release_truncated"] = true }), projections.Cause, "", machine.CauseTampered, "*"},
		{"names an event that projects nothing", resign(t, now, func(_, j doc) { j["seq"], j["hash"] = 2, hash64("5f0c", 2) }), projections.Cause, "", machine.CauseTampered, "*"},
		{"evidence in its place", evidenceOf(t, s.Current), projections.Cause, "", machine.CauseTampered, ""},
		{"no journal member", legacyFile("1"), projections.Cause, "", machine.CauseForeign, legacyHash},
		{"journal member removed", without(t, now, "journal"), projections.Cause, "", machine.CauseForeign, hash64("os", 2)},
		{"nothing in it", []byte("{}"), projections.Cause, "", machine.CauseForeign, ""},
		{"no journal member, wrong type", []byte(`{"composite_hash":1}`), projections.Cause, "", machine.CauseTampered, ""},
		{"time is no time", []byte(`{"captured_at":"yesterday"}`), projections.Cause, "", machine.CauseTampered, ""},

		{"of another journal", resign(t, now, func(_, j doc) { j["id"] = otherID }), projections.Foreign, "", "", "*"},
		{"beyond the tip", resign(t, now, func(_, j doc) { j["seq"] = 999 }), projections.Foreign, "", "", "*"},
		{"another hash at the baseline", resign(t, now, func(_, j doc) { j["hash"] = hash64("x", 1) }), projections.Foreign, "", "", "*"},
		{"another hash at an older event", resign(t, first, func(_, j doc) { j["hash"] = hash64("x", 1) }), projections.Foreign, "", "", "*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := found(tt.data)
			v, err := projections.JudgeFingerprint(f, s, h.lookup)
			if err != nil {
				t.Fatal(err)
			}
			if v.Kind != tt.kind || v.Cause != tt.cause || tt.reason != "" && v.Reason != tt.reason {
				t.Errorf("verdict %+v, want %s %q %s", v, tt.kind, tt.reason, tt.cause)
			}
			if tt.hash != "*" && v.PreviousHash != tt.hash {
				t.Errorf("previous hash %q, want %q", v.PreviousHash, tt.hash)
			}
			if v.FoundBLAKE3 != f.BLAKE3 || v.Path != projections.FingerprintPath {
				t.Errorf("found %s at %s", v.FoundBLAKE3, v.Path)
			}
			if (v.Kind == projections.Cause || v.Kind == projections.Foreign) && (v.Reason == "" || strings.Contains(v.Reason, "\n")) {
				t.Error("no reason given")
			}
		})
	}
	v, _ := projections.JudgeFingerprint(found(replace(`"boot_epoch": 2`, `"boot_epoch": 9`)), s, h.lookup)
	if v.FoundEpoch == nil || *v.FoundEpoch != 9 {
		t.Errorf("claimed epoch %v, want 9", v.FoundEpoch)
	}
	if v, err := projections.JudgeFingerprint(projections.Found{}, s, h.lookup); err != nil || v.Kind != projections.Repair || v.Reason != "missing" {
		t.Errorf("missing: %+v, %v", v, err)
	}
	broken := errors.New("unreadable")
	if _, err := projections.JudgeFingerprint(found(first), s, func(uint64) (machine.Event, error) { return machine.Event{}, broken }); !errors.Is(err, broken) {
		t.Errorf("a record that cannot be read gave %v", err)
	}
}

func without(t *testing.T, data []byte, name string) []byte {
	t.Helper()
	var d doc
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	delete(d, name)
	out, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// resignless removes the digest alone.
func resignless(t *testing.T, data []byte) []byte {
	t.Helper()
	var d doc
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	delete(d["journal"].(doc), "digest")
	out, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFingerprintIsNotJudged(t *testing.T) {
	open := newHistory(t, journalID).initial().detect(1, machine.CauseOSChanged).state()
	salvaged := newHistory(t, journalID)
	salvaged.add(machine.JournalSalvaged{V: 1, Predecessor: otherID, Epoch: 3})
	adopted := newHistory(t, journalID)
	adopted.add(machine.LegacyStateAdopted{V: 1, BootEpoch: 4, CompositeHash: legacyHash, File: legacyFile("4")})
	for name, tt := range map[string]struct {
		s    machine.State
		data []byte
	}{
		"no baseline":              {machine.State{}, []byte("x")},
		"reconstruction open":      {open, []byte("x")},
		"salvaged":                 {salvaged.state(), []byte("x")},
		"adopted, as adopted":      {adopted.state(), legacyFile("4")},
		"no baseline, no file":     {machine.State{}, nil},
		"salvaged, of any journal": {salvaged.state(), fingerprintOf(t, newHistory(t, otherID).initial().state())},
	} {
		v, err := projections.JudgeFingerprint(found(tt.data), tt.s, nil)
		if err != nil || v.Kind != projections.NotJudged {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	// An edit between the adoption and its reconstruction is found.
	if v, _ := projections.JudgeFingerprint(found([]byte("x")), adopted.state(), nil); v.Cause != machine.CauseTampered {
		t.Errorf("edited after adoption: %+v", v)
	}
}

func TestAdoptedFileAtEpochZeroIsAnswered(t *testing.T) {
	h := newHistory(t, journalID)
	h.add(machine.LegacyStateAdopted{V: 1, CompositeHash: legacyHash, File: legacyFile("0")})
	s := h.state()
	if v, err := projections.JudgeFingerprint(found(legacyFile("0")), s, h.lookup); err != nil || v.Kind != projections.Repair || v.Reason != "answered" {
		t.Errorf("as adopted: %+v, %v", v, err)
	}
	if v, err := projections.JudgeFingerprint(found(append(legacyFile("0"), ' ')), s, h.lookup); err != nil || v.Cause != machine.CauseForeign {
		t.Errorf("otherwise: %+v, %v", v, err)
	}
	if v, err := projections.JudgeFingerprint(found(fingerprintOf(t, s)), s, h.lookup); err != nil || v.Kind != projections.Agrees {
		t.Errorf("republished: %+v, %v", v, err)
	}
}

func TestFileOfAncestor(t *testing.T) {
	old := fingerprintOf(t, newHistory(t, otherID).initial().state())
	for _, predecessor := range []string{otherID, ""} {
		h := newHistory(t, journalID)
		h.add(machine.JournalSalvaged{V: 1, Predecessor: predecessor, Epoch: 3})
		h.detect(1, machine.CauseSalvaged).complete(1, 0, found(old).BLAKE3)
		if v, _ := projections.JudgeFingerprint(found(old), h.state(), h.lookup); v.Reason != "answered" {
			t.Errorf("predecessor %q: as replaced: %+v", predecessor, v)
		}
		if v, _ := projections.JudgeFingerprint(found(append(old, '\n')), h.state(), h.lookup); v.Cause != machine.CauseTampered {
			t.Errorf("predecessor %q: put back later: %+v", predecessor, v)
		}
	}
}
