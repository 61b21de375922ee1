package audit_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// forgery holds the entries of a history without the chain, to be rewritten.
type forgery struct {
	id      string
	entries []record.Entry
}

func read(t testing.TB, path string) forgery {
	t.Helper()
	src, err := history.Open(path)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	s := forgery{id: src.ID()}
	for r, err := range src.Records(1, src.Tip().Seq) {
		historytest.Check(t, err)
		s.entries = append(s.entries, record.Entry{ID: uuid.MustParse(r.ID), Type: r.Type, Crit: r.Crit, Time: r.Time, BootID: r.BootID,
			UptimeMS: r.UptimeMS, Run: r.Run, Node: r.Node, Epoch: r.Epoch, Data: bytes.Clone(r.Data)})
	}
	return s
}

// lines chains the entries again, so that every hash and link is right.
func (s forgery) lines(t testing.TB) [][]byte {
	t.Helper()
	var lines [][]byte
	var prev record.Hash
	for i, e := range s.entries {
		raw, err := record.Encode(s.id, uint64(i+1), prev, e)
		historytest.Check(t, err)
		prev = record.HashOf(raw)
		lines = append(lines, raw)
	}
	return lines
}

// swap replaces a text in an entry's data, which must contain it.
func (s forgery) swap(t testing.TB, seq int, old, new string) {
	t.Helper()
	data := bytes.ReplaceAll(s.entries[seq-1].Data, []byte(old), []byte(new))
	if bytes.Equal(data, s.entries[seq-1].Data) {
		t.Fatalf("record %d holds no %q: %s", seq, old, data)
	}
	s.entries[seq-1].Data = data
}

// put replaces the payload of an entry.
func (s forgery) put(t testing.TB, seq int, p machine.Payload) {
	t.Helper()
	data, err := machine.Encode(p)
	historytest.Check(t, err)
	s.entries[seq-1].Type, s.entries[seq-1].Crit, s.entries[seq-1].Data = string(p.Kind()), machine.Critical(p.Kind()), data
}

// forged returns a bundle, signed with the node's own key, of a state root that
// holds only these lines and the records that a forged salvage kept, if any.
func (s signer) forged(t testing.TB, lines, kept [][]byte) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "forged.jsonl")
	historytest.Export(t, path, lines...)
	data := s.bundle(t, path)
	if kept != nil {
		b := takeApart(t, data)
		before := filepath.Join(dir, "before.jsonl")
		historytest.Export(t, before, kept...)
		for name, text := range takeApart(t, s.bundle(t, before)).files {
			if strings.HasPrefix(name, "epochs/") || strings.HasPrefix(name, "keys/manifest-") {
				b.set(name, text)
			}
		}
		var text []byte
		for _, line := range kept {
			text = append(append(text, line...), '\n')
		}
		b.set("predecessor.jsonl", text)
		data = b.pack(t)
	}
	out := filepath.Join(dir, "forged.tar.zst")
	historytest.Check(t, os.WriteFile(out, data, 0o600))
	return out
}

// verdict returns the report on path, and fails the test if there is none.
func verdict(t testing.TB, path string, opt audit.VerifyOptions) audit.Report {
	t.Helper()
	rep, err := audit.Verify(context.Background(), path, opt)
	historytest.Check(t, err)
	return rep
}

// has reports whether a report has a finding of this code.
func has(r audit.Report, code string) bool {
	for _, f := range r.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}
