package verify_test

import (
	"reflect"
	"testing"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/verify"
)

// A fold that is interrupted after any record, and resumed, finds the same as one that
// is not.
func TestFoldResumes(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.First()
	h.Match()
	h.Reconstruct(historytest.NewOS, 1)
	h.Match()
	h.Reconstruct(historytest.OldOS, 2)
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	whole, parts := verify.NewFold(src.ID()), verify.NewFold(src.ID())
	for rec, err := range src.Records(1, src.Tip().Seq) {
		historytest.Check(t, err)
		if !whole.Add(rec) || !parts.Add(rec) {
			t.Fatalf("record %d: %v, %v", rec.Seq, whole.Findings, parts.Findings)
		}
		p, err := parts.Progress()
		historytest.Check(t, err)
		findings := parts.Findings
		parts, err = verify.Resume(src.ID(), p)
		historytest.Check(t, err)
		parts.Findings = findings
		if !reflect.DeepEqual(whole.State(), parts.State()) {
			t.Fatalf("record %d: state %+v, want %+v", rec.Seq, parts.State(), whole.State())
		}
	}
	if !reflect.DeepEqual(whole.Findings, parts.Findings) {
		t.Errorf("findings %v, want %v", parts.Findings, whole.Findings)
	}
}
