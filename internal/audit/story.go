package audit

import (
	"context"
	"fmt"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/replay"
)

// told judges the journals that a bundle's continues, from the newest back:
// each must be exactly what the salvage after it says it kept.
func (a *auditor) told(ctx context.Context, p *parts) error {
	var before []*history.Source
	note := ""
	at := a.src
	for n := 1; ; n++ {
		name := predecessorName(n)
		src := p.before[name]
		delete(p.before, name)
		if src != nil {
			defer p.keep(name, src)
		}
		s, salvaged := replay.Salvaged(at)
		if !salvaged {
			if src != nil {
				a.bad(CodeStory, 0, "%s: journal %s does not continue any", name, at.ID())
			}
			break
		}
		if src == nil {
			note = fmt.Sprintf("of journal %s, which journal %s continues, no records are here: it kept %d, lost is %s", s.Predecessor, at.ID(), s.Size, s.Lost)
			break
		}
		if err := verify.Continues(s, src); err != nil {
			a.bad(CodeStory, 0, "%s: %v", name, err)
		}
		if err := a.predecessor(ctx, name, src); err != nil {
			return err
		}
		before = append(before, src)
		at = src
	}
	for name := range p.before {
		a.bad(CodeStory, 0, "%s: nothing here continues it", name)
	}
	a.story(before)
	for n, src := range before {
		for _, lower := range verify.Floors(a.all()[n], src) {
			a.bad(CodeStory, 1, "%s", lower)
		}
	}
	if note != "" {
		a.warn(CodeStoryAbsent, 1, "%s", note)
	}
	return nil
}

// keep gives a source back to who closes it.
func (p *parts) keep(name string, src *history.Source) { p.before[name] = src }

// predecessor judges the records of a journal before this one.
func (a *auditor) predecessor(ctx context.Context, name string, src *history.Source) error {
	rep, err := verify.Source(ctx, src, verify.Options{Deep: true, Progress: a.progress})
	if err != nil {
		return err
	}
	a.takeOver(rep.Findings, func(f journal.Finding) {
		switch {
		case f.Severity == journal.SeverityError:
			a.bad(CodeStory, f.Seq, "%s: journal %s: %s: %s", name, src.ID(), f.Code, f.Detail)
		case f.Code == verify.CodeKeyReplace, f.Code == verify.CodeKey, f.Code == verify.CodeStopped:
			// A salvage must not hide that a key was changed without a word of
			// the old one, or that something was not judged.
			a.warn(f.Code, f.Seq, "%s: journal %s: %s", name, src.ID(), f.Detail)
		}
	})
	return nil
}

// story says what the history continues, and what was lost on the way.
func (a *auditor) story(before []*history.Source) {
	a.before = before
	for _, src := range a.all() {
		if s, ok := replay.Salvaged(src); ok {
			a.warn(CodeSalvaged, 1, "journal %s continues journal %s, which was damaged: %d of its records were kept; lost is %s", src.ID(), s.Predecessor, s.Size, s.Lost)
		}
	}
}

// epochs makes each epoch's files again and holds the bundle's against them.
func (a *auditor) epochs(ctx context.Context, p *parts) error {
	told, whole := map[uint64]bool{}, true
	for _, src := range a.all() {
		// Damage has been found before; what precedes it is judged here.
		_, damage, err := eachEpoch(ctx, src, func(done, total uint64) { a.progress("epochs", done, total) }, func(e epoch) error {
			if told[e.number] {
				a.bad(CodeEpoch, e.seq, "epoch %d is completed twice", e.number)
				return nil
			}
			told[e.number] = true
			a.epoch(p, e)
			return nil
		})
		if err != nil {
			return err
		}
		whole = whole && damage == nil
	}
	if !whole {
		return nil // the records may have had an epoch that was not reached
	}
	for name := range p.epochs {
		a.bad(CodeEpoch, 0, "%s: the records have no such epoch", name)
	}
	return nil
}

// epoch judges the files of one, and strikes them off.
func (a *auditor) epoch(p *parts, e epoch) {
	key := manifestKeyName(e.manifest.Key)
	for _, f := range []struct {
		name string
		want []byte
		have map[string]record.Hash
	}{
		{replay.EpochFile(e.number, replay.EvidenceName), e.evidence, p.epochs},
		{replay.EpochFile(e.number, replay.ManifestName), e.manifest.Manifest, p.epochs},
		{replay.EpochFile(e.number, replay.SignatureName), e.manifest.Signature, p.epochs},
		{key, e.manifest.Key, p.keys},
	} {
		hash, ok := f.have[f.name]
		switch {
		case !ok:
			a.bad(CodeAbsent, e.seq, "%s is not in the bundle", f.name)
		case hash != record.HashOf(f.want):
			a.bad(CodeEpoch, e.seq, "%s is not what the records give", f.name)
		}
		if f.name != key {
			delete(p.epochs, f.name)
		}
	}
}
