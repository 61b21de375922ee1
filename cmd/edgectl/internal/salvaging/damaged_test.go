package salvaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/history/historytest"
)

// Damage that no boot reads yet may be salvaged before the boot whose
// settling meets it; a whole journal may not.
func TestSalvageDamage(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.First()
	for range 40 {
		h.Match()
	}
	h.Settle(h.State)
	h.Match()
	h.Publish()
	h.Close()
	host := gate.LinuxHost()
	if err := Damaged(t.Context(), h.Dir, host); err == nil || !strings.Contains(err.Error(), "the journal is whole") {
		t.Fatalf("whole: %v", err)
	}
	table := historytest.Largest(t, filepath.Join(h.Dir, "journal", "*.sst"))
	good, err := os.ReadFile(table)
	historytest.Check(t, err)
	bad := append([]byte(nil), good...)
	bad[len(bad)/20] ^= 1
	historytest.Check(t, os.WriteFile(table, bad, 0o600))
	if err := Damaged(t.Context(), h.Dir, host); err != nil {
		t.Errorf("an old record is damaged: %v", err)
	}
	historytest.Check(t, os.WriteFile(table, good, 0o600))
	if err := Damaged(t.Context(), h.Dir, host); err == nil {
		t.Error("repaired, and it may still be salvaged")
	}
}
