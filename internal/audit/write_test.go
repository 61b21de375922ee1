package audit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// install puts a checkpoint key into a state root.
func (s signer) install(t testing.TB, dir string) {
	t.Helper()
	historytest.Check(t, os.WriteFile(filepath.Join(dir, "identity/journal-sign.key"), []byte(s.private+"\n"), 0o600))
	historytest.Check(t, os.WriteFile(filepath.Join(dir, "identity/journal-sign.pub"), []byte(s.public+"\n"), 0o600))
}

// sealed makes a bundle as the command does.
func sealed(t testing.TB, path string) ([]byte, audit.Written) {
	t.Helper()
	src, err := history.Open(path)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	opt := audit.Options{Software: "edgectl test"}
	opt.Checkpoint, opt.Public, err = audit.Seal(context.Background(), src, func(string, uint64, uint64) {})
	historytest.Check(t, err)
	var out bytes.Buffer
	done, err := audit.Write(context.Background(), &out, src, opt)
	historytest.Check(t, err)
	return out.Bytes(), done
}

func TestWrite(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	key.install(t, h.Dir)
	data, done := sealed(t, h.Dir)
	if done.About.Events != 13 || done.About.Head != h.State.Hash || !done.About.Signed || len(done.Notes) > 0 {
		t.Errorf("%+v", done)
	}
	if again, _ := sealed(t, h.Dir); !bytes.Equal(data, again) {
		t.Error("the same history made other bytes")
	}
	b := takeApart(t, data)
	if b.names[0] != "bundle.json" || b.names[1] != "B3SUMS" || !slices.IsSorted(b.names[2:]) {
		t.Errorf("order: %q", b.names)
	}
	// No private key, nor a piece of one, in any file.
	seed := strings.SplitN(key.private, "+", 5)[4] // base64 may hold a plus itself
	for name, text := range b.files {
		if bytes.Contains(text, []byte("PRIVATE")) || bytes.Contains(text, []byte(seed)) || bytes.Contains(text, historytest.Key("manifest").Seed()) {
			t.Errorf("%s holds a private key", name)
		}
	}
	// Every epoch's evidence is as it was published.
	current, err := os.ReadFile(filepath.Join(h.Dir, projections.CurrentPath))
	historytest.Check(t, err)
	previous, err := os.ReadFile(filepath.Join(h.Dir, projections.PreviousPath))
	historytest.Check(t, err)
	if !bytes.Equal(b.files["epochs/2/evidence.json"], current) || !bytes.Equal(b.files["epochs/1/evidence.json"], previous) {
		t.Error("the evidence of an epoch is not the one that was published")
	}
	if !bytes.Equal(b.files["records.jsonl"], append(bytes.Join(read(t, h.Dir).lines(t), []byte("\n")), '\n')) {
		t.Error("the records are not the journal's")
	}
}

// A history that no gate can have written is bundled, with a note.
func TestWriteWhatCannotBeReplayed(t *testing.T) {
	h := begin(t)
	h.Wild = true
	h.Append(machine.UpdateAbandoned{V: 1, UpdateSeq: 3, Reason: "x"})
	h.Stop()
	newSigner(t).install(t, h.Dir)
	data, done := sealed(t, h.Dir)
	if len(done.Notes) != 1 || !strings.Contains(done.Notes[0], "the epochs after record 13") {
		t.Errorf("%q", done.Notes)
	}
	b := takeApart(t, data)
	if b.files["epochs/2/evidence.json"] == nil || !bytes.Contains(b.files["README.txt"], []byte("NOTE: the bundle does not hold the epochs after record 13")) {
		t.Errorf("%q", b.names)
	}
	if r := verdict(t, write(t, data), audit.VerifyOptions{}); r.OK || r.Verdict != audit.Inconsistent || !has(r, "transition") {
		t.Errorf("%+v", r)
	}
}

func TestUnsigned(t *testing.T) {
	h := begin(t)
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	if _, _, err := audit.Seal(context.Background(), src, nil); !errors.Is(err, audit.ErrNoKey) {
		t.Errorf("sealed without a key: %v", err)
	}
	var out bytes.Buffer
	done, err := audit.Write(context.Background(), &out, src, audit.Options{})
	historytest.Check(t, err)
	if len(done.Notes) != 1 || done.About.Signed {
		t.Errorf("%+v", done)
	}
	r := verdict(t, write(t, out.Bytes()), audit.VerifyOptions{})
	if !r.OK || r.Verdict != audit.Intact || r.Key != audit.KeyNone || !has(r, audit.CodeUnsigned) {
		t.Errorf("%+v", r)
	}
}

func TestSealRefuses(t *testing.T) {
	h := begin(t)
	key, other := newSigner(t), newSigner(t)
	at := func(dir string) error {
		src, err := history.Open(dir)
		historytest.Check(t, err)
		defer src.Close() //nolint:errcheck // read-only
		_, _, err = audit.Seal(context.Background(), src, func(string, uint64, uint64) {})
		return err
	}
	if err := at(filepath.Join(h.Dir, "journal")); !errors.Is(err, audit.ErrNoKey) {
		t.Errorf("a bare journal: %v", err)
	}
	for name, s := range map[string]signer{"another public half": {key.private, other.public}, "no public half": {key.private, "x"}, "no private half": {"x", key.public}} {
		s.install(t, h.Dir)
		if err := at(h.Dir); err == nil {
			t.Errorf("%s: sealed", name)
		}
	}
}

func TestWriteFails(t *testing.T) {
	h := begin(t)
	later := filepath.Join(t.TempDir(), "later.jsonl")
	lines := read(t, h.Dir).lines(t)
	historytest.Export(t, later, lines[4:]...)
	src, err := history.Open(later)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	if _, err := audit.Write(context.Background(), io.Discard, src, audit.Options{}); err == nil || !strings.Contains(err.Error(), "begins at record 5") {
		t.Errorf("a part of a history: %v", err)
	}
	whole, err := history.Open(h.Dir)
	historytest.Check(t, err)
	defer whole.Close() //nolint:errcheck // read-only
	full := errors.New("full")
	if _, err := audit.Write(context.Background(), fails{full}, whole, audit.Options{}); !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
	if _, err := audit.Write(context.Background(), io.Discard, whole, audit.Options{Checkpoint: []byte("x"), Public: "x"}); !errors.Is(err, transparency.ErrKey) {
		t.Errorf("no key: %v", err)
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "absent"))
	if _, err := audit.Write(context.Background(), io.Discard, whole, audit.Options{}); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("nowhere to gather: %v", err)
	}
}

type fails struct{ err error }

func (f fails) Write([]byte) (int, error) { return 0, f.err }

// No bundle that looks whole is written of records that cannot be read.
func TestWriteDamaged(t *testing.T) {
	h := begin(t)
	path := filepath.Join(t.TempDir(), "damaged.jsonl")
	lines := read(t, h.Dir).lines(t)
	lines[6] = bytes.Repeat([]byte("x"), record.MaxLen+300<<10)
	historytest.Export(t, path, lines...)
	src, err := history.Open(path)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	if _, err := audit.Write(context.Background(), io.Discard, src, audit.Options{}); !errors.Is(err, errs.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}
