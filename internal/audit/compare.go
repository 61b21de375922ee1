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

// since compares the history with the older checkpoint, bundle, export or
// journal at path; "" is none. The error is ErrSince if that one is damaged
// itself.
func (a *auditor) since(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	_, kind, err := history.Detect(path)
	switch {
	case errors.Is(err, history.ErrNotEvidence):
		return a.sinceText(ctx, path)
	case err != nil:
		return fmt.Errorf("read the older history: %w", err)
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

// soundSince verifies each line of the older records: a reader by seq does not
// see the lines after one that occurs twice.
func (a *auditor) soundSince(ctx context.Context, path string, kept ...*history.Source) error {
	for _, src := range kept {
		rep, err := verify.Source(ctx, src, verify.Options{Progress: a.progress})
		if err != nil {
			return fmt.Errorf("%s %w: %w", path, ErrSince, err)
		}
		found := findings{list: rep.Findings}
		found.ended(path, src)
		for _, f := range found.list {
			partly := f.Code == journal.CodeGap && f.Seq == 1 && src.First() > 1 // an export that begins later can be compared
			if f.Severity == journal.SeverityError && !partly {
				return damagedSince(path, "%s", f.Detail)
			}
		}
	}
	return nil
}

// damagedSince returns the ErrSince for an older history that is damaged.
func damagedSince(path, format string, args ...any) error {
	return fmt.Errorf("%s %w: it is damaged itself: %s; use another copy of it", path, ErrSince, fmt.Sprintf(format, args...))
}

// sinceText compares with an older checkpoint.
func (a *auditor) sinceText(ctx context.Context, path string) error {
	f, err := history.OpenFile(path)
	if err != nil {
		return fmt.Errorf("read the older checkpoint: %w", err)
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
	a.witnessed(text, c)
	return a.sinceCheckpoint(ctx, c, signer)
}

// older reads an older checkpoint. signer is the trusted key that signed it, nil
// if none did.
func (a *auditor) older(path string, text []byte) (c transparency.Checkpoint, signer *transparency.Verifier, err error) {
	c, signer, err = open(text, a.keys)
	switch {
	case err != nil:
		return c, nil, fmt.Errorf("%s %w: %w; name a checkpoint, an older bundle or an export", path, ErrSince, err)
	case signer == nil && len(a.keys) > 0:
		a.bad(CodeSigner, 0, "the older checkpoint is not signed by %s; if the key was replaced since, give the key that signed it too, before the newer key", a.keyName(true))
	case signer == nil:
		a.warn(CodeKeyOrigin, 0, "the older checkpoint's signature was not verified, because no key was given")
	}
	return c, signer, nil
}

// sinceBundle checks an older bundle against its own list of hashes and
// checkpoint, and compares with it.
func (a *auditor) sinceBundle(ctx context.Context, path string) error {
	p, err := unpack(ctx, path, &findings{})
	if err != nil {
		return fmt.Errorf("read the older bundle: %w", err)
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

// history returns the journal with this id: the verified one, or one that it
// continues.
func (a *auditor) history(id string) (src *history.Source, ok bool) {
	for _, src := range a.all() {
		if src.ID() == id {
			return src, true
		}
	}
	return nil, false
}

// missing reports that records which were seen before are missing, from first on.
func (a *auditor) missing(src *history.Source, id string, seen uint64, first Difference) {
	have := uint64(0)
	if src != nil {
		have = src.Tip().Seq
	}
	a.report.First = &first
	a.bad(CodeTruncated, first.Seq, "%d records of journal %s were seen before, but here are %d", seen, id, have)
}

// foreign reports that the history neither is the journal that was seen before
// nor continues it. A predecessor without any record is reported as missing.
func (a *auditor) foreign(id string, seen uint64) {
	for _, src := range a.all() {
		if s, ok := replay.Salvaged(src); ok && s.Predecessor == id {
			a.missing(nil, id, seen, Difference{Journal: id, Seq: 1})
			return
		}
	}
	a.bad(CodeRewritten, 0, "journal %s was seen before, but this is journal %s, and no record says that it continues that one", id, a.report.Journal)
}

// sinceRecords compares with the records of old, and with those of the journals
// that old continues.
func (a *auditor) sinceRecords(ctx context.Context, old *history.Source, before []*history.Source) (same bool, err error) {
	a.report.Since = &Seen{Journal: old.ID(), Events: old.Tip().Seq}
	for _, seen := range append([]*history.Source{old}, before...) {
		if same, err := a.compare(ctx, seen); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// compare reports the first record of old that is missing or differs.
func (a *auditor) compare(ctx context.Context, old *history.Source) (same bool, err error) {
	id, tip := old.ID(), old.Tip()
	src, ok := a.history(id)
	if !ok {
		a.foreign(id, tip.Seq)
		return false, nil
	}
	next, stop := iter.Pull2(src.RawRecords(old.First(), tip.Seq))
	defer stop()
	var differs func() // reports the first difference, after old was read to its end
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
		case !more || err != nil || is.Seq != was.Seq: // an export may begin later
			differs = func() { a.missing(src, id, tip.Seq, first) }
		case !bytes.Equal(is.Raw, was.Raw):
			first.Is = record.HashOf(is.Raw).String()
			differs = func() {
				a.report.First = &first
				a.bad(CodeRewritten, first.Seq, "record %d of journal %s differs from the one seen before", first.Seq, id)
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
		a.missing(src, old.Journal, old.Size, Difference{Journal: old.Journal, Seq: 1})
		return nil
	case src.Tip().Seq < old.Size:
		a.missing(src, old.Journal, old.Size, Difference{Journal: old.Journal, Seq: src.Tip().Seq + 1})
		return nil
	}
	root, err := a.root(ctx, src, old.Size)
	if err != nil {
		return a.unread(err)
	}
	a.vouched = signer != nil && src == a.src && old.Size == src.Tip().Seq && root == old.Root
	if root != old.Root {
		a.bad(CodeRewritten, 0, "the first %d records of journal %s are not those that the older checkpoint covers: their root is %s, but it names %s; to see the first that differs, compare with an older bundle or export",
			old.Size, old.Journal, root, old.Root)
	}
	return nil
}

// root computes the Merkle root of the first size records.
func (a *auditor) root(ctx context.Context, src *history.Source, size uint64) (tlog.Hash, error) {
	return transparency.Root(ctx, src, size, func(done, total uint64) { a.progress("root", done, total) })
}

// unread reports an error of reading records: damage is a finding; any other
// error is returned.
func (a *auditor) unread(err error) error {
	if !history.IsDamage(err) {
		return fmt.Errorf("compute the Merkle root: %w", err)
	}
	a.once(CodeRewritten, journal.FindingOf(err))
	return nil
}

// open reads a checkpoint. signer is the key that signed it, nil if none of keys
// did.
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
