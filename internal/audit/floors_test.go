package audit_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// A salvage with a lower floor than the records it kept would allow an old
// manifest, or any key, again.
func TestFloorsOfASalvage(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	for name, alter := range map[string]func(p *machine.JournalSalvaged){
		"":              func(*machine.JournalSalvaged) {},
		"epoch":         func(p *machine.JournalSalvaged) { p.Epoch-- },
		"serial none":   func(p *machine.JournalSalvaged) { p.Serial = nil },
		"serial 0":      func(p *machine.JournalSalvaged) { p.Serial = new(int64) },
		"time floor":    func(p *machine.JournalSalvaged) { p.TimeFloor = p.TimeFloor.Add(-time.Nanosecond) },
		"manifest key ": func(p *machine.JournalSalvaged) { p.ManifestKey = strings.Repeat("0", 64) },
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, h.Dir)
			kept := pretend(t, &s, s.lines(t), alter)
			r := verdict(t, key.forged(t, s.lines(t), kept), audit.VerifyOptions{Key: key.public})
			found := ""
			for _, f := range r.Findings {
				if f.Code == audit.CodePredecessor {
					found += f.Detail
				}
			}
			if r.OK != (name == "") || (name != "") != strings.Contains(found, " carries "+name) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Warnings about a predecessor are reported, for a bundle and for a state root.
func TestWarningsBeforeASalvage(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	key.install(t, h.Dir)
	was := h.State.Journal
	h.NextBoot()
	h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, OldKey: h.State.Keys.Newest(), NewKey: strings.Repeat("0", 64), By: "mallory", Reason: "none"})
	h.Stop()
	salvaged(t, h, 14)
	data, _ := sealed(t, h.Dir)
	for _, path := range []string{write(t, data), h.Dir} {
		r := verdict(t, path, audit.VerifyOptions{})
		if !r.OK || r.Verdict != audit.Salvaged || !has(r, verify.CodeKeyReplace) || !says(r, "predecessor.jsonl: journal "+was+": the manifest key was replaced") {
			t.Errorf("%s: %+v", path, r)
		}
	}
	// A predecessor with a record of a newer release is not verified.
	h = begin(t)
	s := read(t, h.Dir)
	s.entries[12].Type = "Interlude"
	lines := s.lines(t)
	kept := pretend(t, &s, lines[:12])
	before := lines[12]
	tail, err := record.Decode(before)
	historytest.Check(t, err)
	p, err := machine.Decode(machine.KindJournalSalvaged, true, s.entries[0].Data)
	historytest.Check(t, err)
	salvage := p.(machine.JournalSalvaged)
	salvage.Size, salvage.LastHash = 13, tail.Hash.String()
	s.put(t, 1, salvage)
	if r, err := audit.Verify(t.Context(), key.forged(t, s.lines(t), append(kept, before)), audit.VerifyOptions{Key: key.public}); !errors.Is(err, errs.ErrNewer) {
		t.Errorf("%v, %+v", err, r)
	}
}
