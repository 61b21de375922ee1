package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// readings are the commands that read a journal and write nothing.
var readings = []string{
	`edgectl journal verify --deep`,
	`edgectl journal export --format jsonl --out -`,
	`edgectl journal log`,
	`edgectl journal log --json`,
	`edgectl journal head --json`,
}

// untouched lists names, types, modes, sizes, times and bytes of the state root, without the times of
// the last read.
const untouched = `cd $STATE && { find . -printf '%p %y %i %m %U %G %s %T@ %C@ %l\n' | LC_ALL=C sort; find . -type f | LC_ALL=C sort | xargs b3sum; }`

// Readers leave every byte and every time unchanged: of a journal after a clean boot, and of one that
// a killed gate left.
func TestE2E_ReadersAreNeutral(t *testing.T) {
	for name, prepare := range map[string]func(h *host){
		"at rest":      func(h *host) { h.boots(40); h.boot(another, 0) },
		"after a kill": bootCases()[3].prepare,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, "b3sum", "setarch", "strace")
			prepare(h)
			before := h.Sh(untouched)
			for _, read := range readings {
				h.Sh(read)
				h.equal(read, h.Sh(untouched), before)
			}
		})
	}
}

// On a read-only mount of a live node's state root every reader succeeds while gates run, and every
// gate succeeds.
func TestE2E_ReadersOnALiveNode(t *testing.T) {
	h := newHost(t, "mount", "umount")
	h.boots(3)
	h.Sh(`mkdir $DIR/view && mount --bind $STATE $DIR/view && mount -o remount,bind,ro $DIR/view`)
	t.Cleanup(func() { h.Sh(`umount $DIR/view`) })
	if _, _, exit := h.Run(`touch $DIR/view/x`); exit == 0 {
		t.Fatal("the mount is writable")
	}
	const boots = 100 // some of which settle
	stop := make(chan struct{})
	var readers sync.WaitGroup
	var mu sync.Mutex
	counts := map[string]int{}
	for _, read := range readings {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				out, errs, exit := h.Run(`EDGE_STATE_ROOT=$DIR/view ` + read)
				if exit != 0 {
					t.Errorf("%s beside a gate: exit %d\n%.2000s%s", read, exit, out, errs)
					return
				}
				mu.Lock()
				counts[read]++
				mu.Unlock()
			}
		})
	}
	for range boots {
		h.boots(1)
	}
	close(stop)
	readers.Wait()
	h.Sh(`edgectl journal verify --deep`)
	h.equal("boots", h.Sh(`edgectl journal export --format jsonl --out - | grep -c FingerprintCaptured`), fmt.Sprint(3+boots))
	for _, read := range readings {
		if counts[read] == 0 {
			t.Errorf("%s never ended", read)
		}
	}
	t.Logf("%d gates beside %v", boots, counts)
}

// An export whose reader pauses delays no gate: the export waits in the middle of the journal, the
// gates append and settle, and the export then ends as if they had not run.
func TestE2E_ExportHoldsNoGateUp(t *testing.T) {
	h := newHost(t)
	h.boot("", 0)
	h.fill(40_000) // far more than fits into pipe and buffers
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("bash", "-c", `exec edgectl journal export --format jsonl --out -`)
	cmd.Env, cmd.Dir, cmd.Stdout = h.Env, h.Dir, w
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close() // the child has its own copy
	in := bufio.NewReader(r)
	if _, err := in.Peek(1); err != nil { // the export has begun
		t.Fatalf("%v\n%s", err, errs.String())
	}
	const boots = 40 // one of which settles
	passed := make(chan string, 1)
	go func() {
		_, errs, exit := h.Run(fmt.Sprintf(`for i in $(seq %d); do edged precheck; done`, boots))
		passed <- fmt.Sprintf("exit %d %s", exit, errs)
	}()
	select {
	case got := <-passed:
		h.equal("the gates", got, "exit 0 ")
	case <-time.After(2 * time.Minute):
		t.Error("the gates wait for the export")
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil || strings.Contains(string(status), "State:\tZ") {
		t.Fatalf("the export did not wait for its reader: %v\n%s%s", err, status, errs.String())
	}
	rest, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the export: %v\n%s", err, errs.String())
	}
	now := h.Sh(`edgectl journal export --format jsonl --out -`) + "\n"
	if before := strings.Count(string(rest), "\n"); !strings.HasPrefix(now, string(rest)) || before < 40_000 {
		t.Errorf("the export has %d records, or other ones than the journal", before)
	}
	if got := strings.Count(now, `"FingerprintCaptured"`); got != 1+boots {
		t.Errorf("%d boots in the history, want %d", got, 1+boots)
	}
	h.Sh(`edgectl journal verify --deep`)
}

// fill appends records of an unknown kind, much faster than by booting.
func (h *host) fill(records int) {
	h.T.Helper()
	root, err := durable.OpenRoot(h.State)
	h.must(err)
	defer root.Close()
	disk := historytest.Unflushed{FS: root}
	view, err := journal.OpenView(disk, journal.DefaultLayout())
	h.must(err)
	act, err := view.CheckHead(nil)
	h.must(err)
	last, err := view.Record(view.Tip().Seq)
	h.must(err)
	w, err := journal.OpenWriter(view, act, "")
	h.must(err)
	entry := record.Entry{
		Type: "Noted", Time: last.Time, BootID: last.BootID, UptimeMS: last.UptimeMS, Run: last.Run, Node: last.Node, Epoch: last.Epoch,
		Data: []byte(`{"text":"` + strings.Repeat("x", 200) + `","v":1}`),
	}
	for range records {
		entry.ID, err = uuid.NewV7()
		h.must(err)
		_, err := w.Append(entry)
		if errors.Is(err, journal.ErrTailFull) {
			h.must(w.Settle(nil))
			_, err = w.Append(entry)
		}
		h.must(err)
	}
	h.must(w.Close())
}
