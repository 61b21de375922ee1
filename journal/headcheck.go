package journal

import (
	"fmt"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// Ref is a record that a file outside the journal refers to.
type Ref struct {
	Path    string // of the file
	Journal string
	Seq     uint64
	Hash    record.Hash
}

// HeadAction is the outcome of CheckHead. OpenWriter carries it out.
type HeadAction struct {
	// Rebuilt is the fault that was found in the head file: one slot bad,
	// both slots bad, or absent; "" if both slots are good. The journal was
	// verified without the bad slots. The caller journals HeadRebuilt.
	Rebuilt string
	// BehindBase: the head file is older than the newest settled record. No
	// crash causes that; somebody put an older head file back.
	BehindBase bool
}

// CheckHead judges the head file and every reference against the journal, by
// the table of the specification:
//
//	equals the tip                           go on
//	behind, and the journal links up to tip  go on: the next append acknowledges
//	ahead, or another hash at its seq        ErrRolledBack, errs.ErrCorrupt, ErrRewritten
//	one slot bad                             Rebuilt, judged by the other
//	both bad, or absent                      Rebuilt, if the whole journal
//	                                         verifies and every ref resolves
//
// References are checked in every case: one beyond the tip is ErrRolledBack,
// one to another hash ErrRewritten, one to another journal ErrForeign. A slot
// of a newer format is errs.ErrNewer.
func (v *View) CheckHead(refs []Ref) (HeadAction, error) {
	act, err := v.judgeHead()
	if err != nil {
		return HeadAction{}, err
	}
	for _, r := range refs {
		if err := v.resolve(r); err != nil {
			return HeadAction{}, err
		}
	}
	return act, nil
}

func (v *View) judgeHead() (act HeadAction, err error) {
	h := v.head
	if h.Path == "" {
		return act, nil
	}
	newest := h.newest()
	for i, s := range h.Slots {
		switch {
		case s.State == SlotNewer:
			return act, &errs.Error{Kind: errs.ErrNewer, Path: h.Path, Detail: "judge the head file", Next: errs.NextUpgrade}
		case s.State == SlotBad:
			act.Rebuilt = "one slot bad"
		case i != newest && s.Journal == v.text && s.Tip.Seq < v.tail.header.base.Seq:
			// The older slot of a journal that has just settled. The newer slot
			// acknowledges everything that this one does.
		default:
			if err := v.resolve(Ref{Path: h.Path, Journal: s.Journal, Seq: s.Tip.Seq, Hash: s.Tip.Hash}); err != nil {
				return act, err
			}
		}
	}
	if newest < 0 {
		act.Rebuilt = "both slots bad"
		if !h.Present {
			act.Rebuilt = "absent"
		}
		return act, v.proveWithoutHead()
	}
	if seq := h.Slots[newest].Tip.Seq; seq < v.tail.header.base.Seq {
		act.BehindBase = true
		return act, v.verifyFrom(seq + 1)
	}
	return act, nil
}

// proveWithoutHead refuses a journal that could have lost its newest record:
// with no head file, a torn last frame cannot be distinguished from a lost one.
func (v *View) proveWithoutHead() error {
	if !v.end.acceptable {
		return &errs.Error{Kind: ErrRolledBack, Path: v.tail.path, Seq: v.tip.Seq, Next: nextRestore, Err: v.end.err,
			Detail: "judge the journal without a head file: the bytes after its last record may be an acknowledged record"}
	}
	return v.verifyFrom(1)
}

// resolve checks that the journal holds the record that r refers to.
func (v *View) resolve(r Ref) error {
	what := "check the reference in " + r.Path
	switch {
	case r.Journal != v.text:
		return &errs.Error{Kind: ErrForeign, Path: r.Path, Seq: r.Seq, Next: nextOwner,
			Detail: fmt.Sprintf("%s: it names journal %.40s, this is %s", what, r.Journal, v.text)}
	case r.Seq == 0:
		return errs.Corrupt(r.Path, 0, nil, "%s: it names record 0", what)
	case r.Seq > v.tip.Seq && v.end.err != nil:
		return errs.Corrupt(v.tail.path, v.tip.Seq+1, v.end.err, "%s: acknowledged history is damaged, the journal ends at record %d", what, v.tip.Seq)
	case r.Seq > v.tip.Seq:
		return &errs.Error{Kind: ErrRolledBack, Path: r.Path, Seq: r.Seq, Next: nextRestore,
			Detail: fmt.Sprintf("%s: acknowledged history is gone, the journal ends at record %d", what, v.tip.Seq)}
	}
	hash, err := v.hashAt(r.Seq)
	if err != nil {
		return err
	}
	if hash != r.Hash {
		return &errs.Error{Kind: ErrRewritten, Path: r.Path, Seq: r.Seq, Next: nextRestore,
			Detail: fmt.Sprintf("%s: it names hash %s, the journal has %s", what, r.Hash, hash)}
	}
	return nil
}

// verifyFrom follows the chain from a record to the tip.
func (v *View) verifyFrom(seq uint64) error {
	for _, err := range v.Records(seq, v.tip.Seq) {
		if err != nil {
			return err
		}
	}
	return nil
}
