package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// begun returns a state root whose journal holds one record, of a failed run.
func begun(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	fsys, err := durable.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer fsys.Close() //nolint:errcheck // the journal is closed on its own
	if err := fsys.Mkdir("bootstrap", 0o750); err != nil {
		t.Fatal(err)
	}
	p := machine.PrecheckFailed{V: 1, ExitCode: 3, Stage: "cert", Path: "node.crt", Reason: "expired"}
	data, err := machine.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	w, _, err := journal.Create(fsys, journal.DefaultLayout(), record.Entry{ID: id, Type: string(p.Kind()), Time: time.Now(),
		BootID: uuid.NewString(), Run: id.String(), Node: "node", Data: data}, journal.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// extend makes a whole journal of exactly the wanted length, with the wanted number of records in its tail.
func TestExtend(t *testing.T) {
	for _, p := range []pace{{}, {fold: true}, {fold: true, tail: 11}, {tail: 5}} {
		for _, total := range []int{64, 2000} {
			t.Run(fmt.Sprintf("%+v %d", p, total), func(t *testing.T) {
				dir := begun(t)
				entry, err := newestEntry(dir)
				if err != nil {
					t.Fatal(err)
				}
				if err := extend(dir, total, p, entry); err != nil {
					t.Fatal(err)
				}
				err = viewed(dir, func(v *journal.View) error {
					rep, err := journal.Verify(context.Background(), v.Source(), journal.VerifyOptions{})
					if err != nil || v.Tip().Seq != uint64(total) || len(rep.Findings) != 0 {
						t.Errorf("%d records, findings %v, %v", v.Tip().Seq, rep.Findings, err)
					}
					if n := v.Tail().Records; p.tail > 0 && n != p.tail || n > settleAt {
						t.Errorf("%d records in the tail", n)
					}
					_, start, err := replay.State(v, v.Tip().Seq)
					if err != nil || len(start.Ignored) > 0 || p.fold && (total > settleAt || p.tail > 0) != (start.Snapshot > 0) {
						t.Errorf("folded from %+v, %v", start, err)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestWriteJournalExport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stream")
	if err := writeJournalExport(path, 3); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	entries := strings.Split(strings.TrimSuffix(string(text), "\n\n"), "\n\n")
	if len(entries) != 3 {
		t.Fatalf("%d entries", len(entries))
	}
	for i, e := range entries {
		if !strings.HasPrefix(e, "__REALTIME_TIMESTAMP=") || !strings.Contains(e, fmt.Sprintf("\nMESSAGE=%08d ", i)) || len(e) < 300 {
			t.Errorf("entry %d: %q", i, e)
		}
	}
}
