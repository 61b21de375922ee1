package projections

import (
	"bytes"
	"fmt"

	"github.com/autonomyops/edged/machine"
)

// JudgeEvidence holds the evidence file found at path ([CurrentPath] or
// [PreviousPath]) against s. Before the journal's first EpochRotated nothing
// is judged; previous belongs to nothing until the second.
//
// Evidence decides nothing, so an edit is repaired and not a cause. That the
// event which an older file names exists is shown by resolving [References].
func JudgeEvidence(path string, found Found, s machine.State) (Verdict, error) {
	v := Verdict{Path: path, FoundBLAKE3: found.BLAKE3}
	due, err := recordOf(path, s)
	switch {
	case err != nil:
		return v, err
	case s.Current == nil:
		return v.as(NotJudged, ""), nil
	case due == nil && !found.Exists:
		return v.as(Agrees, ""), nil
	case !found.Exists:
		return v.as(Repair, ReasonMissing), nil
	}
	var want []byte
	if due != nil {
		if want, err = Evidence(*due); err != nil {
			return v, err
		}
		if bytes.Equal(found.Data, want) {
			return v.as(Agrees, ""), nil
		}
	}
	doc, err := parse(found.Data)
	if err != nil {
		return v.as(Repair, ReasonEdited), nil
	}
	if !doc.refers && s.Previous == nil {
		// Left by the software without a journal, up to this journal's first
		// epoch: of an earlier state, not edited.
		return v.as(Repair, ReasonStale), nil
	}
	return judgeEvidenceParsed(v, doc, want, due, s), nil
}

func judgeEvidenceParsed(v Verdict, doc *document, want []byte, due *machine.EpochRecord, s machine.State) Verdict {
	if doc.ref == nil || doc.ref.prev == "" {
		return v.as(Repair, ReasonEdited)
	}
	ref := *doc.ref
	if ref.id != s.Journal {
		if ofPredecessor(ref.id, s) {
			return v.as(Repair, ReasonStale)
		}
		return v.as(Foreign, fmt.Sprintf("it is of journal %s, this one is %s", ref.id, s.Journal))
	}
	if ref.seq > s.Seq {
		return v.as(Foreign, fmt.Sprintf("it names record %d, the journal ends at %d", ref.seq, s.Seq))
	}
	if due != nil && ref.seq == due.Meta.Seq {
		if ref.prev != due.Meta.Prev {
			return v.as(Foreign, fmt.Sprintf("it names record %d after %s, in this journal that follows %s", ref.seq, ref.prev, due.Meta.Prev))
		}
		equal, extra := agree(want, doc)
		switch {
		case !equal:
			return v.as(Repair, ReasonEdited)
		case extra:
			return v.as(Agrees, "") // a newer version wrote more
		}
		return v.as(Repair, ReasonReformatted)
	}
	return v.as(Repair, ReasonStale)
}

// recordOf gives the epoch that the file at path is the evidence of, nil where
// it is of none yet.
func recordOf(path string, s machine.State) (*machine.EpochRecord, error) {
	switch path {
	case CurrentPath:
		return s.Current, nil
	case PreviousPath:
		return s.Previous, nil
	}
	return nil, fmt.Errorf("judge evidence: %s is neither %s nor %s", path, CurrentPath, PreviousPath)
}
