package replay

import (
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// LostByCheckpoint is in JournalSalvaged.Lost if edgectl journal continue wrote it: a
// checkpoint shows what was lost.
const LostByCheckpoint = "by the checkpoint of "

// Salvaged returns the JournalSalvaged of a history's first record; ok is false if
// the history continues no journal, or if the record cannot be read.
func Salvaged(src interface {
	Record(seq uint64) (record.Record, error)
}) (s machine.JournalSalvaged, ok bool) {
	rec, err := src.Record(1)
	if err != nil || rec.Type != string(machine.KindJournalSalvaged) {
		return s, false
	}
	event, err := Event(rec)
	if err != nil {
		return s, false
	}
	s, ok = event.Payload.(machine.JournalSalvaged)
	return s, ok
}
