package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/evidence/evidencetest"
)

// Damage that no boot reads yet may be salvaged before the boot whose
// settling meets it; a whole journal may not.
func TestSalvageDamage(t *testing.T) {
	h := evidencetest.New(t, t.TempDir())
	h.First()
	for range 40 {
		h.Match()
	}
	h.Settle(h.State)
	h.Match()
	h.Publish()
	h.Close()
	e := &env{getenv: func(string) string { return "" }}
	if err := e.damaged(t.Context(), h.Dir); err == nil || !strings.Contains(err.Error(), "the journal is whole") {
		t.Fatalf("whole: %v", err)
	}
	table := largest(t, filepath.Join(h.Dir, "journal", "*.sst"))
	good, err := os.ReadFile(table)
	evidencetest.Check(t, err)
	bad := append([]byte(nil), good...)
	bad[len(bad)/20] ^= 1
	evidencetest.Check(t, os.WriteFile(table, bad, 0o600))
	if err := e.damaged(t.Context(), h.Dir); err != nil {
		t.Errorf("an old record is damaged: %v", err)
	}
	evidencetest.Check(t, os.WriteFile(table, good, 0o600))
	if err := e.damaged(t.Context(), h.Dir); err == nil {
		t.Error("mended, and it may still be salvaged")
	}
}

// largest is the largest of the files.
func largest(t *testing.T, pattern string) (name string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	evidencetest.Check(t, err)
	size := int64(0)
	for _, n := range names {
		info, err := os.Stat(n)
		evidencetest.Check(t, err)
		if info.Size() > size {
			name, size = n, info.Size()
		}
	}
	return name
}
