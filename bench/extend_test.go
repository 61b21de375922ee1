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
)

// begun is a state root whose journal holds one record of a failed run.
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

// What is made is a whole journal of exactly that length, whatever the pace.
func TestExtend(t *testing.T) {
	for _, p := range []pace{
		{together: 1, session: 1},
		{together: 7, session: 20, singly: 5, fold: true},
		{together: 100, session: 30, singly: 1000},
	} {
		t.Run(fmt.Sprintf("%+v", p), func(t *testing.T) {
			dir := begun(t)
			entry, err := newestEntry(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := extend(dir, 64, p, entry); err != nil {
				t.Fatal(err)
			}
			fsys, err := durable.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer fsys.Close() //nolint:errcheck // only read
			v, err := journal.OpenView(fsys, journal.DefaultLayout())
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close() //nolint:errcheck // only read
			rep, err := journal.Verify(context.Background(), v.Source(), journal.VerifyOptions{})
			if err != nil || v.Tip().Seq != 64 || len(rep.Findings) != 0 {
				t.Errorf("%d records, findings %v, %v", v.Tip().Seq, rep.Findings, err)
			}
			_, _, ok, err := v.Snapshot(64)
			if err != nil || ok != p.fold {
				t.Errorf("a snapshot: %v, %v", ok, err)
			}
		})
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
