package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/machine"
)

// A salvage that says less of the journal before it than the records it kept
// prove would let an old manifest, or any key, in again.
func TestFloorsOfASalvage(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	for name, alter := range map[string]func(p *machine.JournalSalvaged){
		"":              func(*machine.JournalSalvaged) {},
		"epoch":         func(p *machine.JournalSalvaged) { p.Epoch-- },
		"serial none":   func(p *machine.JournalSalvaged) { p.Serial = nil },
		"serial 0":      func(p *machine.JournalSalvaged) { p.Serial = new(int64) },
		"time floor":    func(p *machine.JournalSalvaged) { p.TimeFloor = p.TimeFloor.Add(-time.Nanosecond) },
		"manifest key ": func(p *machine.JournalSalvaged) { p.ManifestKey = strings.Repeat("0", 64) },
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, h.Dir)
			kept := pretend(t, &s, s.lines(t), alter)
			r := verdict(t, key.forged(t, s.lines(t), kept), audit.VerifyOptions{Key: key.public})
			found := ""
			for _, f := range r.Findings {
				if f.Code == audit.CodeStory {
					found += f.Detail
				}
			}
			if r.OK != (name == "") || (name != "") != strings.Contains(found, "before it came to "+name) {
				t.Errorf("%+v", r)
			}
		})
	}
}
