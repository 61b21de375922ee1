package replay

import (
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// Salvaged gives what a history's first record says of the journal that it
// continues; ok is false where it continues none, or where it cannot be read.
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
