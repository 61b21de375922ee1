package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/salvage"
	"github.com/autonomyops/edged/journal"
)

// salvaged removes the newest records of a history, and salvages it.
func salvaged(t *testing.T, h *historytest.History, keep int) {
	t.Helper()
	lines := read(t, h.Dir).lines(t)
	historytest.Check(t, os.RemoveAll(filepath.Join(h.Dir, "journal")))
	historytest.Check(t, os.Rename(filepath.Join(h.Dir, "bootstrap/journal_head"), filepath.Join(h.Dir, "head")))
	s := read(t, exported(t, lines))
	for i, e := range s.entries[:keep] {
		if i > 0 {
			h.Write(e)
			continue
		}
		w, _, err := journal.Create(h.FS, journal.DefaultLayout(), e, journal.CreateOptions{ID: uuid.MustParse(s.id)})
		historytest.Check(t, err)
		historytest.Check(t, w.Close())
		h.Wild = true
	}
	h.Stop()
	historytest.Check(t, os.Rename(filepath.Join(h.Dir, "head"), filepath.Join(h.Dir, "bootstrap/journal_head")))
	_, err := salvage.Install(h.FS, salvage.Request{By: "test", Reason: "rolled back", Node: historytest.Node, Run: uuid.NewString(), BootID: uuid.NewString(),
		Now: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(len(lines)) * time.Hour), NewID: uuid.NewV7})
	historytest.Check(t, err)
}

func exported(t *testing.T, lines [][]byte) string {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	historytest.Export(t, path, lines...)
	return path
}

// A salvage is reported with its loss, and compared with what was seen before.
func TestSalvaged(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	key.install(t, h.Dir)
	lines := read(t, h.Dir).lines(t)
	seen := func(n int) (checkpoint, bundle string) {
		data := key.bundle(t, exported(t, lines[:n]))
		checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		historytest.Check(t, os.WriteFile(checkpoint, takeApart(t, data).files["checkpoint"], 0o600))
		return checkpoint, write(t, data)
	}
	salvaged(t, h, 10)
	data, done := sealed(t, h.Dir)
	if len(done.Notes) > 0 {
		t.Errorf("notes: %q", done.Notes)
	}
	b := takeApart(t, data)
	if b.files["predecessor.jsonl"] == nil || b.files["epochs/1/evidence.json"] == nil {
		t.Fatalf("%q", b.names)
	}
	path := write(t, data)
	r := verdict(t, path, audit.VerifyOptions{Key: key.public})
	if !r.OK || r.Verdict != audit.Salvaged || !has(r, audit.CodeSalvaged) {
		t.Errorf("%+v", r)
	}
	for _, tt := range []struct {
		seen int
		want audit.Verdict
		at   uint64
	}{{8, audit.Salvaged, 0}, {10, audit.Salvaged, 0}, {12, audit.Truncated, 11}} {
		checkpoint, bundle := seen(tt.seen)
		for _, since := range []string{checkpoint, bundle} {
			r := verdict(t, path, audit.VerifyOptions{Key: key.public, Since: since})
			if r.Verdict != tt.want || r.OK != (tt.want == audit.Salvaged) || (tt.at > 0) != (r.First != nil) || tt.at > 0 && r.First.Seq != tt.at {
				t.Errorf("%d records were seen: %+v", tt.seen, r)
			}
		}
	}
	if r := verdict(t, h.Dir, audit.VerifyOptions{}); !r.OK || r.Verdict != audit.Salvaged {
		t.Errorf("the state root: %+v", r)
	}
	if r := verdict(t, path, audit.VerifyOptions{Key: key.public, Since: path}); !r.OK || r.Verdict != audit.Intact {
		t.Errorf("since itself: %+v", r)
	}

	t.Run("what was kept is altered", func(t *testing.T) {
		b := takeApart(t, data)
		s := read(t, exported(t, lines[:10]))
		s.entries[4].UptimeMS++
		b.files["predecessor.jsonl"] = []byte(strings.Join(texts(s.lines(t)), "\n") + "\n")
		if r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public}); r.OK || !has(r, audit.CodePredecessor) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("what was kept is left out", func(t *testing.T) {
		b := takeApart(t, data)
		b.remove("predecessor.jsonl")
		for _, name := range []string{"evidence.json", "manifest.json", "manifest.json.sig"} {
			b.remove("epochs/1/" + name)
		}
		path := write(t, b.pack(t))
		if r := verdict(t, path, audit.VerifyOptions{Key: key.public}); !r.OK || !has(r, audit.CodePredecessorAbsent) || r.Verdict != audit.Salvaged {
			t.Errorf("%+v", r)
		}
		checkpoint, _ := seen(8)
		whole := write(t, data) // seen after the salvage, with what was kept
		for _, since := range []string{checkpoint, whole} {
			if r := verdict(t, path, audit.VerifyOptions{Key: key.public, Since: since}); r.OK || r.Verdict != audit.Truncated {
				t.Errorf("%+v", r)
			}
		}
	})
	t.Run("no longer in the state root", func(t *testing.T) {
		kept, err := filepath.Glob(filepath.Join(h.Dir, "journal.salvage-*"))
		if err != nil || len(kept) != 1 {
			t.Fatal(kept, err)
		}
		historytest.Check(t, os.RemoveAll(kept[0]))
		if _, done := sealed(t, h.Dir); len(done.Notes) != 1 || !strings.Contains(done.Notes[0], "kept of it are missing") {
			t.Errorf("%q", done.Notes)
		}
	})
}

// The bundle of a journal that was salvaged twice holds both predecessors.
func TestSalvagedTwice(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	key.install(t, h.Dir)
	salvaged(t, h, 9)
	h.Wild = true
	appendDrills(t, h, 3)
	salvaged(t, h, 3)
	data, done := sealed(t, h.Dir)
	b := takeApart(t, data)
	if len(done.Notes) > 0 || b.files["predecessor.jsonl"] == nil || b.files["predecessor.2.jsonl"] == nil {
		t.Errorf("%q, %q", b.names, done.Notes)
	}
	if r := verdict(t, write(t, data), audit.VerifyOptions{Key: key.public}); !r.OK || r.Verdict != audit.Salvaged {
		t.Errorf("%+v", r)
	}
}

func appendDrills(t *testing.T, h *historytest.History, n int) {
	t.Helper()
	for range n {
		e := h.Entry("NoSuchKind", false)
		e.Epoch = 2
		h.Write(e)
	}
	h.Stop()
}

func texts(lines [][]byte) []string {
	var out []string
	for _, line := range lines {
		out = append(out, string(line))
	}
	return out
}
