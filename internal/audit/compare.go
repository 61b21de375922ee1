package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/replay"
)

// since holds the history against what the auditor kept from before: a
// checkpoint, or the records themselves; "" is nothing. What is torn or damaged
// itself is no measure: the error is then ErrSince.
func (a *auditor) since(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	_, kind, err := history.Detect(path)
	switch {
	case errors.Is(err, history.ErrNotEvidence):
		return a.sinceText(ctx, path)
	case err != nil:
		return fmt.Errorf("read what the history is to be compared with: %w", err)
	case kind == history.Bundle:
		return a.sinceBundle(ctx, path)
	}
	old, err := history.Open(path)
	if err != nil {
		return fmt.Errorf("%s %w: %w", path, ErrSince, err)
	}
	defer old.Close() //nolint:errcheck // read-only
	before, _ := verify.Predecessors(old)
	defer func() {
		for _, src := range before {
			_ = src.Close() // read-only
		}
	}()
	if err := a.soundSince(ctx, path, append(before, old)...); err != nil {
		return err
	}
	_, err = a.sinceRecords(ctx, old, before)
	return err
}

// soundSince verifies records that were kept, each line of them: of a doubled
// one, a reader that goes by positions would not see what comes after it.
func (a *auditor) soundSince(ctx context.Context, path string, kept ...*history.Source) error {
	for _, src := range kept {
		rep, err := verify.Source(ctx, src, verify.Options{Progress: a.progress})
		if err != nil {
			return fmt.Errorf("%s %w: %w", path, ErrSince, err)
		}
		found := findings{list: rep.Findings}
		found.ended(path, src)
		for _, f := range found.list {
			partly := f.Code == journal.CodeGap && f.Seq == 1 && src.First() > 1 // an export of a part is a measure for that part
			if f.Severity == journal.SeverityError && !partly {
				return damagedSince(path, "%s", f.Detail)
			}
		}
	}
	return nil
}

// damagedSince is the error for a measure that is damaged itself.
func damagedSince(path, format string, args ...any) error {
	return fmt.Errorf("%s %w: it is damaged itself: %s; take the copy that it was made from", path, ErrSince, fmt.Sprintf(format, args...))
}

// sinceText compares with a checkpoint.
func (a *auditor) sinceText(ctx context.Context, path string) error {
	f, err := history.OpenFile(path)
	if err != nil {
		return fmt.Errorf("read what the history is to be compared with: %w", err)
	}
	defer f.Close() //nolint:errcheck // read-only
	text, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	c, signer, err := a.older(path, text)
	if err != nil {
		return err
	}
	a.report.Since = &Seen{Journal: c.Journal, Events: c.Size}
	return a.sinceCheckpoint(ctx, c, signer)
}

// older reads a checkpoint that was kept, and finds by whom of the keys that
// are believed it is signed.
func (a *auditor) older(path string, text []byte) (c transparency.Checkpoint, signer *transparency.Verifier, err error) {
	c, signer, err = open(text, a.keys)
	switch {
	case err != nil:
		return c, nil, fmt.Errorf("%s %w: %w; name a checkpoint, an older bundle or an export", path, ErrSince, err)
	case signer == nil && len(a.keys) > 0:
		a.bad(CodeSigner, 0, "the older checkpoint is not signed by %s; where the key was replaced since, give the one that signed it as well, before the newer", a.keyName(true))
	case signer == nil:
		a.warn(CodeKeyOrigin, 0, "the older checkpoint's signature was not verified: no key was given")
	}
	return c, signer, nil
}

// sinceBundle compares with a bundle, which is first held against its own list
// of hashes and its own checkpoint.
func (a *auditor) sinceBundle(ctx context.Context, path string) error {
	p, err := takeApart(ctx, path, &findings{})
	if err != nil {
		return fmt.Errorf("read what the history is to be compared with: %w", err)
	}
	defer p.close()
	for _, f := range p.list {
		if f.Severity == journal.SeverityError {
			return damagedSince(path, "%s", f.Detail)
		}
	}
	if p.damage != nil {
		return damagedSince(path, "%v", p.damage)
	}
	old := p.records
	var before []*history.Source
	for _, name := range slices.Sorted(maps.Keys(p.before)) {
		before = append(before, p.before[name])
	}
	if err := a.soundSince(ctx, path, append(before, old)...); err != nil {
		return err
	}
	var signer *transparency.Verifier
	if p.checkpoint != nil {
		var c transparency.Checkpoint
		if c, signer, err = a.older(path, p.checkpoint); err != nil {
			return err
		}
		root, err := a.root(ctx, old, old.Tip().Seq)
		if err != nil {
			return fmt.Errorf("%s %w: %w", path, ErrSince, err)
		}
		if c != (transparency.Checkpoint{Journal: old.ID(), Size: old.Tip().Seq, Root: root}) {
			return damagedSince(path, "its checkpoint is not over its records")
		}
	}
	same, err := a.sinceRecords(ctx, old, before)
	a.vouched = same && signer != nil && old.ID() == a.src.ID() && old.Tip().Seq == a.src.Tip().Seq
	return err
}

// history is the journal with this id: the one that is judged, or one that it
// continues.
func (a *auditor) history(id string) (src *history.Source, ok bool) {
	for _, src := range a.all() {
		if src.ID() == id {
			return src, true
		}
	}
	return nil, false
}

// gone says that records which were seen are not here, from the first on.
func (a *auditor) gone(src *history.Source, id string, seen uint64, first Difference) {
	have := uint64(0)
	if src != nil {
		have = src.Tip().Seq
	}
	a.report.First = &first
	a.bad(CodeTruncated, first.Seq, "%d records of journal %s were seen before, here are %d", seen, id, have)
}

// foreign says that nothing leads from what was seen to what is here. A
// journal that a salvage names, and of which nothing is here, is gone.
func (a *auditor) foreign(id string, seen uint64) {
	for _, src := range a.all() {
		if s, ok := replay.Salvaged(src); ok && s.Predecessor == id {
			a.gone(nil, id, seen, Difference{Journal: id, Seq: 1})
			return
		}
	}
	a.bad(CodeRewritten, 0, "what was seen before is of journal %s; this is journal %s, and nothing here says that it continues that one", id, a.report.Journal)
}

// sinceRecords compares with the records that were seen, and with those that
// came with them of the journals before.
func (a *auditor) sinceRecords(ctx context.Context, old *history.Source, before []*history.Source) (same bool, err error) {
	a.report.Since = &Seen{Journal: old.ID(), Events: old.Tip().Seq}
	for _, seen := range append([]*history.Source{old}, before...) {
		if same, err := a.compare(ctx, seen); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// compare looks for the first record of old that is not here.
func (a *auditor) compare(ctx context.Context, old *history.Source) (same bool, err error) {
	id, tip := old.ID(), old.Tip()
	src, ok := a.history(id)
	if !ok {
		a.foreign(id, tip.Seq)
		return false, nil
	}
	next, stop := iter.Pull2(src.RawRecords(old.First(), tip.Seq))
	defer stop()
	var differs func() // set at the first difference; what was seen is then only read to its end
	for was, err := range old.Records(old.First(), tip.Seq) {
		if err != nil {
			return false, fmt.Errorf("%s %w: it is damaged itself: %w", old.Path(), ErrSince, err)
		}
		if was.Seq%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			a.progress("compare", was.Seq, tip.Seq)
		}
		if differs != nil {
			continue
		}
		is, err, more := next()
		first := Difference{Journal: id, Seq: was.Seq, Was: was.Hash.String()}
		switch {
		case !more || err != nil || is.Seq != was.Seq: // an export of a part begins later
			differs = func() { a.gone(src, id, tip.Seq, first) }
		case !bytes.Equal(is.Raw, was.Raw):
			first.Is = record.HashOf(is.Raw).String()
			differs = func() {
				a.report.First = &first
				a.bad(CodeRewritten, first.Seq, "record %d of journal %s is another than the one seen before", first.Seq, id)
			}
		}
	}
	if differs != nil {
		differs()
	}
	return differs == nil, nil
}

func (a *auditor) sinceCheckpoint(ctx context.Context, old transparency.Checkpoint, signer *transparency.Verifier) error {
	src, ok := a.history(old.Journal)
	switch {
	case !ok:
		a.foreign(old.Journal, old.Size)
		return nil
	case src.First() != 1:
		a.gone(src, old.Journal, old.Size, Difference{Journal: old.Journal, Seq: 1})
		return nil
	case src.Tip().Seq < old.Size:
		a.gone(src, old.Journal, old.Size, Difference{Journal: old.Journal, Seq: src.Tip().Seq + 1})
		return nil
	}
	root, err := a.root(ctx, src, old.Size)
	if err != nil {
		return a.unread(err)
	}
	a.vouched = signer != nil && src == a.src && old.Size == src.Tip().Seq && root == old.Root
	if root != old.Root {
		a.bad(CodeRewritten, 0, "the first %d records of journal %s are not those that the older checkpoint covers: their root is %s, it says %s; an older bundle or export, given instead, shows the first that differs",
			old.Size, old.Journal, root, old.Root)
	}
	return nil
}

// root computes the Merkle root of the first size records.
func (a *auditor) root(ctx context.Context, src *history.Source, size uint64) (tlog.Hash, error) {
	return transparency.Root(ctx, src, size, func(done, total uint64) { a.progress("root", done, total) })
}

// unread takes an error of reading records for what it is: damage, which is a
// finding, or something that keeps from judging at all.
func (a *auditor) unread(err error) error {
	if !history.IsDamage(err) {
		return fmt.Errorf("compute the Merkle root: %w", err)
	}
	a.once(CodeRewritten, journal.FindingOf(err))
	return nil
}

// open reads a checkpoint; signer is nil where none of the keys has signed it.
func open(text []byte, keys []transparency.Verifier) (c transparency.Checkpoint, signer *transparency.Verifier, err error) {
	c, v, err := transparency.Open(text, keys...)
	switch {
	case errors.Is(err, transparency.ErrSigner):
		return c, nil, nil
	case err != nil:
		return c, nil, err
	}
	return c, &v, nil
}
