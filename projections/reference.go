package projections

import "github.com/autonomyops/edged/machine"

// Ref is an event to which an undamaged file (one with a right digest) refers.
type Ref struct {
	Path    string
	Journal string
	Seq     uint64
	// Hash is the hash of the record at Seq, which a fingerprint names. "" for evidence.
	Hash string
	// Prev is the hash of the record before Seq, which evidence names. "" for a fingerprint.
	Prev string
}

// Record returns the record whose hash the file names: the one at Seq for a
// fingerprint, the one before it for evidence. A reference resolves in a journal if
// that record has that hash and the journal reaches Seq.
func (r Ref) Record() (seq uint64, hash string) {
	if r.Hash == "" && r.Prev != "" {
		return r.Seq - 1, r.Prev
	}
	return r.Seq, r.Hash
}

// References returns the references of the files found. An edited file has none: its
// content is judged later, and never trusted.
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

// MustResolve returns those of refs that must be looked up in the journal of s.
// Usually the files refer to events that s holds, and no settled record has to be
// read. In a salvaged journal no reference has to resolve before its first
// EpochRotated, and none to an ancestor ever.
func MustResolve(refs []Ref, s machine.State) []Ref {
	var keep []Ref
	for _, ref := range refs {
		switch {
		case ref.heldBy(s):
		case s.Salvage != nil && (s.Current == nil || ref.Journal != s.Journal && ofAncestor(ref.Journal, s)):
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
