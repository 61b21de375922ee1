package display_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

func recordOf(t testing.TB, p machine.Payload) record.Record {
	t.Helper()
	data, err := machine.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return record.Record{Seq: 7, Type: string(p.Kind()), Crit: machine.Critical(p.Kind()), Epoch: 3, Data: data,
		Time: time.Date(2026, 3, 4, 10, 0, 0, 5, time.UTC)}
}

func TestEveryKind(t *testing.T) {
	hash, serial := strings.Repeat("ab", 32), int64(9)
	at := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		p     machine.Payload
		words string
	}{
		{machine.FingerprintCaptured{V: 1, Role: machine.RoleMatch, CompositeHash: hash}, "match abababababab"},
		{machine.UpdateDetected{V: 1, Cause: machine.CauseOSChanged, Attempt: 1, Changed: []string{"uname_release"}}, "os_changed: uname_release"},
		{machine.UpdateDetected{V: 1, Cause: machine.CauseDrill, Attempt: 2}, "drill attempt 2"},
		{machine.ManifestVerified{V: 1, Operations: 1, KeyBLAKE3: hash}, "1 operation, key abababababab"},
		{machine.ManifestVerified{V: 1, Operations: 2, Serial: &serial, KeyBLAKE3: hash}, "2 operations, serial 9, key ab"},
		{machine.OpApplied{V: 1, Index: 2, Dst: "runtime/edged"}, "#2 runtime/edged"},
		{machine.OpApplied{V: 1, Dst: "runtime/edged", AlreadyInPlace: true}, "(in place)"},
		{machine.EpochRotated{V: 1, BootEpoch: 4, DurationMS: 1500}, "epoch 4 in 1.5s"},
		{machine.PrecheckFailed{V: 1, ExitCode: 5, Stage: "manifest", Reason: "precheck: manifest missing"}, "exit 5 at manifest: manifest missing"},
		{machine.UpdateAbandoned{V: 1, UpdateSeq: 5, Reason: "back"}, "update #5: back"},
		{machine.LegacyStateAdopted{V: 1, BootEpoch: 2, CompositeHash: "short"}, "epoch 2, short"},
		{machine.SnapshotTaken{V: 1, Of: 6, BLAKE3: hash}, "of 6: abababababab"},
		{machine.ProjectionRepaired{V: 1, Path: "epoch/x", Reason: "missing"}, "missing: epoch/x"},
		{machine.HeadRebuilt{V: 1, Found: "absent", Seq: 6}, "at 6: absent"},
		{machine.CertificateRotated{V: 1, NotAfter: at}, "valid to 2027-01-02T03:04:05Z"},
		{machine.DrillRequested{V: 1, By: "op", Reason: "weekly"}, "op: weekly"},
		{machine.DrillCancelled{V: 1, Reason: "no"}, "no"},
		{machine.KeyRotated{V: 1, Purpose: "manifest", OldKey: hash, NewKey: "n"}, "manifest abababababab -> n"},
		{machine.KeyReplaced{V: 1, Purpose: "manifest", NewKey: "n", By: "op", Reason: "lost"}, "manifest -> n, op: lost"},
		{machine.ClockReset{V: 1, By: "op", Reason: "2099", New: at}, "to 2027-01-02T03:04:05Z"},
		{machine.NodeRenamed{V: 1, By: "op", Reason: "moved", Old: "a", New: "b"}, "a -> b, op: moved"},
		{machine.JournalSalvaged{V: 1, Predecessor: "p", Size: 1, Lost: "tail"}, "from p, 1 record kept: tail"},
	} {
		line := display.NewLines(1000, 0).Record(recordOf(t, tt.p))
		if !strings.HasPrefix(line, "   7  2026-03-04T10:00:00Z  e3 ") || !strings.Contains(line, string(tt.p.Kind())) {
			t.Errorf("%q", line)
		}
		if words := display.Payload(recordOf(t, tt.p)); !strings.Contains(words, tt.words) {
			t.Errorf("%s: %q does not say %q", tt.p.Kind(), words, tt.words)
		}
	}
	if words := display.Payload(record.Record{Type: "New", Data: []byte(`{"v":1}`)}); !strings.Contains(words, "does not know") {
		t.Error(words)
	}
	if words := display.Payload(record.Record{Type: "New", Crit: true, Data: []byte(`{"v":1}`)}); !strings.Contains(words, "newer version") {
		t.Error(words)
	}
}

func TestUnreadable(t *testing.T) {
	if got := display.NewLines(9, 0).Unreadable(3, errors.New("not\na record")); got != "3  -                     unreadable: not a record" {
		t.Errorf("%q", got)
	}
}

func TestState(t *testing.T) {
	if got := display.State(machine.State{Phase: machine.PhaseNew}); len(got) != 2 || got[1] != "baseline none" {
		t.Errorf("%q", got)
	}
	s := machine.State{Phase: machine.PhaseApplying, Epoch: 3,
		Baseline: &machine.Baseline{CompositeHash: "h", UnameRelease: "6.8\x1b[2J", Seq: 2},
		Open: &machine.Reconstruction{First: 5, Attempt: 2, Causes: []machine.Cause{machine.CauseDrill, machine.CauseDrift},
			Manifest: &machine.VerifiedManifest{Hash: "m", Operations: 3}, Applied: []machine.OpApplied{{}}},
		Current:  &machine.EpochRecord{Meta: machine.Meta{Seq: 4}, Rotated: machine.EpochRotated{ManifestHash: "m0"}},
		Drill:    &machine.Drill{Seq: 6, By: "op", Reason: "test"},
		LastFail: &machine.Failure{Seq: 7, Failed: machine.PrecheckFailed{ExitCode: 5, Stage: "manifest", Reason: "gone"}},
		Salvage:  &machine.Salvage{Predecessor: "old"}}
	got := strings.Join(display.State(s), "\n")
	want := `phase applying, epoch 3
baseline h, kernel 6.8?[2J, set by record 2
open reconstruction since record 5, attempt 2, cause drill, runtime_drift
  manifest m, 1 of 3 operations applied
running epoch completed by record 4, manifest m0
drill requested by record 6: op: test
last failure record 7: exit 5 at manifest: gone
salvaged from old`
	if got != want {
		t.Errorf("%s", got)
	}
}

// TestLines: without a terminal a record is one line; on a terminal no text is cut
// and no line is wider than the terminal.
func TestLines(t *testing.T) {
	failed := recordOf(t, machine.PrecheckFailed{V: 1, ExitCode: 5, Stage: "manifest",
		Reason: "precheck: manifest signature verification failed: runtime/manifest.json.sig: the key abababababab did not sign these bytes",
		Next:   "sign exactly what is deployed: edgectl manifest sign"})
	for _, tt := range []struct {
		columns int
		want    string
	}{
		{0, `7  2026-03-04T10:00:00Z  e3  PrecheckFailed       exit 5 at manifest: manifest signature verification failed: runtime/manifest.json.sig: ` +
			`the key abababababab did not sign these bytes; next: sign exactly what is deployed: edgectl manifest sign`},
		{80, `7  2026-03-04T10:00:00Z  e3  PrecheckFailed       exit 5 at manifest: manifest
                         signature verification failed:
                         runtime/manifest.json.sig: the key abababababab did not
                         sign these bytes
                         next: sign exactly what is deployed: edgectl manifest
                         sign`},
		{120, `7  2026-03-04T10:00:00Z  e3  PrecheckFailed       exit 5 at manifest: manifest signature verification failed:
                         runtime/manifest.json.sig: the key abababababab did not sign these bytes
                         next: sign exactly what is deployed: edgectl manifest sign`},
		{40, `7  2026-03-04T10:00:00Z  e3
   PrecheckFailed       exit 5 at
   manifest: manifest signature
   verification failed:
   runtime/manifest.json.sig: the key
   abababababab did not sign these bytes
   next: sign exactly what is deployed:
   edgectl manifest sign`},
	} {
		if got := display.NewLines(7, tt.columns).Record(failed); got != tt.want {
			t.Errorf("%d columns:\n%s", tt.columns, got)
		}
	}
	earlier := recordOf(t, machine.PrecheckFailed{V: 1, ExitCode: 5, Stage: "manifest", Reason: "missing"})
	if got := display.NewLines(7, 0).Record(earlier); strings.Contains(got, "next") {
		t.Errorf("nothing is known to be next: %s", got)
	}
}

// No history can move a cursor, and no line is wider than a terminal.
func FuzzRecord(f *testing.F) {
	f.Add("PrecheckFailed", `{"v":1,"reason":"\u001b[2J\u009b1m"}`, uint64(1), uint64(1), uint16(80))
	f.Add("PrecheckFailed", `{"v":1,"reason":"a b","next":"\u001b[2J\n c"}`, uint64(1), uint64(1), uint16(0))
	f.Add("\x1b]0;x\x07", `{}`, uint64(1)<<63, uint64(1)<<63, uint16(1))
	f.Add("FingerprintCaptured", "\xff", uint64(0), uint64(0), uint16(60))
	f.Fuzz(func(t *testing.T, kind, data string, seq, epoch uint64, columns uint16) {
		text := display.NewLines(seq, int(columns)).Record(record.Record{Type: kind, Data: []byte(data), Seq: seq, Epoch: epoch})
		lines := strings.Split(text, "\n")
		if columns == 0 && len(lines) > 1 {
			t.Errorf("%d lines without a terminal: %q", len(lines), text)
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); columns >= 48 && n > int(columns) {
				t.Errorf("%d columns of %d: %q", n, columns, line)
			}
			for _, r := range line {
				if r < ' ' || r > '~' {
					t.Errorf("%q holds %U", line, r)
				}
			}
		}
	})
}

func FuzzCleanJSON(f *testing.F) {
	f.Add("plain")
	f.Add("\u009b\u202e\U0001f600\x7f")
	f.Fuzz(func(t *testing.T, s string) {
		text, err := json.Marshal(s)
		if err != nil {
			t.Skip()
		}
		var want, got string
		clean := display.CleanJSON(string(text))
		if json.Unmarshal(text, &want) != nil || json.Unmarshal([]byte(clean), &got) != nil || got != want {
			t.Errorf("%q became %q", want, got)
		}
		for _, r := range clean {
			if r != '\n' && (r < ' ' || r > '~') {
				t.Errorf("%q holds %U", clean, r)
			}
		}
	})
}

func TestCommand(t *testing.T) {
	for want, words := range map[string][]string{
		"mv /a/b-c ''":           {"mv", "/a/b-c", ""},
		`'a b' 'it'\''s' '$(x)'`: {"a b", "it's", "$(x)"},
	} {
		if got := display.Command(words...); got != want {
			t.Errorf("%q: %s", words, got)
		}
	}
}
