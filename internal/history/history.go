// Package history opens the history of a node for reading: a state root, a
// journal directory, an exported .jsonl, or an audit bundle.
//
// It is byte-neutral: it creates, changes and locks nothing, and contents and
// modification times of all files and directories stay the same. A live node
// can be read while its gate runs, and the gate never waits for a reader. Only
// [Source.MakeDurable] does more: it syncs two files under the shared lock.
//
// It does not verify: an opened history may have been tampered with. Record
// and Records return an error if the chain is broken; RawRecords returns the
// stored bytes.
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

// Kind is the kind of history that a path holds.
type Kind string

// Kinds of evidence.
const (
	StateRoot Kind = "state root"
	Directory Kind = "journal directory"
	Export    Kind = "export"
	Bundle    Kind = "audit bundle"
)

// Source is a history open for reading. Its methods may be called from
// several goroutines. Bytes that an iteration yields are valid until its next
// step.
type Source struct {
	reader
	kind Kind
	path string
	root *durable.Root // nil for an export or a bundle
	view *journal.View // nil for an export or a bundle
	ctx  context.Context
}

// EndWith ends each stream of records with the error of ctx soon after ctx is
// done.
func (s *Source) EndWith(ctx context.Context) { s.ctx = ctx }

// Records streams records as Record returns them, and checks that each is
// linked to the one before.
func (s *Source) Records(from, to uint64) iter.Seq2[record.Record, error] {
	return ending(s.ctx, s.reader.Records(from, to))
}

// RawRecords streams the stored bytes. It checks only that no record is missing.
func (s *Source) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return ending(s.ctx, s.reader.RawRecords(from, to))
}

// ending ends stream when ctx is done. ctx may be nil; it is checked at every
// 256th value.
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

// reader reads a history of any kind.
type reader interface {
	// ID returns the journal's id.
	ID() string
	// First returns the seq of the first record. It is above 1 only for an
	// export that begins later.
	First() uint64
	// Tip returns seq and hash of the newest record.
	Tip() record.Tip
	// Record returns one record. It checks that the record is canonical, of
	// this journal and in its place.
	Record(seq uint64) (record.Record, error)
	// Records streams records as Record returns them, and checks that each is
	// linked to the one before.
	Records(from, to uint64) iter.Seq2[record.Record, error]
	// RawRecords streams the stored bytes. It checks only that no record is
	// missing. If to is math.MaxUint64 it streams all lines: an export may hold
	// more or fewer than the numbers of its records imply.
	RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error]
	// Snapshots yields the state snapshots of records up to atOrBefore, the
	// newest first.
	Snapshots(atOrBefore uint64) iter.Seq2[journal.Snapshot, error]
	Close() error
}

// Open opens the history at path. It also opens a damaged one that can be read;
// Damage reports the fault. Errors are [*errs.Error], or that of the temporary file
// for a bundle's records.
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
		_ = root.Close() // the view's error is the one that matters
		return nil, err
	}
	return &Source{reader: dir{view, root}, kind: kind, path: path, root: root, view: view}, nil
}

// Layout returns the layout of the journal in a history of this kind.
func Layout(kind Kind) journal.Layout {
	if kind == Directory {
		return journal.Layout{Dir: "."}
	}
	return journal.DefaultLayout()
}

// Kind returns the kind of the history.
func (s *Source) Kind() Kind { return s.kind }

// Path returns the path as it was given to Open.
func (s *Source) Path() string { return s.path }

// FS returns the directory that was opened, read-only; nil for an export or a
// bundle.
func (s *Source) FS() durable.FS {
	if s.root == nil {
		return nil
	}
	return s.root
}

// View returns the journal that was opened; nil for an export or a bundle.
func (s *Source) View() *journal.View { return s.view }

// MakeDurable makes the newest record durable, if the history is a state root, so
// that a power cut cannot undo it. A record that is not durable must not be signed
// or shown to others: after the power cut an honest node would contradict them. A
// gate that starts meanwhile waits for the sync of two files. The error is [journal.ErrBusy], or the disk's.
func (s *Source) MakeDurable() error {
	if s.kind != StateRoot {
		return nil
	}
	tip, err := journal.SyncHead(s.root, Layout(s.kind))
	if err == nil && tip.Seq < s.Tip().Seq {
		err = errs.Corrupt(Layout(s.kind).Head, 0, nil, "make the newest record durable: the head file acknowledges record %d of %d", tip.Seq, s.Tip().Seq)
	}
	return err
}

// Lines returns all bytes of an export, or of a bundle's records, unchecked;
// nil for a journal on disk.
func (s *Source) Lines() io.Reader {
	e, ok := s.reader.(*export)
	if !ok {
		return nil
	}
	return io.NewSectionReader(e.f, 0, e.all)
}

// Damage returns the damage that is known without a verification, or nil: an
// export is torn, out of order or incomplete, or a journal disagrees with its
// head file. The records can be read, but they must not be presented as a whole
// history.
func (s *Source) Damage() error {
	if e, ok := s.reader.(*export); ok {
		return e.damage
	}
	_, err := s.view.CheckHead(nil)
	return err
}

// IsDamage reports whether an error is about a damaged or incomplete history,
// rather than about a failure to read it.
func IsDamage(err error) bool {
	return slices.ContainsFunc([]error{errs.ErrCorrupt, errs.ErrTooLarge, journal.ErrTorn, journal.ErrForeign, journal.ErrRolledBack, journal.ErrRewritten},
		func(kind error) bool { return errors.Is(err, kind) })
}

// Torn reports whether an export ends within a record.
func (s *Source) Torn() bool {
	e, ok := s.reader.(*export)
	return ok && e.torn
}

// dir is the reader of a journal on disk.
type dir struct {
	*journal.View
	root *durable.Root
}

func (dir) First() uint64 { return 1 }

func (d dir) Close() error { return errors.Join(d.View.Close(), d.root.Close()) }

// resolve follows the links in a path that was typed. Beneath the result no
// link is followed.
func resolve(path string) (string, os.FileInfo, error) {
	at, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", nil, err
	}
	info, err := os.Lstat(at)
	return at, info, err
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
