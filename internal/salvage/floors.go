package salvage

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// members are the members of a projection from which a floor can come.
type members struct {
	BootEpoch     *uint64 `json:"boot_epoch"`
	OSFingerprint struct {
		BootEpoch uint64 `json:"boot_epoch"`
	} `json:"os_fingerprint"`
	Serial    *int64    `json:"manifest_serial"`
	RotatedAt time.Time `json:"rotated_at"`
}

// maxEpoch is the highest epoch that is taken from a file. An edit may raise the
// epoch, but not so far that it could not advance any more.
const maxEpoch = 1 << 52

// claim is the content of a projection.
type claim struct {
	members
	ref   projections.Ref
	sound bool // its digest is right, and it refers to ref
	// met: the record from which it was made is among the kept ones. Those already
	// contain its floors, and any lawful lowering since.
	met   bool
	known bool // the record whose hash it names was found
}

// claims returns the claims of the files that can be read.
func claims(files projections.Files) []claim {
	refs := map[string]projections.Ref{}
	for _, ref := range projections.References(files) {
		refs[ref.Path] = ref
	}
	var all []claim
	for _, found := range []projections.Found{files.Fingerprint, files.Current, files.Previous} {
		var c claim
		if !found.Exists || !found.Readable() || json.Unmarshal(found.Data, &c.members) != nil {
			continue
		}
		c.ref, c.sound = refs[found.Path]
		all = append(all, c)
	}
	return all
}

// resolve checks whether r is a record to which the file refers.
func (c *claim) resolve(r record.Record) {
	if !c.sound || r.Journal != c.ref.Journal {
		return
	}
	seq, hash := c.ref.Record()
	if r.Seq == seq && r.Hash.String() == hash {
		c.known = true
	}
	// Evidence names the hash of the record before its own, and its own must exist too.
	c.met = c.met || c.known && r.Seq == c.ref.Seq
}

func (c claim) epoch() uint64 {
	if c.BootEpoch != nil {
		return max(c.OSFingerprint.BootEpoch, *c.BootEpoch)
	}
	return c.OSFingerprint.BootEpoch
}

// raise raises the floors to those that the files prove beyond the kept records;
// folded reports whether those could be folded. An edited file proves no time and no
// serial, which could lock the node out. Its epoch is used all the same: an epoch must
// not go back. A file of a journal that is neither this one, nor the head file's, nor
// an ancestor's proves nothing.
func raise(e *machine.JournalSalvaged, files []claim, head journal.HeadReport, folded bool) {
	own := slices.Concat([]string{e.Predecessor}, e.Ancestors)
	if slot, ok := head.Newest(); ok {
		own = append(own, slot.Journal) // another journal's, if journal/ was exchanged
	}
	for _, c := range files {
		if c.sound && e.Predecessor != "" && !slices.Contains(own, c.ref.Journal) {
			continue
		}
		if epoch := c.epoch(); epoch < maxEpoch {
			e.Epoch = max(e.Epoch, epoch)
		}
		// The floors of an ancestor's files are in the first record of the damaged journal.
		contained := folded && (c.met || e.Size > 0 && slices.Contains(e.Ancestors, c.ref.Journal))
		if !c.sound || contained {
			continue
		}
		if c.Serial != nil && (e.Serial == nil || *c.Serial > *e.Serial) {
			e.Serial = c.Serial
		}
		if c.RotatedAt.After(e.TimeFloor) {
			e.TimeFloor = c.RotatedAt.UTC()
		}
	}
}
