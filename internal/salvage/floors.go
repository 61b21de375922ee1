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

// members are those of a projection that a floor can come from.
type members struct {
	BootEpoch     *uint64 `json:"boot_epoch"`
	OSFingerprint struct {
		BootEpoch uint64 `json:"boot_epoch"`
	} `json:"os_fingerprint"`
	Serial    *int64    `json:"manifest_serial"`
	RotatedAt time.Time `json:"rotated_at"`
}

// maxEpoch bounds what is believed of a file: an epoch can be raised by an
// edit, but not so far that it could not advance any more.
const maxEpoch = 1 << 52

// claim is what a projection says.
type claim struct {
	members
	ref   projections.Ref
	sound bool // nobody edited it, and it refers to ref
	// met: the record that it was made from is among those that are kept, so
	// these have told its floors, and what lawfully lowered them since.
	met   bool
	known bool // the record that it names by a hash is there
}

// claims are those of the files that can be read.
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

// resolve looks whether r is the record that the file knows.
func (c *claim) resolve(r record.Record) {
	if !c.sound || r.Journal != c.ref.Journal {
		return
	}
	seq, hash := c.ref.Record()
	if r.Seq == seq && r.Hash.String() == hash {
		c.known = true
	}
	// Evidence knows the record before its own, and that one has to be there too.
	c.met = c.met || c.known && r.Seq == c.ref.Seq
}

func (c claim) epoch() uint64 {
	if c.BootEpoch != nil {
		return max(c.OSFingerprint.BootEpoch, *c.BootEpoch)
	}
	return c.OSFingerprint.BootEpoch
}

// raise lifts the floors to what the files prove beyond the records that are
// kept, of which it is told whether they could be folded. An edited file proves
// nothing about time or serial, which could lock the node out; its epoch counts
// all the same: an epoch must not go back. A file of a journal that is neither
// this one, nor the head file's, nor one that it continues, proves nothing.
func raise(e *machine.JournalSalvaged, files []claim, head journal.HeadReport, folded bool) {
	own := slices.Concat([]string{e.Predecessor}, e.Ancestors)
	if slot, ok := head.Newest(); ok {
		own = append(own, slot.Journal) // another one's, where journal/ was exchanged
	}
	for _, c := range files {
		if c.sound && e.Predecessor != "" && !slices.Contains(own, c.ref.Journal) {
			continue
		}
		if epoch := c.epoch(); epoch < maxEpoch {
			e.Epoch = max(e.Epoch, epoch)
		}
		// What an ancestor's files say is in the record that this one begins with.
		told := folded && (c.met || e.Size > 0 && slices.Contains(e.Ancestors, c.ref.Journal))
		if !c.sound || told {
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
