// Package salvage makes a new journal that continues a damaged one, or a whole one of
// which an older copy was put back. The new journal has
// one record, JournalSalvaged, which names the predecessor, states what was kept and
// what was lost, and carries every floor. The damaged journal is never changed. Its
// longest verifiable prefix is kept beside it as predecessor.jsonl; the ids and links of
// those records forbid copying them into the new journal.
package salvage

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
	"github.com/autonomyops/edged/replay"
)

// Request is the request for a salvage: who asks, why, for which node, and when.
type Request struct {
	By, Reason string
	Node       string // the node's name; "" means the predecessor's
	// Predecessor is the pinned id of the node's journal or of an ancestor, known
	// from outside the disk; "" if nothing pins it. Another journal is refused. If
	// the disk does not show the predecessor's id, it is this one.
	Predecessor string
	// Lost is what was lost, in words, if the journal itself cannot show it: an older
	// copy was put back. "" means what the journal shows.
	Lost     string
	Run      string
	BootID   string
	UptimeMS int64
	Now      time.Time
	NewID    func() (uuid.UUID, error) // UUIDv7
}

var (
	// ErrNode: neither the caller nor the damaged journal names the node.
	ErrNode = errors.New("the node's name is not known")
	// ErrForeign: the damaged journal is another node's.
	ErrForeign = errors.New("it is another node's")
)

// Plan holds what a salvage will write: the event, and the new journal's id.
type Plan struct {
	ID    uuid.UUID
	Event machine.JournalSalvaged
	entry record.Entry
}

// Examine reads the damaged journal below fsys, the head file and the projections, and
// returns what a salvage will write. It changes nothing. It calls keep with the records
// of the verifiable prefix, in order.
//
// The error is ErrForeign if the journal is another node's, and ErrNewer of machine or
// journal if a newer release wrote it: its floors are not known then.
func Examine(fsys durable.FS, req Request, keep func(raw []byte) error) (*Plan, error) {
	layout, err := damagedAt(fsys)
	if err != nil {
		return nil, err
	}
	files, err := projections.Read(fsys)
	if err != nil {
		return nil, err
	}
	claimed := claims(files)
	fold := machine.NewFold(machine.State{})
	foldable, epoch := true, uint64(0)
	prefix, err := journal.Salvage(fsys, layout, func(r record.Record) error {
		epoch = max(epoch, r.Epoch)
		for i := range claimed {
			claimed[i].resolve(r)
		}
		e, err := replay.Event(r)
		if errors.Is(err, machine.ErrNewer) {
			return err
		}
		if foldable && (err != nil || fold.Apply(e) != nil) {
			// A record that verifies but may not follow in the state is kept all
			// the same; of its floors only the epoch is known.
			foldable = false
		}
		return keep(r.Raw)
	})
	switch broken := prefix.Broken; {
	case err != nil:
		return nil, err
	case errors.Is(broken, errs.ErrNewer), errors.Is(broken, fs.ErrPermission):
		return nil, broken
	case errors.Is(broken, fs.ErrNotExist) && prefix.Tip.Seq == 0:
		prefix.Broken = errors.New("there is no " + layout.Dir + "/")
	}
	head, err := ReadHead(fsys)
	if err != nil {
		return nil, err
	}
	state := fold.State()
	event := machine.JournalSalvaged{
		V: 1, Predecessor: prefix.Journal, Size: prefix.Tip.Seq, LastHash: prefix.Tip.Hash.String(),
		Epoch: max(state.Epoch, epoch), Serial: state.Serial, TimeFloor: state.TimeFloor(req.Run).UTC(),
		ManifestKey: state.Keys.Newest(), CheckpointKey: state.Keys.Checkpoint,
		By: req.By, Reason: req.Reason,
	}
	if slot, ok := head.Newest(); ok {
		event.HeadSeq = slot.Tip.Seq
		if event.Predecessor == "" {
			event.Predecessor = slot.Journal
		}
	}
	if event.Predecessor == "" {
		event.Predecessor = req.Predecessor
	}
	if event.Ancestors, err = ancestors(fsys, event.Predecessor, state); err != nil {
		return nil, err
	}
	if err := req.owns(event, state); err != nil {
		return nil, err
	}
	raise(&event, claimed, head, foldable)
	event.Lost = lost(prefix, event)
	if req.Lost != "" {
		event.Lost = limited(req.Lost)
	}
	if req.Node == "" {
		req.Node = state.Node
	}
	if req.Node == "" {
		return nil, ErrNode
	}
	return plan(req, event)
}

func plan(req Request, event machine.JournalSalvaged) (*Plan, error) {
	data, err := machine.Encode(event)
	if err != nil {
		return nil, err
	}
	id, err := req.NewID()
	if err != nil {
		return nil, err
	}
	own, err := uuid.NewRandom()
	if err != nil {
		return nil, err
	}
	return &Plan{ID: own, Event: event, entry: record.Entry{
		ID: id, Type: string(machine.KindJournalSalvaged), Crit: true, Time: req.Now.UTC(), BootID: req.BootID,
		UptimeMS: req.UptimeMS, Run: req.Run, Node: req.Node, Epoch: event.Epoch, Data: data,
	}}, nil
}

// lost returns a sentence about the records that the new journal does not continue.
func lost(prefix journal.Prefix, e machine.JournalSalvaged) string {
	what := "nothing that was acknowledged"
	switch first := prefix.Tip.Seq + 1; {
	case e.HeadSeq == 0:
		what = fmt.Sprintf("all records after record %d, whose number is not known", prefix.Tip.Seq)
	case e.HeadSeq == first:
		what = fmt.Sprintf("record %d", first)
	case e.HeadSeq > first:
		what = fmt.Sprintf("records %d to %d", first, e.HeadSeq)
	}
	if prefix.Broken != nil {
		what += ": " + why(prefix.Broken)
	}
	return limited(what)
}

// limited cuts a long text.
func limited(text string) string {
	const limit = 2000 // bytes: far below a record's size
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return text
}

// why returns an error on one line, without the advice of the journal's errors, which the
// salvage itself follows.
func why(err error) string {
	text := err.Error()
	for j, ok := errors.AsType[*errs.Error](err); ok; j, ok = errors.AsType[*errs.Error](j.Err) {
		if j.Next != "" {
			text = strings.ReplaceAll(text, "; "+j.Next, "")
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

// Write makes the new journal and its head file below out.
func (p *Plan) Write(out durable.FS) (record.Record, error) {
	if err := durable.MkdirAll(out, stateroot.Bootstrap, 0o750); err != nil {
		return record.Record{}, err
	}
	w, rec, err := journal.Create(out, journal.DefaultLayout(), p.entry, journal.CreateOptions{ID: p.ID})
	if err != nil {
		return record.Record{}, err
	}
	return rec, w.Close()
}

// Predecessor writes the prefix as JSON lines to a file.
type Predecessor struct {
	file durable.File
	buf  *bufio.Writer
}

// NewPredecessor makes predecessor.jsonl in dir of fsys.
func NewPredecessor(fsys durable.FS, dir string) (*Predecessor, error) {
	f, err := fsys.Create(path.Join(dir, stateroot.PredecessorRecords), 0o640)
	if err != nil {
		return nil, err
	}
	return &Predecessor{file: f, buf: bufio.NewWriterSize(f, 256<<10)}, nil
}

// Keep adds a record's bytes as a line.
func (p *Predecessor) Keep(raw []byte) error {
	if _, err := p.buf.Write(raw); err != nil {
		return err
	}
	return p.buf.WriteByte('\n')
}

// Close flushes the file to the disk.
func (p *Predecessor) Close() error {
	err := p.buf.Flush()
	if err == nil {
		err = p.file.Sync()
	}
	return errors.Join(err, p.file.Close())
}
