package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
)

// errSeen ends a follower in a test.
var errSeen = errors.New("seen enough")

// steps does one thing before each look of a follower; after the last one, the
// looks end.
func steps(all ...func()) func(context.Context) error {
	return func(context.Context) error {
		if len(all) == 0 {
			return errSeen
		}
		all[0]()
		all = all[1:]
		return nil
	}
}

func TestFollow(t *testing.T) {
	h := newHistory(t)
	other := historytest.New(t, t.TempDir())
	other.First()
	other.Publish()
	journalDir, away := filepath.Join(h.Dir, "journal"), filepath.Join(h.Dir, "away")
	swap := func(from, to string) func() {
		return func() { historytest.Check(t, os.Rename(from, to)) }
	}
	var before map[string]string
	var shown []string
	var stderr bytes.Buffer
	e := &env{stderr: &stderr}
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	at := positionOf(src)
	historytest.Check(t, src.Close())
	err = e.follow(t.Context(), h.Dir, at, steps(
		func() {}, // nothing happened
		func() { before = historytest.Tree(t, h.Dir) },
		func() { historytest.SameTree(t, h.Dir, before); h.Match() }, // not at rest: its record is in a log
		func() { before = historytest.Tree(t, h.Dir) },
		func() { historytest.SameTree(t, h.Dir, before); h.Match(); h.Stop() },
		func() { h.Match(); h.Match(); h.Stop() },
		swap(journalDir, away),
		func() {}, // still gone: said once
		func() {
			historytest.Check(t, os.CopyFS(journalDir, os.DirFS(filepath.Join(other.Dir, "journal"))))
			head, err := os.ReadFile(filepath.Join(other.Dir, "bootstrap/journal_head"))
			historytest.Check(t, err)
			historytest.Check(t, os.WriteFile(filepath.Join(h.Dir, "bootstrap/journal_head"), head, 0o600))
		},
	), func(src *history.Source, from uint64) error {
		shown = append(shown, fmt.Sprintf("%d-%d", from, src.Tip().Seq))
		return nil
	})
	if got := strings.Join(shown, " "); !errors.Is(err, errSeen) || got != "9-9 10-10 11-12 1-1" {
		t.Errorf("shown %s, %v", got, err)
	}
	if said := stderr.String(); strings.Count(said, "waiting: ") != 1 || strings.Count(said, "is gone; here is") != 1 {
		t.Errorf("said %q", said)
	}
}

func TestFollowEnds(t *testing.T) {
	h := newHistory(t)
	file := filepath.Join(t.TempDir(), "h.jsonl")
	if code, _, errs := call(nil, "journal", "export", "--out", file, "--state-root", h.Dir); code != 0 {
		t.Fatal(errs)
	}
	e := &env{stderr: &bytes.Buffer{}}
	whole, err := os.ReadFile(file)
	historytest.Check(t, err)
	src, err := history.Open(file)
	historytest.Check(t, err)
	at := positionOf(src)
	historytest.Check(t, src.Close())
	lines := bytes.SplitAfter(whole, []byte("\n"))
	full := errors.New("full")
	err = e.follow(t.Context(), file, at, steps(
		func() { historytest.Check(t, os.WriteFile(file, bytes.Join(lines[:3], nil), 0o600)) },
		func() { historytest.Check(t, os.WriteFile(file, whole, 0o600)) },
		func() { t.Error("looked again after an error") },
	), func(src *history.Source, from uint64) error {
		if from != 4 {
			t.Errorf("shown from %d", from)
		}
		return full
	})
	if said := fmt.Sprint(e.stderr); !errors.Is(err, full) || !strings.Contains(said, "ends at record 3 now, it had 8") {
		t.Errorf("%v, said %q", err, said)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.tick(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a look after the interruption: %v", err)
	}
}
