package replay_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
	"github.com/autonomyops/edged/replay"
)

// stood is the files on a node after a publication.
type stood map[string]string

func look(t *testing.T, dir string) stood {
	t.Helper()
	found := stood{}
	for _, name := range []string{projections.FingerprintPath, projections.CurrentPath, projections.PreviousPath} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			found[name] = string(data)
		} else if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return found
}

func files(t testing.TB, src replay.History, at uint64) stood {
	t.Helper()
	s, _, err := replay.State(src, at)
	historytest.Check(t, err)
	found := stood{}
	for f, err := range replay.Files(src, s) {
		historytest.Check(t, err)
		if _, twice := found[f.Path]; twice || len(f.Data) == 0 {
			t.Errorf("record %d: %s twice, or empty", at, f.Path)
		}
		found[f.Path] = string(f.Data)
	}
	return found
}

// retried is a reconstruction under a manifest of three operations that is interrupted
// and fails, verifies another manifest in between, and returns to the first.
func retried(h *historytest.History, hash string, serial int64) {
	ops := func(serial int64, n int) machine.ManifestVerified {
		m := h.Manifest(serial)
		m.Operations = n
		return m
	}
	apply := func(i int, text string) {
		op := historytest.Applied()
		op.Index, op.Dst, op.BLAKE3 = i, fmt.Sprintf("runtime/%d", i), historytest.Hash([]byte(text))
		h.Append(op)
	}
	h.Detect(hash)
	h.Append(ops(serial, 3))
	apply(0, "kept")
	apply(1, "old")
	h.NextBoot() // after a power cut
	h.Append(h.Capture(machine.RoleDiffers, hash))
	h.Append(ops(serial, 3))
	apply(1, "again") // its file was removed
	h.Append(machine.PrecheckFailed{V: 1, ExitCode: 5, Stage: "operation", Reason: "disk", Attempt: 1})
	h.NextBoot()
	h.Append(h.Capture(machine.RoleDiffers, hash))
	h.Append(machine.UpdateDetected{V: 1, Cause: machine.CauseOSChanged, Causes: []machine.Cause{machine.CauseOSChanged},
		PreviousHash: h.State.Baseline.CompositeHash, CurrentHash: hash, Changed: []string{"uname_release"}, Attempt: 2})
	h.Append(ops(serial, 3))
	apply(2, "last")
	h.Append(h.Rotated())
}

// wide is a reconstruction of more operations than are read at once.
func wide(h *historytest.History, hash string, serial int64) {
	h.Detect(hash)
	m := h.Manifest(serial)
	m.Operations = machine.MaxOperations
	h.Append(m)
	for i := range m.Operations {
		op := historytest.Applied()
		op.Index, op.Dst = i, fmt.Sprintf("runtime/%d", i)
		h.Append(op)
	}
	h.Append(h.Rotated())
}

// long is a history with several epochs, and the files after each publication.
func long(t *testing.T) (*historytest.History, map[uint64]stood) {
	t.Helper()
	h := historytest.New(t, t.TempDir())
	seen := map[uint64]stood{}
	publish := func() {
		h.Publish()
		seen[h.State.Seq] = look(t, h.Dir)
	}
	h.First()
	publish()
	for range 66 {
		h.Match()
	}
	publish()
	h.Reconstruct(historytest.NewOS, 1)
	publish()
	h.Match()
	publish()
	retried(h, historytest.OldOS, 2)
	publish()
	for range 70 {
		h.Match()
	}
	h.Settle(h.State)
	publish()
	h.Reconstruct(historytest.NewOS, 3)
	publish()
	h.Reconstruct(historytest.OldOS, 4)
	publish()
	wide(h, historytest.NewOS, 5)
	publish()
	h.Detect(historytest.OldOS)
	publish() // a publication while a reconstruction is open changes nothing
	return h, seen
}

// Files yields the files that were on the node, and of epochs the same as folding the whole history.
func TestFiles(t *testing.T) {
	h, seen := long(t)
	tip := h.State.Seq
	h.Close()
	jsonl := filepath.Join(t.TempDir(), "h.jsonl")
	export(t, h.Dir, jsonl)
	folded := stood{}
	for _, path := range []string{h.Dir, jsonl} {
		src, err := history.Open(path)
		historytest.Check(t, err)
		for seq := uint64(1); seq <= tip; seq++ {
			if path == jsonl && seq%9 != 0 && seq != tip { // without snapshots each one folds all
				continue
			}
			s, _, err := replay.State(src, seq)
			historytest.Check(t, err)
			if c := s.Current; c != nil && c.Meta.Seq == seq {
				epochFiles(t, src, folded, *c)
			}
			got := files(t, src, seq)
			for name, want := range folded {
				if got[name] != want && path == h.Dir {
					t.Errorf("record %d: %s is\n%s, folding gives\n%s", seq, name, got[name], want)
				}
			}
			top := stood{}
			for name, data := range got {
				if !strings.HasPrefix(name, "epochs/") {
					top[name] = data
				} else if folded[name] != data {
					t.Errorf("record %d: %s is of no epoch so far", seq, name)
				}
			}
			if want, ok := seen[seq]; ok && fmt.Sprint(top) != fmt.Sprint(want) {
				t.Errorf("record %d: %s\nstood were %s", seq, top, want)
			}
		}
		historytest.Check(t, src.Close())
	}
	if len(seen) < 8 {
		t.Errorf("only %d publications", len(seen))
	}
}

// epochFiles adds the files of an epoch of a whole fold.
func epochFiles(t *testing.T, src replay.History, into stood, c machine.EpochRecord) {
	t.Helper()
	data, err := projections.Evidence(c)
	historytest.Check(t, err)
	rec, err := src.Record(c.Manifest.Seq)
	historytest.Check(t, err)
	e, err := replay.Event(rec)
	historytest.Check(t, err)
	m := e.Payload.(machine.ManifestVerified)
	dir := fmt.Sprintf("epochs/%d/", c.Rotated.BootEpoch)
	into[dir+"evidence.json"], into[dir+"manifest.json"], into[dir+"manifest.json.sig"] = string(data), string(m.Manifest), string(m.Signature)
}

func export(t testing.TB, dir, to string) {
	t.Helper()
	src, err := history.Open(dir)
	historytest.Check(t, err)
	var lines [][]byte
	for raw, err := range src.RawRecords(1, src.Tip().Seq) {
		historytest.Check(t, err)
		lines = append(lines, bytes.Clone(raw.Raw))
	}
	historytest.Check(t, src.Close())
	historytest.Export(t, to, lines...)
}

// Adopted files are yielded as they were found, until the gate has written its own.
func TestFilesOfAdoptedState(t *testing.T) {
	for epoch, want := range map[uint64]bool{0: false, 3: true} {
		h := historytest.New(t, t.TempDir())
		file := fmt.Sprintf(`{"composite_hash":%q,"os_release":"ID=a\n","uname_release":"6","boot_epoch":%d,"captured_at":"2026-01-01T00:00:00Z"}`, historytest.OldOS, epoch)
		// This boot failed before the adoption.
		h.Append(machine.PrecheckFailed{V: 1, ExitCode: 3, Stage: "certificate", Reason: "expired"})
		h.NextBoot()
		h.State.Epoch = epoch // the envelope of an adoption carries the adopted epoch
		rec := h.Entry(string(machine.KindLegacyStateAdopted), true)
		data, err := machine.Encode(machine.LegacyStateAdopted{V: 1, BootEpoch: epoch, CompositeHash: historytest.OldOS, File: []byte(file), Evidence: []byte("{}")})
		historytest.Check(t, err)
		rec.Data = data
		h.State.Epoch = 0
		seq := h.Write(rec).Seq
		h.Append(h.Capture(machine.RoleMatch, historytest.OldOS))
		var later uint64
		if epoch == 0 {
			h.Detect(historytest.NewOS)
			later = h.State.Seq
		}
		h.Close()
		src, err := history.Open(h.Dir)
		historytest.Check(t, err)
		got := files(t, src, seq)
		if (got[projections.FingerprintPath] == file) != want || got[projections.CurrentPath] != "{}" || got[fmt.Sprintf("epochs/%d/evidence.json", epoch)] != "{}" {
			t.Errorf("epoch %d: %s", epoch, got)
		}
		if later != 0 && files(t, src, later)[projections.FingerprintPath] != got[projections.FingerprintPath] {
			t.Errorf("the file that replaced the adopted one is gone while an update is open")
		}
		if at, err := replay.AtEpoch(epoch).Find(src); err != nil || at.Seq != seq {
			t.Errorf("epoch %d began with record %d, %v", epoch, at.Seq, err)
		}
		if len(files(t, src, 1)) != 0 {
			t.Error("there was no baseline at record 1")
		}
		historytest.Check(t, src.Close())
	}
}
