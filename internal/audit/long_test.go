package audit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
)

// long returns the path of an export with more records than are read between two
// checks for an interruption.
func long(t *testing.T, h *historytest.History) string {
	t.Helper()
	s := read(t, h.Dir)
	for range 2200 {
		e := h.Entry("NoSuchKind", false)
		e.ID = uuid.Must(uuid.NewV7())
		s.entries = append(s.entries, e)
	}
	path := filepath.Join(t.TempDir(), "long.jsonl")
	historytest.Export(t, path, s.lines(t)...)
	return path
}

// Ctrl-C ends each stage of writing and of verifying a bundle.
func TestInterrupted(t *testing.T) {
	path := long(t, begin(t))
	key := newSigner(t)
	bundle := write(t, key.bundle(t, path))
	open := func() *history.Source {
		src, err := history.Open(path)
		historytest.Check(t, err)
		t.Cleanup(func() { _ = src.Close() })
		return src
	}
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	historytest.Check(t, os.WriteFile(checkpoint, key.checkpoint(t, open(), 1200), 0o600))
	for stage, work := range map[string]func(context.Context, func(string, uint64, uint64)) error{
		"replay": func(ctx context.Context, p func(string, uint64, uint64)) error {
			_, err := audit.Write(ctx, io.Discard, open(), audit.Options{Progress: p})
			return err
		},
		"bundle": func(ctx context.Context, p func(string, uint64, uint64)) error {
			_, err := audit.Write(ctx, io.Discard, open(), audit.Options{Progress: p})
			return err
		},
		"verify":  judge(bundle, audit.VerifyOptions{Since: path}),
		"epochs":  judge(bundle, audit.VerifyOptions{Since: path}),
		"keys":    judge(bundle, audit.VerifyOptions{Since: path}),
		"compare": judge(bundle, audit.VerifyOptions{Since: path}),
	} {
		t.Run(stage, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			err := work(ctx, func(at string, _, _ uint64) {
				if at == stage {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
	if r := verdict(t, bundle, audit.VerifyOptions{Since: checkpoint, Key: key.public}); !r.OK || r.Verdict != audit.Extended {
		t.Errorf("%+v", r)
	}
}

func judge(path string, opt audit.VerifyOptions) func(context.Context, func(string, uint64, uint64)) error {
	return func(ctx context.Context, p func(string, uint64, uint64)) error {
		opt.Progress = p
		_, err := audit.Verify(ctx, path, opt)
		return err
	}
}

// A disk that is full at any point is reported, and so is a closed pipe.
func TestEveryWriteFails(t *testing.T) {
	h := begin(t)
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	var whole bytes.Buffer
	_, err = audit.Write(context.Background(), &whole, src, audit.Options{})
	historytest.Check(t, err)
	for room := 0; room < whole.Len(); room += 97 {
		if _, err := audit.Write(context.Background(), &small{room}, src, audit.Options{}); !errors.Is(err, errFull) {
			t.Fatalf("room for %d bytes of %d: %v", room, whole.Len(), err)
		}
	}
}

var errFull = errors.New("full")

type small struct{ room int }

func (s *small) Write(p []byte) (int, error) {
	if s.room -= len(p); s.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// A wrong clock does not lead to a time that an archive cannot hold.
func TestClockBeyondTheArchive(t *testing.T) {
	for _, at := range []time.Time{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1903, 1, 1, 0, 0, 0, 0, time.UTC)} {
		h := begin(t)
		s := read(t, h.Dir)
		s.entries[len(s.entries)-1].Time = at
		path := filepath.Join(t.TempDir(), "x.jsonl")
		historytest.Export(t, path, s.lines(t)...)
		if r := verdict(t, write(t, newSigner(t).bundle(t, path)), audit.VerifyOptions{}); !r.OK {
			t.Errorf("%s: %+v", at, r)
		}
	}
}

// A list of hashes that cannot be read, or is not sorted, is reported.
func TestListOfHashes(t *testing.T) {
	h := begin(t)
	whole := newSigner(t).bundle(t, h.Dir)
	for name, alter := range map[string]func(list []byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"no hashes": func([]byte) []byte { return []byte("hello\n") },
		"reversed":  func(l []byte) []byte { return bytes.Join(reversed(bytes.SplitAfter(l, []byte("\n"))), nil) },
		"one more": func(l []byte) []byte {
			return append(l, "0000000000000000000000000000000000000000000000000000000000000000  zzz\n"...)
		},
		"upper case":  bytes.ToUpper,
		"bundle.json": func(l []byte) []byte { return bytes.Replace(l, []byte("  bundle.json"), []byte("  bundle.jsom"), 1) },
	} {
		b := takeApart(t, whole)
		b.files["B3SUMS"], b.plain = alter(bytes.Clone(b.files["B3SUMS"])), true
		if r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{}); r.OK || r.Verdict != audit.Inconsistent {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func reversed(lines [][]byte) [][]byte {
	var out [][]byte
	for i := len(lines) - 1; i >= 0; i-- {
		out = append(out, lines[i])
	}
	return out
}

// A forged predecessor is compared with the salvage.
func TestPredecessorOfAnother(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	key.install(t, h.Dir)
	lines := read(t, h.Dir).lines(t)
	other := read(t, begin(t).Dir)
	salvaged(t, h, 10)
	data, _ := sealed(t, h.Dir)
	for name, kept := range map[string][][]byte{
		"of another journal": other.lines(t)[:10], "shorter": lines[:9], "longer": lines[:11], "begun later": lines[2:10],
	} {
		b := takeApart(t, data)
		b.files["predecessor.jsonl"] = append(bytes.Join(kept, []byte("\n")), '\n')
		if r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public}); r.OK || !has(r, audit.CodePredecessor) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	b := takeApart(t, data)
	broken := bytes.Replace(bytes.Join(lines[:10], []byte("\n")), []byte(`"uptime_ms":1000`), []byte(`"uptime_ms":1001`), 1)
	b.files["predecessor.jsonl"] = append(broken, '\n')
	if r := verdict(t, write(t, b.pack(t)), audit.VerifyOptions{Key: key.public}); r.OK || !has(r, audit.CodePredecessor) {
		t.Errorf("broken: %+v", r)
	}
}
