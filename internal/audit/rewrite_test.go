package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

const newID = "0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f"

// attack rewrites a history of 13 records, of which 8 were seen before, and chains
// it again. kept are the records that a forged salvage kept.
type attack struct {
	name  string
	alter func(t *testing.T, s *forgery) (kept [][]byte)
	want  audit.Verdict
	first uint64 // that differs from what an older bundle holds
	alone bool   // the bundle is faultless by itself: only what was kept shows it
}

func attacks() []attack {
	return []attack{
		{"a time edited", func(_ *testing.T, s *forgery) [][]byte {
			s.entries[1].Time = s.entries[1].Time.Add(time.Millisecond)
			return nil
		}, audit.Rewritten, 2, true},
		{"what was installed edited", func(t *testing.T, s *forgery) [][]byte {
			s.swap(t, 3, "ID=b", "ID=c")
			return nil
		}, audit.Rewritten, 3, true},
		{"a record deleted", func(_ *testing.T, s *forgery) [][]byte {
			s.entries = slices.Delete(s.entries, 1, 2)
			return nil
		}, audit.Rewritten, 2, true},
		{"the first record deleted", func(_ *testing.T, s *forgery) [][]byte {
			s.entries = s.entries[1:]
			return nil
		}, audit.Rewritten, 1, false},
		{"a record inserted", func(_ *testing.T, s *forgery) [][]byte {
			s.entries = slices.Insert(s.entries, 2, s.entries[1])
			s.entries[2].ID = uuid.Must(uuid.NewV7())
			return nil
		}, audit.Rewritten, 3, true},
		{"two records exchanged", func(_ *testing.T, s *forgery) [][]byte {
			s.entries[1], s.entries[7] = s.entries[7], s.entries[1]
			return nil
		}, audit.Rewritten, 2, false},
		{"the newest record that was seen edited", func(_ *testing.T, s *forgery) [][]byte {
			s.entries[7].UptimeMS++
			return nil
		}, audit.Rewritten, 8, true},
		{"truncated", func(_ *testing.T, s *forgery) [][]byte {
			s.entries = s.entries[:7]
			return nil
		}, audit.Truncated, 8, true},
		{"truncated to one record", func(_ *testing.T, s *forgery) [][]byte {
			s.entries = s.entries[:1]
			return nil
		}, audit.Truncated, 2, true},
		{"the tail replaced", func(_ *testing.T, s *forgery) [][]byte {
			s.entries = s.entries[:7]
			for range 5 {
				e := s.entries[1]
				e.ID, e.Epoch = uuid.Must(uuid.NewV7()), s.entries[6].Epoch
				e.Data = bytes.ReplaceAll(e.Data, []byte(historytest.OldOS), []byte(historytest.NewOS))
				s.entries = append(s.entries, e)
			}
			return nil
		}, audit.Rewritten, 8, true},
		{"every id replaced", func(_ *testing.T, s *forgery) [][]byte {
			for i := range s.entries {
				s.entries[i].ID = uuid.Must(uuid.NewV7())
			}
			return nil
		}, audit.Rewritten, 1, true},
		{"another journal id", func(_ *testing.T, s *forgery) [][]byte {
			s.id = newID
			return nil
		}, audit.Rewritten, 0, true},
		{"the update undone", func(_ *testing.T, s *forgery) [][]byte {
			s.entries = slices.Delete(s.entries, 2, 13)
			for range 8 {
				e := s.entries[1]
				e.ID = uuid.Must(uuid.NewV7())
				s.entries = append(s.entries, e)
			}
			return nil
		}, audit.Rewritten, 3, true},
		{"an epoch renumbered", func(t *testing.T, s *forgery) [][]byte {
			s.swap(t, 7, `"boot_epoch":1`, `"boot_epoch":2`)
			for i := 6; i < len(s.entries); i++ {
				s.entries[i].Epoch++
			}
			return nil
		}, audit.Rewritten, 7, false},
		{"a manifest signed by another key", func(t *testing.T, s *forgery) [][]byte {
			other := historytest.Key("other")
			for _, seq := range []int{5, 11} {
				var old machine.ManifestVerified
				p, err := machine.Decode(machine.KindManifestVerified, true, s.entries[seq-1].Data)
				historytest.Check(t, err)
				old = p.(machine.ManifestVerified)
				old.Key = other.Public().(ed25519.PublicKey)
				old.KeyBLAKE3, old.Signature = historytest.Hash(old.Key), ed25519.Sign(other, old.Manifest)
				s.put(t, seq, old)
			}
			return nil
		}, audit.Rewritten, 5, true},
		{"a salvage pretended that kept nothing", func(t *testing.T, s *forgery) [][]byte {
			pretend(t, s, nil)
			return nil
		}, audit.Truncated, 1, true},
		{"a salvage pretended that kept a rewritten part", func(t *testing.T, s *forgery) [][]byte {
			s.entries[1].UptimeMS++
			return pretend(t, s, s.lines(t)[:8])
		}, audit.Rewritten, 2, true},
		{"a salvage pretended that kept less than was seen", func(t *testing.T, s *forgery) [][]byte {
			return pretend(t, s, s.lines(t)[:6])
		}, audit.Truncated, 7, true},
		{"a salvage pretended of another journal", func(t *testing.T, s *forgery) [][]byte {
			s.id = "11111111-1111-4111-8111-111111111111"
			return pretend(t, s, s.lines(t)[:8])
		}, audit.Rewritten, 0, true},
	}
}

// pretend makes s a journal of one record, a forged salvage of the journal that
// lines hold, with the right floors.
func pretend(t *testing.T, s *forgery, lines [][]byte, alter ...func(*machine.JournalSalvaged)) [][]byte {
	t.Helper()
	p := machine.JournalSalvaged{V: 1, Predecessor: s.id, Size: uint64(len(lines)), LastHash: strings.Repeat("0", 64), Lost: "nothing, it says",
		HeadSeq: 8, Epoch: 1, TimeFloor: s.entries[0].Time, By: "root", Reason: "bit rot"}
	fold := machine.NewFold(machine.State{})
	for _, line := range lines {
		rec, err := record.Decode(line)
		historytest.Check(t, err)
		e, err := replay.Event(rec)
		historytest.Check(t, err)
		historytest.Check(t, fold.Apply(e))
		p.LastHash = rec.Hash.String()
	}
	if state := fold.State(); len(lines) > 0 {
		p.Epoch, p.Serial, p.TimeFloor, p.ManifestKey = max(1, state.Epoch), state.Serial, state.TimeFloor(""), state.Keys.Newest()
	}
	for _, change := range alter {
		change(&p)
	}
	s.id, s.entries = newID, s.entries[:1]
	s.entries[0].Epoch = p.Epoch
	s.put(t, 1, p)
	return lines
}

// TestRewritten: an attacker with the node's key can make any history look whole.
// An older checkpoint or bundle that left the node before proves the rewrite.
func TestRewritten(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	honest := filepath.Join(h.Dir, "honest.jsonl")
	s := read(t, h.Dir)
	historytest.Export(t, honest, s.lines(t)...)
	older := filepath.Join(h.Dir, "older.jsonl")
	historytest.Export(t, older, s.lines(t)[:8]...)
	olderBundle := write(t, key.bundle(t, older))
	olderCheckpoint := filepath.Join(h.Dir, "older.checkpoint")
	historytest.Check(t, os.WriteFile(olderCheckpoint, takeApart(t, key.bundle(t, older)).files["checkpoint"], 0o600))

	fine := write(t, key.bundle(t, h.Dir))
	for _, since := range []string{olderCheckpoint, olderBundle, older} {
		if r := verdict(t, fine, audit.VerifyOptions{Since: since, Key: key.public}); r.Verdict != audit.Extended || !r.OK || len(r.Findings) > 0 || r.First != nil {
			t.Errorf("the honest history since %s: %+v", since, r)
		}
	}
	for _, tt := range attacks() {
		t.Run(tt.name, func(t *testing.T) {
			forged := read(t, honest)
			kept := tt.alter(t, &forged)
			path := key.forged(t, forged.lines(t), kept)
			if r := verdict(t, path, audit.VerifyOptions{Key: key.public}); tt.alone && !r.OK {
				t.Errorf("by itself: %+v", r)
			}
			r := verdict(t, path, audit.VerifyOptions{Since: olderCheckpoint, Key: key.public})
			if r.OK || r.Verdict != tt.want || !has(r, string(tt.want)) {
				t.Errorf("since the checkpoint: want %s: %+v", tt.want, r)
			}
			for _, since := range []string{older, olderBundle} {
				r = verdict(t, path, audit.VerifyOptions{Since: since, Key: key.public})
				if r.OK || r.Verdict != tt.want || (r.First == nil) != (tt.first == 0) || tt.first > 0 && r.First.Seq != tt.first {
					t.Errorf("since %s: want %s at %d: %+v %+v", since, tt.want, tt.first, r, r.First)
				}
			}
		})
	}
}
