package audit

import (
	"context"
	"fmt"
	"strings"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/replay"
)

// predecessorName returns the name of the records of the n-th predecessor, from
// 1, in a bundle.
func predecessorName(n int) string {
	if n == 1 {
		return stateroot.PredecessorRecords
	}
	return fmt.Sprintf("predecessor.%d.jsonl", n)
}

// isPredecessor reports whether name is that of a predecessor's records in a
// bundle.
func isPredecessor(name string) bool {
	return name == stateroot.PredecessorRecords || strings.HasPrefix(name, "predecessor.") && history.IsLines(name)
}

// hashOf returns the hash of a record, "" if it cannot be read.
func hashOf(src *history.Source, seq uint64) string {
	for raw, err := range src.RawRecords(seq, seq) {
		if err == nil {
			return record.HashOf(raw.Raw).String()
		}
	}
	return ""
}

// predecessors verifies the predecessors in a bundle, newest first: each must
// hold exactly the records that the salvage after it kept.
func (a *auditor) predecessors(ctx context.Context, p *contents) error {
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
				a.bad(CodePredecessor, 0, "%s: journal %s continues no other journal", name, at.ID())
			}
			break
		}
		if src == nil {
			note = fmt.Sprintf("journal %s continues journal %s, but the %d records kept of it are not in the bundle; lost: %s", at.ID(), s.Predecessor, s.Size, s.Lost)
			break
		}
		if err := verify.Continues(s, src); err != nil {
			a.bad(CodePredecessor, 0, "%s: %v", name, err)
		}
		if err := a.predecessor(ctx, name, src); err != nil {
			return err
		}
		before = append(before, src)
		at = src
	}
	for name := range p.before {
		a.bad(CodePredecessor, 0, "%s: no journal here continues it", name)
	}
	a.salvages(before)
	for n, src := range before {
		for _, wrong := range verify.Floors(a.all()[n], src) {
			a.bad(CodePredecessor, 1, "%s", wrong)
		}
	}
	if note != "" {
		a.warn(CodePredecessorAbsent, 1, "%s", note)
	}
	return nil
}

// keep returns a source to before, so that close closes it.
func (p *contents) keep(name string, src *history.Source) { p.before[name] = src }

// predecessor verifies the records of one predecessor.
func (a *auditor) predecessor(ctx context.Context, name string, src *history.Source) error {
	rep, err := verify.Source(ctx, src, verify.Options{Deep: true, Progress: a.progress})
	if err != nil {
		return err
	}
	a.takeOver(rep.Findings, func(f journal.Finding) {
		switch {
		case f.Severity == journal.SeverityError:
			a.bad(CodePredecessor, f.Seq, "%s: journal %s: %s: %s", name, src.ID(), f.Code, f.Detail)
		case f.Code == verify.CodeKeyReplace, f.Code == verify.CodeKey, f.Code == verify.CodeStopped:
			// A salvage must not hide that a key was replaced without a statement
			// of the old one, or that records were not verified.
			a.warn(f.Code, f.Seq, "%s: journal %s: %s", name, src.ID(), f.Detail)
		}
	})
	return nil
}

// salvages sets before, and reports each salvage and what it lost.
func (a *auditor) salvages(before []*history.Source) {
	a.before = before
	for _, src := range a.all() {
		if s, ok := replay.Salvaged(src); ok {
			a.warn(CodeSalvaged, 1, "journal %s continues journal %s, which was damaged; kept: %d records; lost: %s", src.ID(), s.Predecessor, s.Size, s.Lost)
		}
	}
}
