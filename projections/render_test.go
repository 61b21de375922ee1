package projections_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs\n got:\n%s\nwant:\n%s", name, got, want)
	}
}

func TestGolden(t *testing.T) {
	h := newHistory(t, journalID).initial()
	golden(t, "os_fingerprint_initial.json", fingerprintOf(t, h.state()))
	h.epoch(1, 0)
	golden(t, "evidence_no_operations.json", evidenceOf(t, h.state().Current))
	h.epoch(2, 2)
	golden(t, "evidence.json", evidenceOf(t, h.state().Current))
	golden(t, "os_fingerprint_truncated.json", fingerprintOf(t, h.state()))
}

// digestOf recomputes a file's digest as an auditor would with jq and b3sum, with a
// different implementation of RFC 8785 from the product's.
func digestOf(t *testing.T, data []byte) (claimed, computed string) {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	journal := doc["journal"].(map[string]any)
	claimed, _ = journal["digest"].(string)
	delete(journal, "digest")
	plain, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := jcs.Transform(plain)
	if err != nil {
		t.Fatal(err)
	}
	sum := blake3.Sum256(canonical)
	return claimed, hex.EncodeToString(sum[:])
}

func TestDigestCanBeRecomputed(t *testing.T) {
	s := newHistory(t, journalID).initial().epoch(1, 0).epoch(2, 3).state()
	for name, data := range map[string][]byte{
		"fingerprint": fingerprintOf(t, s), "current": evidenceOf(t, s.Current), "previous": evidenceOf(t, s.Previous),
	} {
		if claimed, computed := digestOf(t, data); claimed != computed {
			t.Errorf("%s: digest %s, recomputed %s", name, claimed, computed)
		}
	}
}

// resign edits a file's members and gives it the matching digest, as a forger who
// knows the format or a newer version would write it.
func resign(t *testing.T, data []byte, edit func(doc, journal map[string]any)) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	journal := doc["journal"].(map[string]any)
	edit(doc, journal)
	plain, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	_, journal["digest"] = digestOf(t, plain)
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func TestRenderKeepsTextExact(t *testing.T) {
	b := *newHistory(t, journalID).initial().state().Baseline
	b.OSRelease = "a<b>&'\"\\\x01\u2028\U0001f600\n"
	data, err := projections.Fingerprint(journalID, b)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OSRelease string `json:"os_release"`
	}
	if err := json.Unmarshal(data, &doc); err != nil || doc.OSRelease != b.OSRelease {
		t.Errorf("os_release reads back as %q, %v", doc.OSRelease, err)
	}
	if bytes.Contains(data, []byte(`\u003c`)) {
		t.Error("escaped for HTML")
	}
	if claimed, computed := digestOf(t, data); claimed != computed {
		t.Errorf("digest %s, recomputed %s", claimed, computed)
	}
}

func TestRenderRefusesTextThatIsNotUTF8(t *testing.T) {
	b := machine.Baseline{Seq: 3, OSRelease: "\xff"}
	if _, err := projections.Fingerprint(journalID, b); err == nil || !strings.Contains(err.Error(), "record 3") {
		t.Errorf("fingerprint: %v", err)
	}
	r := machine.EpochRecord{Operations: []machine.OpApplied{{Src: "\xff"}}}
	if _, err := projections.Evidence(r); err == nil {
		t.Error("evidence rendered text that is not UTF-8")
	}
	s := newHistory(t, journalID).initial().epoch(1, 0).epoch(2, 0).state()
	good := projections.NewFound(projections.FingerprintPath, []byte("{}"))
	broken := *s.Baseline
	broken.OSRelease = "\xff"
	s.Baseline = &broken
	if _, err := projections.JudgeFingerprint(good, s, nil); err == nil {
		t.Error("judged against a baseline that cannot be rendered")
	}
	record := *s.Current
	record.Rotated.OSFingerprint.OSRelease = "\xff"
	s.Current = &record
	if _, err := projections.JudgeEvidence(projections.CurrentPath, good, s); err == nil {
		t.Error("judged against evidence that cannot be rendered")
	}
}
