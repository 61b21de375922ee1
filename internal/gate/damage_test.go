package gate

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// harm is one damage, done to a disk at rest.
type harm struct {
	name string
	do   func(d *damagedDisk)
	file string // that a refusal has to name, "" where it is not just one
}

// verdict is what a boot makes of a damage. There is no other.
type verdict string

const (
	harmless verdict = "harmless" // exit 0, every acknowledged record as it was
	mended   verdict = "repaired" // the same, and the repair is journaled
	refused  verdict = "refused"  // exit 2, nothing touched
	latent   verdict = "in what no boot reads until one settles; the scrub finds it"
	asItWas  verdict = "undetectable: the whole state as it once was"
)

// patient is a healthy node whose disk is damaged in many ways, each from the
// same state.
type patient struct {
	*memNode
	acked   []string // the acknowledged records
	base    uint64   // how many of them have settled
	outcome string   // of a boot of the undamaged disk
	older   []older  // the node's earlier days
	latent  atomic.Int64
}

// older is the node as it was.
type older struct {
	name string
	disk *memfs.FS
	same string // state, for telling whether a disk is the same again
}

// newPatient takes the node's disk as the healthy state.
func newPatient(t *testing.T, m *memNode, past ...older) *patient {
	t.Helper()
	m.disk.SyncAll()
	p := &patient{memNode: m, acked: acknowledged(t, m.disk), older: past}
	p.base = uint64(len(p.acked))
	onJournal(t, m.disk.Clone(), func(w *journal.Writer, _ machine.State) error {
		p.base = w.Tip().Seq - uint64(w.Tail().Records)
		return nil
	})
	twin := p.twin(m.disk.Clone())
	if exit := twin.precheck(); exit != ExitOK {
		t.Fatalf("the healthy node exits %d\n%s", exit, twin.logs.String())
	}
	p.outcome = outcome(t, twin.disk)
	return p
}

// twin is the same node on another disk, with logs and a clock of its own.
func (p *patient) twin(disk *memfs.FS) *memNode {
	n := *p.node
	m := &memNode{node: &n, disk: disk}
	m.logs, m.stdout = bytes.Buffer{}, bytes.Buffer{} // not the node's own bytes
	m.edit = func(h *Host) {
		h.OpenRoot = func(string, stateroot.Options) (Root, error) { return memRoot{m.disk}, nil }
	}
	return m
}

// damagedDisk is a disk on which files may be changed without a boot noticing.
type damagedDisk struct {
	*memfs.FS
	err error
}

func (d *damagedDisk) keep(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *damagedDisk) overwrite(name string, data []byte) {
	f, err := d.OpenWrite(name)
	if err != nil {
		d.keep(err)
		return
	}
	d.keep(f.Truncate(0))
	_, err = f.WriteAt(data, 0)
	d.keep(err)
	d.keep(f.Close())
}

func (d *damagedDisk) remove(name string) { d.keep(d.Remove(name)) }

// suffer does the harm to a copy of the disk, boots, and gives the verdict. An
// error is a violation: history lost in silence, a file touched, a message
// that does not help.
func (p *patient) suffer(t *testing.T, h harm) (*memNode, verdict, error) {
	disk := &damagedDisk{FS: p.disk.Clone()}
	if h.do(disk); disk.err != nil {
		return nil, "", fmt.Errorf("the damage could not be done: %w", disk.err)
	}
	disk.SyncAll()
	before, err := contents(disk.FS)
	if err != nil {
		return nil, "", err
	}
	m := p.twin(disk.FS)
	exit, err := watched(m)
	if err != nil {
		return m, "", err
	}
	switch exit {
	case ExitOK:
		v, err := p.passed(t, m, before, h.file)
		return m, v, err
	case ExitStateRoot:
		return m, refused, p.wasRefused(m, before, h.file)
	}
	return m, "", fmt.Errorf("exit %d", exit)
}

// watched boots, and gives up on a boot that does not end.
func watched(m *memNode) (int, error) {
	const patience = 60 * time.Second
	done := make(chan int, 1)
	go func() { done <- m.precheck() }()
	select {
	case exit := <-done:
		return exit, nil
	case <-time.After(patience):
		return 0, fmt.Errorf("the boot does not end within %v", patience)
	}
}

// passed judges a boot that went on: nothing acknowledged may be lost, and the
// node is what it would have been without the damage.
func (p *patient) passed(t *testing.T, m *memNode, before map[string]string, file string) (verdict, error) {
	after, err := records(t, m.disk)
	if err != nil {
		return latent, p.scrubbed(m, file, err)
	}
	for i, raw := range p.acked {
		if i >= len(after) || after[i] != raw {
			if p.wasOnce(before) {
				return asItWas, nil
			}
			return "", fmt.Errorf("exit 0, and acknowledged record %d of %d is lost or changed", i+1, len(p.acked))
		}
	}
	if got := outcome(t, m.disk); got != p.outcome {
		return "", fmt.Errorf("exit 0, and the outcome differs:\n%s\nwant\n%s", got, p.outcome)
	}
	for _, raw := range after[len(p.acked):] {
		for _, kind := range []machine.Kind{machine.KindHeadRebuilt, machine.KindProjectionRepaired} {
			if strings.Contains(raw, `"type":"`+string(kind)+`"`) {
				return mended, nil
			}
		}
	}
	return harmless, nil
}

// scrubbed judges damage among what has settled: every record of the tail is
// whole, and the weekly verification finds the damage.
func (p *patient) scrubbed(m *memNode, file string, damage error) error {
	if blocks(file) {
		return fmt.Errorf("exit 0, and then the journal does not read: %w", damage)
	}
	view, err := journal.OpenView(m.disk, layout)
	if err != nil {
		return fmt.Errorf("exit 0, and then the journal does not open: %w", err)
	}
	defer view.Close() //nolint:errcheck // read-only
	if err := p.holdsTail(view); err != nil {
		return err
	}
	rep, err := journal.Verify(context.Background(), view.Source(), journal.VerifyOptions{Storage: true})
	if err != nil || rep.OK {
		return fmt.Errorf("exit 0, the journal does not read (%w), and the scrub finds nothing: %v", damage, err)
	}
	if got := outcome(p.t, m.disk); got != p.outcome {
		return fmt.Errorf("exit 0, and the outcome differs:\n%s\nwant\n%s", got, p.outcome)
	}
	if p.latent.Add(1)%5 == 0 {
		return p.untilSettled(m)
	}
	return nil
}

// holdsTail requires the records that had not settled.
func (p *patient) holdsTail(view *journal.View) error {
	for seq := p.base + 1; seq <= uint64(len(p.acked)); seq++ {
		if rec, err := view.Record(seq); err != nil || string(rec.Raw) != p.acked[seq-1] {
			return fmt.Errorf("acknowledged record %d of the tail is lost or changed: %w", seq, err)
		}
	}
	return nil
}

// untilSettled boots until one boot has settled: it meets the damage and halts,
// or what was in the tail is kept in the tables.
func (p *patient) untilSettled(m *memNode) error {
	for range 30 {
		switch exit, err := watched(m); {
		case err != nil:
			return err
		case exit == ExitStateRoot && strings.Contains(m.logs.String(), "precheck: journal unusable") && strings.Contains(m.logs.String(), "corrupt"):
			return nil
		case exit != ExitOK:
			return fmt.Errorf("a boot that settles exits %d", exit)
		}
	}
	view, err := journal.OpenView(m.disk, layout)
	if err != nil {
		return fmt.Errorf("after a settling the journal does not open: %w", err)
	}
	defer view.Close() //nolint:errcheck // read-only
	return p.holdsTail(view)
}

// wasRefused requires that a boot that stopped reports what failed, on which path, and what to do
// in one line, and left everything as it was. A table is named by its number.
func (p *patient) wasRefused(m *memNode, before map[string]string, file string) error {
	after, err := contents(m.disk)
	if err != nil {
		return err
	}
	if !maps.Equal(before, after) {
		return fmt.Errorf("exit 2, and the disk was changed")
	}
	logs := m.logs.String()
	lines := strings.Count(logs, "level=ERROR")
	if lines != 1 {
		return fmt.Errorf("exit 2 with %d lines of ERROR", lines)
	}
	for _, part := range []string{"path=/", "err=", "next=", "exit_code=2"} {
		if !strings.Contains(logs, part) {
			return fmt.Errorf("exit 2, and no %q in the log", part)
		}
	}
	named := strings.TrimSuffix(path.Base(file), path.Ext(file))
	if strings.HasPrefix(named, "M") || strings.HasPrefix(named, "m") || file == "" {
		named = layout.Dir // a manifest or marker cut short: the folder is what does not open
	}
	if !strings.Contains(logs, named) && !strings.Contains(logs, ", record ") {
		return fmt.Errorf("exit 2, and neither %q nor a record is named", named)
	}
	for _, part := range []string{"panic", "goroutine", "next=\"\""} {
		if strings.Contains(logs, part) {
			return fmt.Errorf("exit 2, and %q in the log", part)
		}
	}
	return nil
}

// judgement counts the verdicts over many harms.
type judgement struct {
	mu       sync.Mutex
	counts   map[verdict]int
	messages map[string]int
	stop     bool
}

// judge does every stride-th harm, on all cores, each from the healthy disk,
// and gives the number of each verdict.
func (p *patient) judge(t *testing.T, stride int, harms iter.Seq[harm], also func(t *testing.T, m *memNode, v verdict) error) map[verdict]int {
	t.Helper()
	j := &judgement{counts: map[verdict]int{}, messages: map[string]int{}}
	work := make(chan harm)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for h := range work {
				m, v, err := p.suffer(t, h)
				if v == refused {
					j.refused(message(m.logs.String()))
				}
				if err == nil && also != nil {
					err = also(t, m, v)
				}
				j.note(t, h, m, v, err)
			}
		})
	}
	i, done := 0, 0
	for h := range harms {
		if i++; (i-1)%stride == 0 {
			done++
			work <- h
		}
		if j.stopped() {
			break
		}
	}
	close(work)
	wg.Wait()
	t.Logf("%d of %d damages: %s", done, i, j)
	if testing.Verbose() {
		for _, m := range slices.Sorted(maps.Keys(j.messages)) {
			t.Logf("%6d refused: %s", j.messages[m], m)
		}
	}
	return j.counts
}

func (j *judgement) note(t *testing.T, h harm, m *memNode, v verdict, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[v]++
	if err == nil {
		return
	}
	logs := ""
	if m != nil {
		logs = m.logs.String()
	}
	t.Errorf("%s: %v\n%s", h.name, err, logs)
	j.stop = j.counts[""] > 20 || strings.Contains(err.Error(), "does not end")
}

func (j *judgement) refused(message string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.messages[message]++
}

func (j *judgement) stopped() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stop
}

func (j *judgement) String() string {
	var b strings.Builder
	for _, v := range slices.Sorted(maps.Keys(j.counts)) {
		fmt.Fprintf(&b, "%d %s, ", j.counts[v], v)
	}
	return strings.TrimSuffix(b.String(), ", ") + fmt.Sprintf("; %d different messages", len(j.messages))
}
