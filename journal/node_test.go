package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/journal/record"
)

// crashFull makes the matrices exhaustive (make crash); otherwise a sample runs.
var crashFull = os.Getenv("EDGED_CRASH") == "full"

// every returns the stride of a matrix: n, or 1 if it is exhaustive.
func every(n int) int {
	switch {
	case crashFull:
		return 1
	case memfs.RaceDetector:
		return 10 * n
	}
	return n
}

// small is a layout with the smallest tail: it has room for 18 blocks of
// frames, and settles when more than nine are used.
var small = Layout{Dir: "journal", Head: "bootstrap/journal_head", TailLength: minTail}

const (
	tailFile    = "journal/tail"
	headFile    = "bootstrap/journal_head"
	testJournal = "4f3c2b1a-0d9e-4c8b-8a7f-6e5d4c3b2a19"
)

// maxTables is the number of tables from which a settling compacts them.
const maxTables = 12

// must ends the test at an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		noErr(t, err)
		return v
	}
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newRoot returns an empty state root with the directory of the head file.
func newRoot(t testing.TB) *memfs.FS {
	t.Helper()
	m := memfs.New()
	noErr(t, m.Mkdir("bootstrap", 0o750))
	noErr(t, m.SyncDir("."))
	return m
}

// events counts the entries that were made. Every entry differs, so that a record in
// the place of a lost one is a different record.
var events atomic.Uint32

// entryOf returns an event of a boot whose record has this many blocks.
func entryOf(boot, kind string, blocks int) record.Entry {
	n := events.Add(1)
	id := uuid.MustParse("01890000-0000-7000-8000-000000000000")
	id[15], id[14], id[13], id[12] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	return record.Entry{
		ID: id, Type: kind, Time: time.Date(2026, 3, 4, 10, 0, 0, int(n%1e9), time.UTC),
		BootID: boot, UptimeMS: int64(1000 + n),
		Run: "01890000-0000-7000-8000-00000000000a", Node: "node-1",
		Data: fmt.Appendf(nil, `{"v":1,"fill":"%s"}`, strings.Repeat("x", (blocks-1)*partLen)),
	}
}

// gate is one run of a gate as far as the journal is concerned.
type gate struct {
	boot   string
	sizes  []int // of the records that it appends, in blocks
	settle bool  // at its end, even if it is not due
	refs   []Ref
	acked  func(record.Tip) // is called for every acknowledged record; may be nil

	w         *Writer
	action    HeadAction
	unsettled error // a settling at its end that failed
}

// run creates the journal or opens it, appends, settles as a gate does, and
// closes.
func (g *gate) run(fsys durable.FS) error {
	err := g.open(fsys)
	if err == nil {
		err = g.work()
	}
	if g.w != nil {
		err = errors.Join(err, g.w.Close())
	}
	return err
}

func (g *gate) open(fsys durable.FS) error {
	found, err := Inspect(fsys, small)
	if err != nil {
		return err
	}
	if !found.Journal && !found.Head {
		var rec record.Record
		g.w, rec, err = Create(fsys, small, entryOf(g.boot, "Tested", 1), CreateOptions{})
		if err == nil {
			g.ack(rec)
		}
		return err
	}
	v, err := OpenView(fsys, small)
	if err != nil {
		return err
	}
	if g.action, err = v.CheckHead(g.refs); err != nil {
		return errors.Join(err, v.Close())
	}
	if g.w, err = OpenWriter(v, g.action, g.boot); err != nil {
		return err
	}
	if g.w.Fresh() {
		err = g.append("SnapshotTaken", 1)
	}
	if err == nil && g.action.Rebuilt != "" {
		err = g.append("HeadRebuilt", 1)
	}
	return err
}

func (g *gate) work() error {
	for _, n := range g.sizes {
		if err := g.append("Tested", n); err != nil {
			return err
		}
	}
	if !g.settle && !g.w.Tail().SettlingDue {
		return nil
	}
	err := g.settleNow()
	if errors.Is(err, ErrUnsettled) {
		g.unsettled, err = err, nil
	}
	return err
}

func (g *gate) append(kind string, blocks int) error {
	e := entryOf(g.boot, kind, blocks)
	rec, err := g.w.Append(e)
	if errors.Is(err, ErrTailFull) {
		if err = g.settleNow(); err == nil {
			rec, err = g.w.Append(e)
		}
	}
	if err == nil {
		g.ack(rec)
	}
	return err
}

func (g *gate) settleNow() error {
	if err := g.w.Settle(snapshotAt(g.w.Tip())); err != nil {
		return err
	}
	return g.append("SnapshotTaken", 1)
}

func (g *gate) ack(rec record.Record) {
	if g.acked != nil {
		g.acked(tipOf(&rec))
	}
}

// snapshotAt is the snapshot of a test at tip.
func snapshotAt(tip record.Tip) []byte { return fmt.Appendf(nil, "state at %d: %s", tip.Seq, tip.Hash) }

// boots numbers the boots of all tests.
var boots atomic.Int64

func newBoot() string { return fmt.Sprintf("boot-%d", boots.Add(1)) }

// boot runs a gate in a new boot, which must succeed.
func boot(t testing.TB, fsys durable.FS, sizes ...int) *gate {
	t.Helper()
	g := &gate{boot: newBoot(), sizes: sizes}
	noErr(t, g.run(fsys))
	return g
}

// settled is boot with a settling.
func settled(t testing.TB, fsys durable.FS, sizes ...int) *gate {
	t.Helper()
	g := &gate{boot: newBoot(), sizes: sizes, settle: true}
	noErr(t, g.run(fsys))
	noErr(t, g.unsettled)
	return g
}

// history reads all records of a journal, each checked and linked.
func history(t testing.TB, fsys durable.FS) []record.Record {
	t.Helper()
	v := must[*View](t)(OpenView(fsys, small))
	defer v.Close()
	recs, err := collect(v)
	noErr(t, err)
	return recs
}

func collect(v *View) (recs []record.Record, err error) {
	for r, err := range v.Records(1, v.Tip().Seq) {
		if err != nil {
			return recs, err
		}
		r.Raw = append([]byte(nil), r.Raw...)
		recs = append(recs, r)
	}
	return recs, nil
}

// read returns a file's bytes.
func read(t testing.TB, fsys durable.FS, name string) []byte {
	t.Helper()
	b, _, err := durable.ReadFile(fsys, name, 64<<20)
	noErr(t, err)
	return b
}

// overwrite replaces a file's bytes, durably.
func overwrite(t testing.TB, m *memfs.FS, name string, b []byte) {
	t.Helper()
	f := must[durable.File](t)(m.OpenWrite(name))
	noErr(t, f.Truncate(int64(len(b))))
	_, err := f.WriteAt(b, 0)
	noErr(t, errors.Join(err, f.Close()))
	m.SyncAll()
}

// names lists journal/.
func names(t testing.TB, fsys durable.FS) []string {
	t.Helper()
	return must[[]string](t)(durable.Names(fsys, "journal"))
}

// damageSlot flips a bit of a slot of the head file.
func damageSlot(t testing.TB, m *memfs.FS, i int) {
	t.Helper()
	b := read(t, m, headFile)
	b[i*blockSize+50] ^= 4
	overwrite(t, m, headFile, b)
}

// codes lists the findings of a report.
func codes(r Report) string {
	var s []string
	for _, f := range r.Findings {
		s = append(s, string(f.Severity)+" "+f.Code)
	}
	return strings.Join(s, ", ")
}

// deeply verifies everything, including the tables' blocks.
func deeply(v *View) (Report, error) {
	return Verify(context.Background(), v.Source(), VerifyOptions{Storage: true, Workers: 1})
}
