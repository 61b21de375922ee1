package projections

import (
	"bytes"
	"fmt"

	"github.com/autonomyops/edged/machine"
)

// JudgeEvidence compares the evidence file found at path ([CurrentPath] or
// [PreviousPath]) with s. Before the journal's first EpochRotated nothing is
// judged; until the second, there must be no previous evidence.
//
// No decision depends on evidence, so an edit is repaired and causes no
// reconstruction. [References] checks that the event which an older file names
// exists.
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
		// The journal-less software left it, and it stays until this
		// journal's first epoch: it is stale, not edited.
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
		if ofAncestor(ref.id, s) {
			return v.as(Repair, ReasonStale)
		}
		return v.as(Foreign, fmt.Sprintf("it is of journal %s, but this is journal %s", ref.id, s.Journal))
	}
	if ref.seq > s.Seq {
		return v.as(Foreign, fmt.Sprintf("it names record %d, but the journal ends at record %d", ref.seq, s.Seq))
	}
	if due != nil && ref.seq == due.Meta.Seq {
		if ref.prev != due.Meta.Prev {
			return v.as(Foreign, fmt.Sprintf("it names record %d after hash %s, but in this journal that record follows %s", ref.seq, ref.prev, due.Meta.Prev))
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

// recordOf returns the epoch to which the file at path belongs, nil if there is
// none yet.
func recordOf(path string, s machine.State) (*machine.EpochRecord, error) {
	switch path {
	case CurrentPath:
		return s.Current, nil
	case PreviousPath:
		return s.Previous, nil
	}
	return nil, fmt.Errorf("judge evidence: %s is neither %s nor %s", path, CurrentPath, PreviousPath)
}
