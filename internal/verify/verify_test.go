package verify_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

func begin(t *testing.T) *historytest.History {
	t.Helper()
	h := historytest.New(t, t.TempDir())
	h.First()
	return h
}

// deep verifies the history at dir and returns the codes of the findings.
func deep(t *testing.T, path string) (verify.Report, []string) {
	t.Helper()
	before := historytest.Tree(t, path)
	rep, err := verify.Path(context.Background(), path, verify.Options{Deep: true})
	historytest.Check(t, err)
	historytest.SameTree(t, path, before)
	var codes []string
	failed := false
	for _, f := range rep.Findings {
		codes = append(codes, f.Code)
		failed = failed || f.Severity == journal.SeverityError
	}
	if rep.OK == failed {
		t.Errorf("ok is %t with findings %v", rep.OK, rep.Findings)
	}
	return rep, codes
}

func expect(t *testing.T, path string, ok bool, code, detail string) {
	t.Helper()
	rep, codes := deep(t, path)
	text, err := json.Marshal(rep.Findings)
	historytest.Check(t, err)
	if rep.OK != ok {
		t.Errorf("ok %t, want %t: %s", rep.OK, ok, text)
	}
	if code == "" && len(codes) > 0 {
		t.Errorf("findings: %s", text)
	}
	for _, f := range rep.Findings {
		if f.Code == code && strings.Contains(f.Detail, detail) {
			return
		}
	}
	if code != "" {
		t.Errorf("no finding %s that says %q in %s", code, detail, text)
	}
}

func TestIntact(t *testing.T) {
	h := begin(t)
	h.Match()
	h.Reconstruct(historytest.NewOS, 1)
	h.Match()
	h.Reconstruct(historytest.OldOS, 2)
	h.Settle(h.State)
	h.Publish()
	expect(t, h.Dir, true, "", "")
	expect(t, filepath.Join(h.Dir, "journal"), true, "", "")
	rep, _ := deep(t, h.Dir)
	if rep.Events != h.State.Seq || rep.Head.Hash != h.State.Hash || rep.Journal != h.State.Journal {
		t.Errorf("%+v", rep)
	}
	text, err := json.Marshal(rep)
	historytest.Check(t, err)
	want := `{"ok":true,"journal":"` + h.State.Journal + `","events":14,"head":{"seq":14,"hash":"` + h.State.Hash + `"},"findings":[],` +
		`"tail":{"records":1,"used_bytes":4096,"free_bytes":512000,"settling_due":false}}`
	if string(text) != want {
		t.Errorf("%s\nwant %s", text, want)
	}
}

// The chain of each of these histories is whole: only a deep verification finds
// the fault.
func TestManifests(t *testing.T) {
	for _, tt := range []struct {
		name   string
		alter  func(h *historytest.History, m *machine.ManifestVerified)
		code   string
		detail string
	}{
		{"a signature by another key", func(_ *historytest.History, m *machine.ManifestVerified) {
			m.Signature = ed25519.Sign(historytest.Key("other"), m.Manifest)
		}, verify.CodeSignature, "does not verify"},
		{"a short signature", func(_ *historytest.History, m *machine.ManifestVerified) { m.Signature = m.Signature[:63] },
			verify.CodeSignature, "63 bytes"},
		{"a short key", func(_ *historytest.History, m *machine.ManifestVerified) { m.Key = m.Key[:31] }, verify.CodeSignature, "31 bytes"},
		{"a key that anybody signs under", func(_ *historytest.History, m *machine.ManifestVerified) {
			m.Key = append([]byte{1}, make([]byte, 31)...) // the neutral point: it and S = 0 fit whatever is signed
			m.Signature, m.KeyBLAKE3 = append(m.Key[:32:32], make([]byte, 32)...), historytest.Hash(m.Key)
			if !ed25519.Verify(m.Key, m.Manifest, m.Signature) {
				t.Error("the test forges nothing: it proves nothing")
			}
		}, verify.CodeSignature, "small order"},
		{"a key of another name", func(_ *historytest.History, m *machine.ManifestVerified) {
			m.Key = historytest.Key("other").Public().(ed25519.PublicKey)
			m.Signature = ed25519.Sign(historytest.Key("other"), m.Manifest)
		}, verify.CodeKey, "the event says"},
		{"another manifest", func(h *historytest.History, m *machine.ManifestVerified) {
			m.Manifest = bytes.Replace(m.Manifest, []byte("runtime/edged"), []byte("runtime/other"), 1)
			m.Signature = ed25519.Sign(h.Key, m.Manifest)
		}, verify.CodeManifest, "BLAKE3"},
		{"no manifest at all", func(h *historytest.History, m *machine.ManifestVerified) {
			m.Manifest = []byte(`{"version":"2"}`)
			m.Signature, m.ManifestHash = ed25519.Sign(h.Key, m.Manifest), historytest.Hash(m.Manifest)
		}, verify.CodeManifest, "version"},
		{"another serial", func(_ *historytest.History, m *machine.ManifestVerified) { m.Serial = nil }, verify.CodeManifest, "serial"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := begin(t)
			h.Detect(historytest.NewOS)
			m := h.Manifest(1)
			tt.alter(h, &m)
			h.Append(m)
			h.Publish()
			expect(t, h.Dir, false, tt.code, tt.detail)
		})
	}
}

func TestSerialRolledBack(t *testing.T) {
	h := begin(t)
	h.Reconstruct(historytest.NewOS, 7)
	h.Reconstruct(historytest.OldOS, 6)
	h.Publish()
	expect(t, h.Dir, false, verify.CodeManifest, "serial is 6")
}

func TestOperations(t *testing.T) {
	for name, alter := range map[string]func(*machine.OpApplied){
		"runtime/other was written": func(o *machine.OpApplied) { o.Dst = "runtime/other" },
		"pins":                      func(o *machine.OpApplied) { o.BLAKE3 = strings.Repeat("0", 64) },
		"is copy_binary":            func(o *machine.OpApplied) { o.Op = "install_config" },
		"hash_pinned false":         func(o *machine.OpApplied) { o.HashPinned = false },
	} {
		t.Run(name, func(t *testing.T) {
			h := begin(t)
			h.Detect(historytest.NewOS)
			h.Append(h.Manifest(1))
			op := historytest.Applied()
			alter(&op)
			h.Append(op)
			h.Append(h.Rotated())
			h.Publish()
			expect(t, h.Dir, false, verify.CodeOperation, name)
		})
	}
}

func TestKeyContinuity(t *testing.T) {
	next := historytest.Key("next")
	public := next.Public().(ed25519.PublicKey)
	rotate := func(h *historytest.History, to ed25519.PublicKey, journal string) machine.KeyRotated {
		statement, signature, err := signing.SignStatement(h.Key, signing.NewStatement(machine.PurposeManifest, h.Key.Public().(ed25519.PublicKey), to, journal))
		historytest.Check(t, err)
		return machine.KeyRotated{V: 1, Purpose: machine.PurposeManifest, OldKey: historytest.Hash(h.Key.Public().(ed25519.PublicKey)),
			NewKey: historytest.Hash(public), Statement: statement, Signature: signature}
	}
	name := historytest.Hash(next.Public().(ed25519.PublicKey))
	follow := func(h *historytest.History, by string) {
		to := historytest.Key(by).Public().(ed25519.PublicKey)
		p := rotate(h, to, h.State.Journal)
		p.NewKey = historytest.Hash(to)
		h.Append(p)
	}
	for _, tt := range []struct {
		name   string
		change func(h *historytest.History)
		ok     bool
		code   string
		detail string
	}{
		{"without a word", func(*historytest.History) {}, false, verify.CodeKey, "no rotation or replacement"},
		{"by a statement of the old key", func(h *historytest.History) { h.Append(rotate(h, public, h.State.Journal)) }, true, "", ""},
		{"by a statement of another", func(h *historytest.History) {
			p := rotate(h, public, h.State.Journal)
			p.Signature = ed25519.Sign(next, p.Statement)
			h.Append(p)
		}, false, verify.CodeKey, "did not sign"},
		{"by a statement for another journal", func(h *historytest.History) { h.Append(rotate(h, public, "elsewhere")) }, false, verify.CodeKey, "for journal elsewhere"},
		{"by a statement of something else", func(h *historytest.History) {
			h.Append(rotate(h, historytest.Key("third").Public().(ed25519.PublicKey), h.State.Journal))
		}, false, verify.CodeKey, "the event says"},
		{"of a key never in force", func(h *historytest.History) {
			p := rotate(h, public, h.State.Journal)
			p.OldKey = strings.Repeat("0", 64)
			h.Append(p)
		}, false, verify.CodeKey, "the newest was"},
		{"of a key that was followed", func(h *historytest.History) {
			first := h.Key
			follow(h, "third")
			h.Key = historytest.Key("third")
			h.Reconstruct(historytest.OldOS, 1)
			h.Reconstruct("ID=c\n", 1)
			h.Key = first
			h.Append(rotate(h, public, h.State.Journal))
		}, false, verify.CodeKey, "the newest was"},
		{"of a key that names two", func(h *historytest.History) {
			follow(h, "third")
			h.Append(rotate(h, public, h.State.Journal))
		}, false, verify.CodeKey, "the newest was"},
		{"of a key that was replaced", func(h *historytest.History) {
			h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, NewKey: strings.Repeat("0", 64), By: "operator", Reason: "key stolen"})
			h.Append(rotate(h, public, h.State.Journal))
		}, false, verify.CodeKey, "the newest was"},
		{"twice before an epoch", func(h *historytest.History) {
			follow(h, "third")
			h.Key = historytest.Key("third")
			h.Append(rotate(h, public, h.State.Journal))
		}, true, "", ""},
		{"of a key in force that was never seen", func(h *historytest.History) {
			third := historytest.Key("third")
			h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, NewKey: historytest.Hash(third.Public().(ed25519.PublicKey)), By: "operator", Reason: "key lost"})
			h.Key = third
			h.Append(rotate(h, public, h.State.Journal))
		}, true, verify.CodeKey, "does not hold the old key"},
		{"break-glass", func(h *historytest.History) {
			h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, NewKey: name, By: "operator", Reason: "key lost"})
		}, true, verify.CodeKeyReplace, "key lost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := begin(t)
			h.Reconstruct(historytest.NewOS, 1)
			tt.change(h)
			h.Key = next
			h.Reconstruct(historytest.OldOS, 2)
			h.Publish()
			expect(t, h.Dir, tt.ok, tt.code, tt.detail)
		})
	}
}

func TestWhatNoGateWrites(t *testing.T) {
	h := begin(t)
	h.Wild = true
	h.Append(historytest.Applied())
	h.Match()
	h.Stop()
	expect(t, h.Dir, false, verify.CodeTransition, "OpApplied")
	expect(t, h.Dir, false, verify.CodeStopped, "state after this record is not known")
	if rep, err := verify.Path(context.Background(), h.Dir, verify.Options{}); err != nil || !rep.OK {
		t.Errorf("without --deep nothing is wrong with it: %+v, %v", rep, err)
	}
}

func TestPayloadAndKinds(t *testing.T) {
	t.Run("malformed payload", func(t *testing.T) {
		h := begin(t)
		h.Wild = true
		e := h.Entry("OpApplied", true)
		e.Data = []byte(`{"v":1,"index":"one"}`)
		h.Write(e)
		h.Stop()
		expect(t, h.Dir, false, verify.CodePayload, "OpApplied")
		expect(t, h.Dir, false, verify.CodeStopped, "state after this record is not known")
	})
	t.Run("unknown kind", func(t *testing.T) {
		h := begin(t)
		h.Write(h.Entry("WeatherObserved", false))
		h.Publish()
		expect(t, h.Dir, true, journal.CodeUnknownKind, "WeatherObserved")
	})
	t.Run("unknown critical kind", func(t *testing.T) {
		h := begin(t)
		h.Wild = true
		h.Write(h.Entry("WeatherObserved", true))
		h.Stop()
		expect(t, h.Dir, false, verify.CodeStopped, "critical event WeatherObserved; verify it with the release that wrote it")
	})
	t.Run("newer data of a critical kind, and nonsense after it", func(t *testing.T) {
		h := begin(t)
		h.Wild = true
		e := h.Entry("OpApplied", true)
		e.Data = []byte(`{"v":2}`)
		h.Write(e)
		h.Write(h.Entry("EpochRotated", true))
		h.Stop()
		expect(t, h.Dir, false, verify.CodeStopped, "critical event OpApplied; verify it with the release that wrote it")
	})
	t.Run("time goes backwards", func(t *testing.T) {
		h := begin(t)
		h.At(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
		h.Match()
		h.Publish()
		expect(t, h.Dir, true, journal.CodeTimeBackwards, "")
	})
}

func TestSnapshots(t *testing.T) {
	t.Run("of another state", func(t *testing.T) {
		h := begin(t)
		h.Match()
		lie := h.State
		lie.Keys.Manifest = strings.Repeat("0", 64)
		h.Settle(lie)
		h.Publish()
		expect(t, h.Dir, false, verify.CodeSnapshot, "full replay")
	})
	t.Run("that is not the one which the chain vouches for", func(t *testing.T) {
		h := begin(t)
		h.Reconstruct(historytest.NewOS, 7)
		lie, lower := h.State, int64(3)
		lie.Keys.Manifest, lie.Serial = strings.Repeat("0", 64), &lower
		h.Forge(lie, h.State)
		h.Publish()
		expect(t, h.Dir, false, verify.CodeSnapshot, "full replay")
	})
	t.Run("that no reader takes", func(t *testing.T) {
		h := begin(t)
		h.Settle(machine.State{})
		h.Publish()
		expect(t, h.Dir, true, verify.CodeUnusable, "readers skip this snapshot")
	})
}

func TestProjections(t *testing.T) {
	edit := func(name, old, text string) func(*testing.T, *historytest.History) {
		return func(t *testing.T, h *historytest.History) {
			path := filepath.Join(h.Dir, name)
			data, err := os.ReadFile(path)
			historytest.Check(t, err)
			if !bytes.Contains(data, []byte(old)) {
				t.Fatalf("%s does not hold %q", name, old)
			}
			historytest.Check(t, os.WriteFile(path, bytes.ReplaceAll(data, []byte(old), []byte(text)), 0o600))
		}
	}
	from := func(name string) func(*testing.T, *historytest.History) {
		return func(t *testing.T, h *historytest.History) {
			other := begin(t)
			other.Reconstruct(historytest.NewOS, 3)
			other.Publish()
			data, err := os.ReadFile(filepath.Join(other.Dir, name))
			historytest.Check(t, err)
			historytest.Check(t, os.WriteFile(filepath.Join(h.Dir, name), data, 0o600))
		}
	}
	for _, tt := range []struct {
		name   string
		damage func(*testing.T, *historytest.History)
		code   string
		detail string
	}{
		{"fingerprint edited", edit("bootstrap/os_fingerprint.json", "bbbb", "cccc"), verify.CodeProjection, "reconstructs"},
		{"evidence edited", edit("epoch/current/evidence.json", "bbbb", "cccc"), verify.CodeProjection, "edited"},
		{"fingerprint missing", func(t *testing.T, h *historytest.History) {
			historytest.Check(t, os.Remove(filepath.Join(h.Dir, "bootstrap/os_fingerprint.json")))
		}, verify.CodeProjection, "missing"},
		{"fingerprint of another node", from("bootstrap/os_fingerprint.json"), verify.CodeReference, "names record"},
		{"evidence of another node", from("epoch/current/evidence.json"), verify.CodeReference, "names record"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := begin(t)
			h.Reconstruct(historytest.NewOS, 1)
			h.Publish()
			tt.damage(t, h)
			expect(t, h.Dir, false, tt.code, tt.detail)
		})
	}
}

// A journal rolled back with its head file is caught by the files it left.
func TestRolledBack(t *testing.T) {
	h := begin(t)
	h.Publish()
	old := filepath.Join(t.TempDir(), "old")
	historytest.Check(t, os.CopyFS(old, os.DirFS(h.Dir)))
	h.Match()
	h.Reconstruct(historytest.NewOS, 1)
	h.Publish()
	historytest.Check(t, os.RemoveAll(filepath.Join(old, "epoch")))
	historytest.Check(t, os.CopyFS(filepath.Join(old, "epoch"), os.DirFS(filepath.Join(h.Dir, "epoch"))))
	expect(t, old, false, verify.CodeReference, "not in this journal")
	newer, err := os.ReadFile(filepath.Join(h.Dir, "bootstrap/journal_head"))
	historytest.Check(t, err)
	historytest.Check(t, os.WriteFile(filepath.Join(old, "bootstrap/journal_head"), newer, 0o600))
	expect(t, old, false, journal.CodeHeadMismatch, "")
}

func TestJournalGone(t *testing.T) {
	h := begin(t)
	h.Publish()
	historytest.Check(t, os.RemoveAll(filepath.Join(h.Dir, "journal")))
	expect(t, h.Dir, false, verify.CodeMissing, "journal_head")
	historytest.Check(t, os.Remove(filepath.Join(h.Dir, "bootstrap/journal_head")))
	expect(t, h.Dir, false, verify.CodeMissing, "os_fingerprint.json")
	historytest.Check(t, os.Remove(filepath.Join(h.Dir, "bootstrap/os_fingerprint.json")))
	if _, err := verify.Path(context.Background(), h.Dir, verify.Options{Deep: true}); !errors.Is(err, errs.ErrNotFound) {
		t.Errorf("nothing was ever here: %v", err)
	}
}

func TestStorageDamage(t *testing.T) {
	h := begin(t)
	h.Settle(h.State)
	h.Publish()
	tables, err := filepath.Glob(filepath.Join(h.Dir, "journal", "*.sst"))
	historytest.Check(t, err)
	if len(tables) == 0 {
		t.Fatal("no table")
	}
	for _, name := range tables {
		data, err := os.ReadFile(name)
		historytest.Check(t, err)
		data[len(data)/4] ^= 1
		historytest.Check(t, os.WriteFile(name, data, 0o600))
	}
	expect(t, h.Dir, false, journal.CodeStorage, "")
}

func TestExports(t *testing.T) {
	h := begin(t)
	for range 5 {
		h.Match()
	}
	h.Publish()
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	var lines [][]byte
	for raw, err := range src.RawRecords(1, 6) {
		historytest.Check(t, err)
		lines = append(lines, bytes.Clone(raw.Raw))
	}
	historytest.Check(t, src.Close())
	file := func(lines ...[]byte) string {
		dir := filepath.Join(t.TempDir(), "x.jsonl")
		historytest.Export(t, dir, lines...)
		return dir
	}
	expect(t, file(lines...), true, "", "")
	expect(t, file(lines[2:]...), false, journal.CodeGap, "records 1 to 2")
	expect(t, file(lines[2:]...), false, verify.CodeStopped, "begins later")
	expect(t, file(lines[0], lines[1], lines[3]), false, journal.CodeGap, "")
	expect(t, file(lines[0], lines[1], []byte("{}"), lines[3]), false, journal.CodeNotCanonical, "")
	expect(t, file([]byte("{}")), false, journal.CodeNotCanonical, "")
	expect(t, file([]byte("{}"), lines[0]), false, journal.CodeNotCanonical, "")
	edited := bytes.Replace(lines[2], []byte(`"uptime_ms":1000`), []byte(`"uptime_ms":1001`), 1)
	expect(t, file(lines[0], lines[1], edited, lines[3]), false, journal.CodeBrokenLink, "")
}

func TestCannotBeDone(t *testing.T) {
	h := begin(t)
	h.Publish()
	if _, err := verify.Path(context.Background(), filepath.Join(h.Dir, "nothing"), verify.Options{}); !errors.Is(err, history.ErrAbsent) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := verify.Path(ctx, h.Dir, verify.Options{Deep: true}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestProgress(t *testing.T) {
	h := begin(t)
	h.Publish()
	stages := map[string]bool{}
	_, err := verify.Path(context.Background(), h.Dir, verify.Options{Deep: true, Progress: func(stage string, done, total uint64) {
		stages[stage] = true
		if total != 1 || done > total {
			t.Errorf("%s: %d of %d", stage, done, total)
		}
	}})
	historytest.Check(t, err)
	if !stages["verify"] {
		t.Errorf("stages %v", stages)
	}
}
