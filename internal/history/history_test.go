package history_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// history is a state root with a reconstruction and some clean boots. Its
// journal is closed.
func newHistory(t testing.TB) *historytest.History {
	t.Helper()
	h := historytest.New(t, t.TempDir())
	h.First()
	h.Match()
	h.Reconstruct(historytest.NewOS, 1)
	for range 3 {
		h.Match()
	}
	h.Publish()
	return h
}

// exported returns the records of a history as lines.
func exported(t testing.TB, path string) [][]byte {
	t.Helper()
	src, err := history.Open(path)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	var lines [][]byte
	for raw, err := range src.RawRecords(1, src.Tip().Seq) {
		historytest.Check(t, err)
		lines = append(lines, bytes.Clone(raw.Raw))
	}
	return lines
}

func use(t *testing.T, path string, kind history.Kind, want [][]byte) {
	t.Helper()
	src, err := history.Open(path)
	historytest.Check(t, err)
	if src.Kind() != kind || src.Path() != path || src.First() != 1 || src.Torn() {
		t.Errorf("kind %s, path %s, first %d, torn %t", src.Kind(), src.Path(), src.First(), src.Torn())
	}
	if (src.FS() == nil) != (kind == history.Export) || (src.View() == nil) != (kind == history.Export) {
		t.Errorf("%s: FS %v, view %v", kind, src.FS(), src.View())
	}
	n := uint64(len(want))
	if tip := src.Tip(); tip.Seq != n || tip.Hash != record.HashOf(want[n-1]) {
		t.Errorf("tip %v, want %d", tip, n)
	}
	seq := uint64(1)
	for rec, err := range src.Records(0, n+5) {
		historytest.Check(t, err)
		if rec.Seq != seq || !bytes.Equal(rec.Raw, want[seq-1]) || rec.Journal != src.ID() {
			t.Errorf("record %d is %s", seq, rec.Raw)
		}
		seq++
	}
	if seq != n+1 {
		t.Errorf("%d records, want %d", seq-1, n)
	}
	for seq := n; seq >= 1; seq-- {
		rec, err := src.Record(seq)
		if err != nil || !bytes.Equal(rec.Raw, want[seq-1]) {
			t.Errorf("record %d: %s, %v", seq, rec.Raw, err)
		}
	}
	for _, seq := range []uint64{0, n + 1} {
		if _, err := src.Record(seq); !errors.Is(err, errs.ErrNotFound) {
			t.Errorf("record %d: %v", seq, err)
		}
	}
	if _, _, err := replay.State(src, n); err != nil {
		t.Error(err)
	}
	historytest.Check(t, src.Close())
}

func TestOpenLeavesEverythingAsItWas(t *testing.T) {
	h := newHistory(t)
	h.Close()
	lines := exported(t, h.Dir)
	out := t.TempDir()
	file := filepath.Join(out, "history.jsonl")
	historytest.Export(t, file, lines...)
	link := filepath.Join(t.TempDir(), "link")
	historytest.Check(t, os.Symlink(h.Dir, link))
	before, beforeOut := historytest.Tree(t, h.Dir), historytest.Tree(t, out)
	use(t, h.Dir, history.StateRoot, lines)
	use(t, filepath.Join(h.Dir, "journal"), history.Directory, lines)
	use(t, link, history.StateRoot, lines)
	use(t, file, history.Export, lines)
	historytest.SameTree(t, h.Dir, before)
	historytest.SameTree(t, out, beforeOut)
}

// A gate that was killed leaves records in its log: a reader reads them and
// does not move them into tables.
func TestOpenAfterACrash(t *testing.T) {
	h := newHistory(t)
	h.Match() // not closed
	dir := filepath.Join(t.TempDir(), "copy")
	historytest.Check(t, os.CopyFS(dir, os.DirFS(h.Dir)))
	before := historytest.Tree(t, dir)
	lines := exported(t, dir)
	if len(lines) != int(h.State.Seq) {
		t.Fatalf("%d records, want %d", len(lines), h.State.Seq)
	}
	use(t, dir, history.StateRoot, lines)
	historytest.SameTree(t, dir, before)
}

func TestOpenOnReadOnlyMount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	h := newHistory(t)
	h.Close()
	lines := exported(t, h.Dir)
	mnt := t.TempDir()
	if err := syscall.Mount(h.Dir, mnt, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("bind mounts are not permitted here: %v", err)
	}
	defer syscall.Unmount(mnt, syscall.MNT_DETACH) //nolint:errcheck // the test's own mount
	if err := syscall.Mount("", mnt, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("read-only bind mounts are not permitted here: %v", err)
	}
	if err := os.WriteFile(filepath.Join(mnt, "x"), nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Fatalf("the mount is writable: %v", err)
	}
	use(t, mnt, history.StateRoot, lines)
}

// A gate that boots, flushes and compacts while readers open and read never
// makes an intact history look damaged, and never waits for them.
func TestReadersOfALiveNode(t *testing.T) {
	h := newHistory(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if err := readAll(h.Dir); err != nil {
					t.Errorf("look %d: %v", n, err)
					return
				}
			}
		})
	}
	for range 15 {
		h.Match()
		h.Stop()
	}
	close(done)
	wg.Wait()
}

func readAll(dir string) error {
	src, err := history.Open(dir)
	if err != nil {
		return err
	}
	n, err := walk(src)
	if err == nil && n != src.Tip().Seq {
		err = fmt.Errorf("%d of %d records", n, src.Tip().Seq)
	}
	return errors.Join(err, src.Close())
}

func TestOpenRefuses(t *testing.T) {
	h := newHistory(t)
	h.Close()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) string {
		historytest.Check(t, os.WriteFile(at(name), []byte(text), 0o600))
		return at(name)
	}
	historytest.Check(t, os.Mkdir(at("empty"), 0o700))
	historytest.Check(t, os.MkdirAll(at("fresh/bootstrap"), 0o700))
	historytest.Check(t, os.MkdirAll(at("damaged"), 0o700))
	write("damaged/000004.sst", "x")
	historytest.Check(t, syscall.Mkfifo(at("fifo"), 0o600))
	historytest.Check(t, os.Symlink("nowhere", at("dangling")))
	for _, tt := range []struct {
		name, path string
		want       error
		text       string
	}{
		{"absent", at("nothing"), history.ErrAbsent, "check that the partition is mounted"},
		{"dangling link", at("dangling"), history.ErrAbsent, ""},
		{"through a file", write("file", "{") + "/x", history.ErrUnreadable, "permissions"},
		{"FIFO", at("fifo"), history.ErrNotEvidence, "FIFO"},
		{"empty directory", at("empty"), history.ErrNotEvidence, "no journal"},
		{"empty file", write("none", ""), history.ErrNotEvidence, "empty"},
		{"other text", write("text", "hello"), history.ErrNotEvidence, "does not begin with a record"},
		{"archive", write("zst", "\x28\xb5\x2f\xfdxxxx"), history.ErrBundle, "copy it again"},
		{"other JSON", write("json", "{}\n"), errs.ErrCorrupt, "export the journal again"},
		{"half a record", write("half", `{"boot_id":`), journal.ErrTorn, "no whole record"},
		{"before the first boot", at("fresh"), errs.ErrNotFound, ""},
		{"nothing but a table", at("damaged"), errs.ErrCorrupt, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, err := history.Open(tt.path)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, %v", src, err)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%q does not say %q", err, tt.text)
			}
		})
	}
}

func TestOpenFileAndTree(t *testing.T) {
	dir := t.TempDir()
	if _, err := history.OpenFile(filepath.Join(dir, "x")); !errors.Is(err, history.ErrAbsent) {
		t.Error(err)
	}
	if _, err := history.OpenFile(dir); !errors.Is(err, history.ErrUnreadable) {
		t.Error(err)
	}
	if _, err := history.OpenTree(filepath.Join(dir, "x")); !errors.Is(err, history.ErrAbsent) {
		t.Error(err)
	}
	tree, err := history.OpenTree(dir)
	historytest.Check(t, err)
	if err := tree.Mkdir("x", 0o700); !errors.Is(err, syscall.EROFS) {
		t.Errorf("evidence can be written to: %v", err)
	}
	historytest.Check(t, tree.Close())
}

func TestKindsOfRecordSurvive(t *testing.T) {
	h := newHistory(t)
	h.Close()
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	state, _, err := replay.State(src, src.Tip().Seq)
	historytest.Check(t, err)
	if state.Epoch != 1 || state.Phase != machine.PhaseSettled {
		t.Errorf("epoch %d, phase %s", state.Epoch, state.Phase)
	}
	for snap, err := range src.Snapshots(state.Seq) {
		t.Errorf("a snapshot that nobody made: of record %d, %v", snap.Seq, err)
	}
}

func machineMatch(h *historytest.History) machine.Payload {
	return h.Capture(machine.RoleMatch, h.State.Baseline.CompositeHash)
}
