// Package history opens the history of a node for those who only look: a
// state root, a bare journal directory, an exported .jsonl, or an audit bundle.
//
// It is byte-neutral. Nothing is created, changed or locked, on a writable
// copy as on a read-only mount; contents and modification times of every file
// and directory are the same before and after. A live node can be read while
// its gate runs, and the gate never waits for a reader.
//
// Neither does it judge: what is opened here may have been tampered with.
// Records and Record refuse what breaks the chain; RawRecords gives what is
// there.
package history

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// Kind says what a path was found to be.
type Kind string

// Kinds of evidence.
const (
	StateRoot Kind = "state root"
	Directory Kind = "journal directory"
	Export    Kind = "export"
	Bundle    Kind = "audit bundle"
)

// Source is a history open for reading. Its methods may be called from
// several goroutines; the bytes that an iteration gives are valid until its
// next step.
type Source struct {
	reader
	kind Kind
	path string
	root *durable.Root // nil for an export or a bundle
	view *journal.View // nil for an export or a bundle
	ctx  context.Context
}

// EndWith ends each stream of records with the error of ctx, soon after ctx
// has ended.
func (s *Source) EndWith(ctx context.Context) { s.ctx = ctx }

// Records streams records as Record reads them, each linked to the one before.
func (s *Source) Records(from, to uint64) iter.Seq2[record.Record, error] {
	return ending(s.ctx, s.reader.Records(from, to))
}

// RawRecords streams the stored bytes with nothing checked but that none is
// missing.
func (s *Source) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return ending(s.ctx, s.reader.RawRecords(from, to))
}

// ending looks at ctx, which may be nil, now and then.
func ending[T any](ctx context.Context, stream iter.Seq2[T, error]) iter.Seq2[T, error] {
	if ctx == nil {
		return stream
	}
	return func(yield func(T, error) bool) {
		n := 0
		for v, err := range stream {
			if n%256 == 0 && ctx.Err() != nil {
				var none T
				yield(none, ctx.Err())
				return
			}
			if n++; !yield(v, err) {
				return
			}
		}
	}
}

// reader is what every kind of evidence can do.
type reader interface {
	// ID is the journal's id.
	ID() string
	// First is the seq of the first record that is here: 1, but for an export
	// that begins later.
	First() uint64
	// Tip is the newest record.
	Tip() record.Tip
	// Record reads one record: canonical, of this journal, in its place.
	Record(seq uint64) (record.Record, error)
	// Records streams records as Record reads them, each linked to the one before.
	Records(from, to uint64) iter.Seq2[record.Record, error]
	// RawRecords streams the stored bytes with nothing checked but that none
	// is missing. To math.MaxUint64 it streams all there is: an export may hold
	// more lines, or fewer, than the numbers of its records say.
	RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error]
	// Snapshots yields the state snapshots at records not after one, the newest
	// first.
	Snapshots(atOrBefore uint64) iter.Seq2[journal.Snapshot, error]
	Close() error
}

// Open opens the evidence at path. What is wrong with a history that can be read
// is its Damage. Errors are an [*Error], or a [*errs.Error] if there is a
// journal that cannot be opened, or no record at all.
func Open(path string) (*Source, error) {
	at, kind, err := Detect(path)
	if err != nil {
		return nil, err
	}
	var src *Source
	switch kind {
	case Export:
		var e *export
		if e, err = openExport(at); err == nil {
			src = &Source{reader: e}
		}
	case Bundle:
		src, err = openBundle(at)
	default:
		return openJournal(path, at, kind)
	}
	if err != nil {
		return nil, err
	}
	if src.Tip().Seq == 0 {
		return nil, errors.Join(src.Damage(), src.Close())
	}
	src.kind, src.path = kind, path
	return src, nil
}

func openJournal(path, at string, kind Kind) (*Source, error) {
	root, err := durable.OpenRootReadOnly(at)
	if err != nil {
		return nil, unreadable(path, err)
	}
	view, err := journal.OpenLiveView(root, Layout(kind))
	if err != nil {
		_ = root.Close() // the view's error says what matters
		return nil, err
	}
	return &Source{reader: dir{view, root}, kind: kind, path: path, root: root, view: view}, nil
}

// Layout is where a journal lies beneath what was opened.
func Layout(kind Kind) journal.Layout {
	if kind == Directory {
		return journal.Layout{Dir: "."}
	}
	return journal.DefaultLayout()
}

// Kind says what was opened.
func (s *Source) Kind() Kind { return s.kind }

// Path is what was opened, as it was named.
func (s *Source) Path() string { return s.path }

// FS is the tree that was opened, read-only; nil for an export or a bundle. Beneath a
// state root it holds the projections.
func (s *Source) FS() durable.FS {
	if s.root == nil {
		return nil
	}
	return s.root
}

// View is the journal that was opened; nil for an export or a bundle.
func (s *Source) View() *journal.View { return s.view }

// Lines gives the bytes of an export, or of a bundle's records, from the
// beginning and as they are, so that each line can be judged; nil for a
// journal on disk.
func (s *Source) Lines() io.Reader {
	e, ok := s.reader.(*export)
	if !ok {
		return nil
	}
	return io.NewSectionReader(e.f, 0, e.all)
}

// Damage is why the history is not what it should be, as far as it can be known
// without verifying it: an export is torn, in disorder or incomplete, or a
// journal does not agree with the head file beside it. What is there can be
// read; nothing that stands for the whole may be made of it. nil: no damage is
// known.
func (s *Source) Damage() error {
	if e, ok := s.reader.(*export); ok {
		return e.damage
	}
	_, err := s.view.CheckHead(nil)
	return err
}

// IsDamage reports whether an error says that a history is damaged or incomplete,
// and not that it could not be read.
func IsDamage(err error) bool {
	return slices.ContainsFunc([]error{errs.ErrCorrupt, errs.ErrTooLarge, journal.ErrTorn, journal.ErrForeign, journal.ErrRolledBack, journal.ErrRewritten},
		func(kind error) bool { return errors.Is(err, kind) })
}

// Torn reports whether an export ends in a part of a record.
func (s *Source) Torn() bool {
	e, ok := s.reader.(*export)
	return ok && e.torn
}

// dir is a journal on disk as a reader.
type dir struct {
	*journal.View
	root *durable.Root
}

func (dir) First() uint64 { return 1 }

func (d dir) Close() error { return errors.Join(d.View.Close(), d.root.Close()) }

// resolve follows the links of a path that somebody typed; what is beneath
// the directory it leads to is opened without following any.
func resolve(path string) (string, os.FileInfo, error) {
	at, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", nil, err
	}
	info, err := os.Lstat(at)
	return at, info, err
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
