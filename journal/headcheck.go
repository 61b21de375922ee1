package journal

import "fmt"

// Ref is a record that a file outside the journal refers to.
type Ref struct {
	Path    string // of the file
	Journal string
	Seq     uint64
	Hash    Hash
}

// HeadStep says what OpenWriter does to the head file before the first append.
type HeadStep int

// Steps.
const (
	// HeadNone: the head file names the tip.
	HeadNone HeadStep = iota
	// HeadAdvance: a crash came between a record and its head update.
	HeadAdvance
	// HeadRewrite: one slot or the whole file was bad or absent, and what the
	// journal holds was proved without it. The caller journals HeadRebuilt.
	HeadRewrite
)

// HeadAction is the outcome of CheckHead, carried out by OpenWriter.
type HeadAction struct {
	Step  HeadStep
	Found string // for HeadRewrite: what was found in the head file's place
}

// CheckHead judges the head file and every reference against the journal, as
// the specification's table says:
//
//	equals the tip                           HeadNone
//	behind, and the journal links up to tip  HeadAdvance
//	ahead, or another hash at its seq        ErrRolledBack, ErrRewritten
//	one slot bad                             HeadRewrite, judged by the other
//	both bad, or absent                      HeadRewrite, if the whole journal
//	                                         verifies and every ref resolves
//
// References are checked in every case: one beyond the tip is ErrRolledBack,
// one to another hash ErrRewritten, one to another journal ErrForeign. A slot
// of a newer format is ErrNewer.
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

func (v *View) judgeHead() (HeadAction, error) {
	h := v.head
	if h.Path == "" {
		return HeadAction{}, nil
	}
	bad := 0
	for _, s := range h.Slots {
		switch s.State {
		case SlotNewer:
			return HeadAction{}, &Error{Kind: ErrNewer, Path: h.Path, Detail: "judge the head file", Next: nextUpgrade}
		case SlotBad:
			bad++
			continue
		}
		// An intact slot must agree, whether it is the newest or not.
		if err := v.resolve(Ref{Path: h.Path, Journal: s.Journal, Seq: s.Tip.Seq, Hash: s.Tip.Hash}); err != nil {
			return HeadAction{}, err
		}
	}
	newest, ok := h.Newest()
	if !ok {
		if err := v.unrested(); err != nil {
			return HeadAction{}, err
		}
		if err := v.verifyFrom(1); err != nil {
			return HeadAction{}, err
		}
		found := "both slots bad"
		if !h.Present {
			found = "absent"
		}
		return HeadAction{Step: HeadRewrite, Found: found}, nil
	}
	if err := v.verifyFrom(newest.Tip.Seq); err != nil {
		return HeadAction{}, err
	}
	switch {
	case bad > 0:
		return HeadAction{Step: HeadRewrite, Found: "one slot bad"}, nil
	case newest.Tip != v.tip:
		return HeadAction{Step: HeadAdvance}, nil
	}
	return HeadAction{}, nil
}

// resolve checks that the journal holds what r refers to.
func (v *View) resolve(r Ref) error {
	what := "check the reference in " + r.Path
	switch {
	case r.Journal != v.ID():
		return &Error{Kind: ErrForeign, Path: r.Path, Seq: r.Seq, Next: nextOwner,
			Detail: fmt.Sprintf("%s: it names journal %.40s, this is %s", what, r.Journal, v.ID())}
	case r.Seq == 0:
		return corrupt(r.Path, 0, nil, "%s: it names record 0", what)
	case r.Seq > v.tip.Seq:
		return &Error{Kind: ErrRolledBack, Path: r.Path, Seq: r.Seq, Next: nextRestore,
			Detail: fmt.Sprintf("%s: acknowledged history is gone, the journal ends at record %d", what, v.tip.Seq)}
	}
	rec, err := v.Record(r.Seq)
	if err != nil {
		return err
	}
	if rec.Hash != r.Hash {
		return &Error{Kind: ErrRewritten, Path: r.Path, Seq: r.Seq, Next: nextRestore,
			Detail: fmt.Sprintf("%s: it names hash %s, the journal has %s", what, r.Hash, rec.Hash)}
	}
	return nil
}
