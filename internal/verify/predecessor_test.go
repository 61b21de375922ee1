package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/machine"
)

// A salvage with a lower floor than the records it kept is found in the state
// root, if those records are there.
func TestFloorsBeside(t *testing.T) {
	before := begin(t)
	before.Match()
	before.Reconstruct(historytest.NewOS, 3)
	before.Close()
	src, err := history.Open(before.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	var lines [][]byte
	for rec, err := range src.Records(1, src.Tip().Seq) {
		historytest.Check(t, err)
		lines = append(lines, []byte(string(rec.Raw)))
	}
	honest := machine.JournalSalvaged{V: 1, Predecessor: src.ID(), Size: src.Tip().Seq, LastHash: src.Tip().Hash.String(), Lost: "nothing", HeadSeq: src.Tip().Seq,
		Epoch: 1, Serial: before.State.Serial, TimeFloor: before.State.TimeFloor(""), ManifestKey: before.State.Keys.Newest(), By: "op", Reason: "bit rot"}
	const file = "journal.salvage-1/predecessor.jsonl"
	for name, tt := range map[string]struct {
		salvage func(p *machine.JournalSalvaged)
		kept    func(t *testing.T, path string)
		ok      bool
		code    string
		detail  string
	}{
		"honest":       {nil, nil, true, "", ""},
		"epoch":        {func(p *machine.JournalSalvaged) { p.Epoch = 0 }, nil, false, verify.CodePredecessor, "carries epoch 0, but the records kept of journal " + src.ID() + " lead to 1"},
		"serial":       {func(p *machine.JournalSalvaged) { p.Serial = nil }, nil, false, verify.CodePredecessor, "serial none"},
		"manifest key": {func(p *machine.JournalSalvaged) { p.ManifestKey = historytest.OldOS }, nil, false, verify.CodePredecessor, "manifest key"},
		"absent":       {nil, func(t *testing.T, path string) { historytest.Check(t, os.Remove(path)) }, true, verify.CodePredecessorAbsent, "kept of it are missing"},
		"altered": {nil, func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			historytest.Check(t, err)
			historytest.Check(t, os.WriteFile(path, []byte(strings.Replace(string(data), `"uptime_ms":`, `"uptime_ms":1`, 1)), 0o600))
		}, false, verify.CodePredecessor, "cannot be compared with the records kept"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := honest
			if tt.salvage != nil {
				tt.salvage(&p)
			}
			h := historytest.New(t, t.TempDir())
			h.Wild = true
			h.Begin(p, p.Epoch)
			h.Close()
			path := filepath.Join(h.Dir, file)
			historytest.Check(t, os.Mkdir(filepath.Dir(path), 0o700))
			historytest.Export(t, path, lines...)
			if tt.kept != nil {
				tt.kept(t, path)
			}
			expect(t, h.Dir, tt.ok, tt.code, tt.detail)
		})
	}
}
