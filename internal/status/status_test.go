package status_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/doctor"
	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/nodeinit"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/status"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// settled returns a node that has completed a reconstruction and published it.
func settled(t *testing.T) *historytest.History {
	t.Helper()
	h := historytest.New(t, t.TempDir())
	manifest := []byte(`{"version":"1","serial":3,"operations":[]}`)
	for name, data := range map[string][]byte{
		"runtime/manifest.json": manifest, "runtime/manifest.json.sig": ed25519.Sign(h.Key, manifest),
		"identity/manifest-verify.pub": h.Key.Public().(ed25519.PublicKey),
	} {
		historytest.Check(t, os.WriteFile(filepath.Join(h.Dir, name), data, 0o600))
	}
	_, err := nodeinit.Init(t.Context(), h.Dir, nodeinit.Options{Node: historytest.Node})
	historytest.Check(t, err)
	h.First()
	h.Reconstruct(historytest.NewOS, 3)
	publish(t, h)
	return h
}

func publish(t *testing.T, h *historytest.History) {
	t.Helper()
	files, err := projections.Read(h.FS)
	historytest.Check(t, err)
	historytest.Check(t, projections.Publish(h.FS, h.State, files, 1))
	h.Stop()
}

func read(t *testing.T, path string) status.Status {
	t.Helper()
	s, err := status.Read(path, "", func() (*doctor.Report, error) {
		return doctor.Examine(t.Context(), doctor.Options{StateRoot: path, Config: filepath.Join(path, stateroot.NodeConfig),
			Elsewhere: true, Host: gate.LinuxHost(), System: t.TempDir()})
	})
	historytest.Check(t, err)
	return s
}

// TestStatus: every fault is a problem, and nothing else is.
func TestStatus(t *testing.T) {
	tests := []struct {
		name    string
		make    func(*testing.T, *historytest.History)
		problem string   // "" for a healthy node
		says    []string // of the screen
	}{
		{"healthy", func(*testing.T, *historytest.History) {}, "",
			[]string{"node         test-node", "1, settled", ", ok, from record 2", "to epoch 1, cause os_changed", "serial 3, operations 1", "kernel  6.8.0-a -> 6.8.0-b", "none journaled", "verdict      healthy"}},
		{"failed", func(_ *testing.T, h *historytest.History) {
			h.NextBoot()
			h.Append(machine.PrecheckFailed{V: 1, ExitCode: 3, Stage: "cert", Path: "node.crt", Reason: "expired"})
			h.Stop()
		}, "the last boot failed with exit code 3", []string{"exit 3 at cert: expired", "NOT HEALTHY"}},
		{"open", func(_ *testing.T, h *historytest.History) { h.Detect(historytest.OldOS); h.Stop() },
			"a reconstruction is open since record 8, attempt 1", []string{"0 of unknown operations applied"}},
		{"unfinished", func(_ *testing.T, h *historytest.History) {
			h.Detect(historytest.OldOS)
			h.Append(h.Manifest(4))
			h.Stop()
		}, "the last boot has not ended", []string{"0 of 1 operations applied"}},
		{"edited", func(t *testing.T, h *historytest.History) {
			name := filepath.Join(h.Dir, projections.CurrentPath)
			data, err := os.ReadFile(name)
			historytest.Check(t, err)
			historytest.Check(t, os.WriteFile(name, bytes.Replace(data, []byte(`"boot_epoch": 1`), []byte(`"boot_epoch": 7`), 1), 0o600))
		}, "epoch/current/evidence.json: ", []string{"repair     epoch/current/evidence.json"}},
		{"an operator's acts after a failed boot", func(_ *testing.T, h *historytest.History) {
			h.NextBoot()
			h.Append(machine.PrecheckFailed{V: 1, ExitCode: 3, Stage: "certificate", Path: "node.crt", Reason: "expired"})
			h.NextBoot()
			h.Append(machine.KeyRotated{V: 1, Purpose: machine.PurposeCheckpoint, OldKey: strings.Repeat("c", 64), NewKey: strings.Repeat("d", 64)})
			h.NextBoot()
			h.Append(machine.DrillRequested{V: 1, By: "ann", Reason: "quarterly"})
			h.Stop()
		}, "the last boot failed with exit code 3", []string{"failed with exit code 3, from record 7"}},
		{"a failure that was recovered from", func(t *testing.T, h *historytest.History) {
			h.NextBoot()
			h.Append(machine.PrecheckFailed{V: 1, ExitCode: 3, Stage: "certificate", Path: "node.crt", Reason: "expired"})
			left := `{"v":1,"time":"2026-01-01T00:00:00Z","node":"test-node","exit_code":2,"stage":"journal","path":"journal","reason":"no space left","next":"free some"}`
			historytest.Check(t, os.WriteFile(filepath.Join(h.Dir, "bootstrap/last_failure.json"), []byte(left), 0o600))
			h.NextBoot()
			h.Append(h.Capture(machine.RoleMatch, historytest.NewOS))
			h.Stop()
		}, "", []string{"exit 3 at certificate: expired; boots", ", ok, from record 8"}},
		{"drill and break-glass", func(_ *testing.T, h *historytest.History) {
			h.NextBoot()
			h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, OldKey: h.State.Keys.Manifest, NewKey: strings.Repeat("d", 64), By: "x", Reason: "y"})
			h.Append(machine.DrillRequested{V: 1, By: "ann", Reason: "quarterly"})
			h.Stop()
		}, "", []string{", ok, from record 2", "KEY REPLACED WITHOUT THE OLD ONE, 1 time:", "drill, requested by ann: quarterly", "followed by dddddddddddd"}},
		{"failure that could not be journaled", func(t *testing.T, h *historytest.History) {
			left := `{"v":1,"time":"2036-01-01T00:00:00Z","node":"test-node","exit_code":2,"stage":"journal","path":"journal","reason":"no space left","next":"free some"}`
			historytest.Check(t, os.WriteFile(filepath.Join(h.Dir, "bootstrap/last_failure.json"), []byte(left), 0o600))
		}, "a boot after the last one in the journal failed with exit code 2: no space left", []string{"next: free some"}},
		{"key of nobody", func(t *testing.T, h *historytest.History) {
			historytest.Check(t, os.WriteFile(filepath.Join(h.Dir, "identity/manifest-verify.pub"), bytes.Repeat([]byte{7}, 32), 0o600))
		}, "manifest verify key refused: ", nil},
		{"key that is none", func(t *testing.T, h *historytest.History) {
			historytest.Check(t, os.WriteFile(filepath.Join(h.Dir, "identity/manifest-verify.pub"), []byte("short"), 0o600))
		}, "manifest verify key has wrong size: ", nil},
		{"damaged", func(t *testing.T, h *historytest.History) {
			names, err := filepath.Glob(filepath.Join(h.Dir, "journal", "marker.manifest.*"))
			historytest.Check(t, err)
			historytest.Check(t, os.Remove(names[0]))
		}, "journal unusable: ", []string{"journal      unknown", "epoch        unknown", "last boot    unknown", "projections  unknown"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := settled(t)
			tt.make(t, h)
			s := read(t, h.Dir)
			all := strings.Join(s.Problems, "\n")
			if s.Healthy != (tt.problem == "") || !strings.Contains(all, tt.problem) || s.Healthy && all != "" {
				t.Errorf("healthy %t, problems: %s", s.Healthy, all)
			}
			var screen bytes.Buffer
			historytest.Check(t, s.Print(&screen))
			for line := range strings.Lines(screen.String()) {
				if len(line) > display.Width+1 {
					t.Errorf("more than 80 columns: %s", line)
				}
			}
			text := strings.ReplaceAll(screen.String(), "\n             ", " ") // as if it were not folded
			for _, want := range tt.says {
				if !strings.Contains(text, want) {
					t.Errorf("the screen does not say %q:\n%s", want, screen.String())
				}
			}
			data, err := json.Marshal(s)
			if err != nil || bytes.Contains(data, []byte(`"problems":null`)) {
				t.Errorf("%s, %v", data, err)
			}
		})
	}
}

// A node has a status before its first boot, and is not healthy.
func TestStatusBeforeTheFirstBoot(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	_, err := nodeinit.Init(t.Context(), h.Dir, nodeinit.Options{Node: historytest.Node, Demo: true})
	historytest.Check(t, err)
	s := read(t, h.Dir)
	if s.Healthy || len(s.Problems) != 1 || !strings.Contains(s.Problems[0], "no boot has run here yet") {
		t.Errorf("%+v", s)
	}
	h.First()
	publish(t, h)
	s = read(t, h.Dir)
	var screen bytes.Buffer
	historytest.Check(t, s.Print(&screen))
	if !s.Healthy || s.LastUpdate != nil || !strings.Contains(screen.String(), "last update  none yet") {
		t.Errorf("after the first boot: %s", screen.String())
	}
}

// A journal without a state root has no files to judge.
func TestStatusOfABareJournal(t *testing.T) {
	h := settled(t)
	s := read(t, filepath.Join(h.Dir, "journal"))
	if !s.Healthy || len(s.Projections) != 0 || *s.Epoch != 1 || s.LastUpdate.From == nil {
		t.Errorf("%+v", s)
	}
	if _, err := status.Read(filepath.Join(h.Dir, "nowhere"), "", nil); err == nil {
		t.Error("what is not there has a status")
	}
}
