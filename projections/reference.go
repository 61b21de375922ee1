package projections

import "github.com/autonomyops/edged/machine"

// Ref is an event that an undamaged file (one with a right digest) refers to.
type Ref struct {
	Path    string
	Journal string
	Seq     uint64
	// Hash is of the record at Seq: what a fingerprint knows. "" for evidence.
	Hash string
	// Prev is of the record before Seq: what evidence knows. "" for a fingerprint.
	Prev string
}

// Record names the record whose hash the file knows: the one at Seq for a
// fingerprint, the one before it for evidence. A reference resolves in a
// journal when that record has that hash and the journal reaches Seq.
func (r Ref) Record() (seq uint64, hash string) {
	if r.Hash == "" && r.Prev != "" {
		return r.Seq - 1, r.Prev
	}
	return r.Seq, r.Hash
}

// References lists what the files found refer to. An edited file refers to
// nothing: what it says is judged later, and never believed.
func References(f Files) []Ref {
	var refs []Ref
	for _, found := range f.all() {
		if doc, err := parse(found.Data); err == nil && doc.ref != nil {
			ref := Ref{Path: found.Path, Journal: doc.ref.id, Seq: doc.ref.seq}
			if found.Path == FingerprintPath {
				ref.Hash = doc.ref.hash
			} else {
				ref.Prev = doc.ref.prev
			}
			if ref.Hash != "" || ref.Prev != "" {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

// MustResolve keeps of refs those that have to be looked up in the journal of
// s. The usual files refer to events that s holds: those need no look at records
// that have settled. In a salvaged journal no reference has to resolve before
// its first EpochRotated, and later none to its predecessor.
func MustResolve(refs []Ref, s machine.State) []Ref {
	var keep []Ref
	for _, ref := range refs {
		switch {
		case ref.heldBy(s):
		case s.Salvage != nil && (s.Current == nil || ref.Journal != s.Journal && ofPredecessor(ref.Journal, s)):
		default:
			keep = append(keep, ref)
		}
	}
	return keep
}

// heldBy reports whether ref names the baseline of s, or one of its epochs.
func (r Ref) heldBy(s machine.State) bool {
	if r.Journal != s.Journal {
		return false
	}
	if b := s.Baseline; b != nil && r.Hash != "" && r.Seq == b.Seq && r.Hash == b.Hash {
		return true
	}
	for _, e := range []*machine.EpochRecord{s.Current, s.Previous} {
		if e != nil && r.Hash == "" && r.Seq == e.Meta.Seq && r.Prev == e.Meta.Prev {
			return true
		}
	}
	return false
}
