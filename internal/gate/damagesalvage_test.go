package gate

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// salvaging also boots every n-th refused damaged disk on a node
// that salvages: it reconstructs, keeps its floors, and reports the loss.
type salvaging struct {
	*patient
	every  int64
	epoch  uint64 // that the fingerprint has to reach, 0 where the damage may hide it
	config string
	seen   atomic.Int64
	done   atomic.Int64
	beyond atomic.Int64 // what no salvage is a way out of
}

func (p *patient) salvaging(every int, epoch uint64) *salvaging {
	s := &salvaging{patient: p, every: int64(every), epoch: epoch, config: filepath.Join(p.dir, "salvage.toml")}
	text := p.must(os.ReadFile(p.config))
	p.writeFile(s.config, append(text, "gate: { on_damage: salvage }\n"...))
	p.t.Cleanup(func() { p.t.Logf("%d of the refused salvaged, %d not to be", s.done.Load(), s.beyond.Load()) })
	return s
}

func (s *salvaging) also(t *testing.T, m *memNode, v verdict) error {
	if v != refused || s.seen.Add(1)%s.every != 1%s.every {
		return nil
	}
	why := m.logs.String()
	before, err := contents(m.disk)
	if err != nil {
		return err
	}
	m.config = s.config
	exit, err := watched(m)
	if err != nil {
		return err
	}
	if exit == ExitStateRoot && (strings.Contains(why, "newer") || strings.Contains(why, "of another node")) {
		s.beyond.Add(1) // not damage: other hands are needed
		return nil
	}
	if exit != ExitOK {
		return fmt.Errorf("with on_damage: salvage the boot exits %d", exit)
	}
	if err := s.salvaged(t, m, before); err != nil {
		return fmt.Errorf("after a salvage: %w", err)
	}
	s.done.Add(1)
	return nil
}

// salvaged judges what the salvage left.
func (s *salvaging) salvaged(t *testing.T, m *memNode, before map[string]string) error {
	recs, err := records(t, m.disk)
	if err != nil {
		return err
	}
	var first struct {
		Type machine.Kind            `json:"type"`
		Data machine.JournalSalvaged `json:"data"`
	}
	if err := json.Unmarshal([]byte(recs[0]), &first); err != nil {
		return err
	}
	if first.Type != machine.KindJournalSalvaged || first.Data.Lost == "" {
		return fmt.Errorf("the history begins with %s", recs[0])
	}
	if first.Data.Size < uint64(len(s.acked)) && s.epoch != 0 && !strings.Contains(first.Data.Lost, "record") {
		return fmt.Errorf("%d of %d records were kept, and lost is %q", first.Data.Size, len(s.acked), first.Data.Lost)
	}
	after, err := contents(m.disk)
	if err != nil {
		return err
	}
	kept := ""
	for name, text := range before {
		if strings.HasPrefix(name, "journal/") {
			if moved, ok := inQuarantine(after, strings.TrimPrefix(name, "journal/")); !ok || moved != text {
				return fmt.Errorf("%s is not as it was in quarantine", name)
			}
		}
	}
	for name, text := range after {
		if strings.HasSuffix(name, "/predecessor.jsonl") {
			_, kept, _ = strings.Cut(text, "\n")
		}
	}
	if lines := strings.Count(kept, "\n"); uint64(lines) != first.Data.Size {
		return fmt.Errorf("predecessor.jsonl has %d records, the history says %d", lines, first.Data.Size)
	}
	last := ""
	// Only its records show that a table of another node replaces the oldest:
	// those are kept, under that node's id.
	own := first.Data.Predecessor == "" || strings.Contains(s.acked[0], `"journal":"`+first.Data.Predecessor+`"`)
	for i, line := range strings.Split(strings.TrimSuffix(kept, "\n"), "\n") {
		if own && i < len(s.acked) && line != "" && line != s.acked[i] {
			return fmt.Errorf("record %d was not kept as it was", i+1)
		}
		last = line
	}
	if last != "" && first.Data.LastHash != record.HashOf([]byte(last)).String() {
		return fmt.Errorf("the last record kept is another than the history says")
	}
	var fp struct {
		Epoch uint64 `json:"boot_epoch"`
	}
	_, text, _ := strings.Cut(after["bootstrap/os_fingerprint.json"], "\n")
	if err := json.Unmarshal([]byte(text), &fp); err != nil {
		return err
	}
	if fp.Epoch != first.Data.Epoch+1 || s.epoch != 0 && fp.Epoch != s.epoch {
		return fmt.Errorf("the fingerprint is of epoch %d, the salvage kept floor %d, the node had reached %d", fp.Epoch, first.Data.Epoch, s.epoch-1)
	}
	if exit, err := watched(m); err != nil || exit != ExitOK || m.logs.Len() != 0 {
		return fmt.Errorf("the boot after it: exit %d, %v", exit, err)
	}
	return nil
}

// inQuarantine returns a file of the damaged journal in the quarantine of a salvage.
func inQuarantine(all map[string]string, base string) (string, bool) {
	for name, text := range all {
		if dir, rest, _ := strings.Cut(name, "/"); strings.HasPrefix(dir, "journal.quarantine-") && rest == base {
			return text, true
		}
	}
	return "", false
}
