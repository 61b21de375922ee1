package projections

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/autonomyops/edged/machine"
)

// Lookup returns the event at a seq between 1 and the journal's tip.
type Lookup func(seq uint64) (machine.Event, error)

// JudgeFingerprint compares os_fingerprint.json as found with the baseline of s.
// The file is not judged if there is no baseline (see [Classify]), while a
// reconstruction is open, and in a salvaged journal before its first EpochRotated.
// lookup is called only for a file that names an older event.
//
// The order of the checks matters. A file that an EpochRotated has replaced is
// recognised by its bytes, before anything in it is used. A file is called foreign
// only after its digest shows that nobody edited it.
func JudgeFingerprint(found Found, s machine.State, lookup Lookup) (Verdict, error) {
	v := Verdict{Path: FingerprintPath, FoundBLAKE3: found.BLAKE3}
	b := s.Baseline
	if b == nil || s.Open != nil || s.Phase == machine.PhaseSalvaged {
		return v.as(NotJudged, ""), nil
	}
	if !found.Exists {
		return v.as(Repair, ReasonMissing), nil
	}
	want, err := Fingerprint(s.Journal, *b)
	if err != nil {
		return v, err
	}
	if bytes.Equal(found.Data, want) {
		return v.as(Agrees, ""), nil
	}
	if b.ReplacedFileBLAKE3 != "" && found.BLAKE3 == b.ReplacedFileBLAKE3 {
		return v.as(Repair, ReasonAnswered), nil
	}
	if adopted(found, s) {
		if s.Phase == machine.PhaseAdopted {
			return v.as(NotJudged, ""), nil // its reconstruction is due and will replace it
		}
		return v.as(Repair, ReasonAnswered), nil
	}
	if found.irregular {
		return v.cause(machine.CauseTampered, strings.TrimSpace(string(found.Data))), nil
	}
	doc, err := parse(found.Data)
	if doc != nil {
		claims, wrong := doc.claims()
		v.PreviousHash, v.FoundEpoch = claims.CompositeHash, claims.epoch
		if err == nil {
			err = wrong
		}
	}
	if err != nil {
		return v.cause(machine.CauseTampered, err.Error()), nil
	}
	return judgeParsed(v, doc, want, s, lookup)
}

// adopted reports whether found is, byte for byte, the legacy file from which the
// baseline was adopted.
func adopted(found Found, s machine.State) bool {
	return s.Baseline.Kind == machine.KindLegacyStateAdopted && s.Adopted != nil &&
		bytes.Equal(found.Data, s.Adopted.File)
}

func judgeParsed(v Verdict, doc *document, want []byte, s machine.State, lookup Lookup) (Verdict, error) {
	switch {
	case !doc.refers:
		return v.cause(machine.CauseForeign, "it has no member journal: software that keeps no journal wrote it"), nil
	case doc.ref == nil:
		return v.cause(machine.CauseTampered, "its digest is wrong"), nil
	case doc.ref.hash == "":
		return v.cause(machine.CauseTampered, "it names an event without that event's hash, as no fingerprint file does"), nil
	}
	ref, b := *doc.ref, s.Baseline
	if ref.id != s.Journal {
		if ofAncestor(ref.id, s) {
			return v.cause(machine.CauseTampered, "it is of the journal that this one continues, and was replaced since"), nil
		}
		return v.as(Foreign, fmt.Sprintf("it is of journal %s, but this is journal %s", ref.id, s.Journal)), nil
	}
	if ref.seq > s.Seq {
		return v.as(Foreign, fmt.Sprintf("it names record %d, but the journal ends at record %d", ref.seq, s.Seq)), nil
	}
	if ref.seq == b.Seq && ref.hash == b.Hash {
		equal, extra := agree(want, doc)
		switch {
		case !equal:
			return v.cause(machine.CauseTampered, "it differs from the file that the event it names projects"), nil
		case extra:
			return v.as(Agrees, ""), nil // a newer version wrote more
		}
		return v.as(Repair, ReasonReformatted), nil
	}
	e, err := lookup(ref.seq)
	if err != nil {
		return v, fmt.Errorf("judge %s: read record %d, which it names: %w", FingerprintPath, ref.seq, err)
	}
	if e.Hash != ref.hash {
		return v.as(Foreign, fmt.Sprintf("it names record %d with hash %s, but in this journal that record has hash %s", ref.seq, ref.hash, e.Hash)), nil
	}
	older, ok := machine.BaselineOf(e)
	if !ok {
		return v.cause(machine.CauseTampered, fmt.Sprintf("it names record %d, from which no fingerprint file is projected", ref.seq)), nil
	}
	if want, err = Fingerprint(s.Journal, *older); err != nil {
		return v, err
	}
	if equal, _ := agree(want, doc); !equal {
		return v.cause(machine.CauseTampered, "it differs from the file that the older event it names projects"), nil
	}
	return v.as(Repair, ReasonStale), nil
}

// agree compares a parsed file with a rendered one, without their digests.
func agree(want []byte, doc *document) (equal, extra bool) {
	w, err := parse(want)
	if err != nil {
		return false, false
	}
	return covers(w.bare, doc.bare)
}

// ofAncestor reports whether the journal with this id is the salvaged journal's
// predecessor or one of its ancestors. If the salvage could not read the
// predecessor's id, any journal may be it.
func ofAncestor(id string, s machine.State) bool {
	return s.Salvage != nil && (s.Salvage.Predecessor == "" || s.Salvage.Continues(id))
}
