package hub_test

import (
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/ship"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// remade is a history whose records from one on were written again: the same events, by
// the node itself, with its key.
type remade struct {
	id    string
	lines [][]byte
	tip   record.Tip
}

func (r *remade) ID() string      { return r.id }
func (r *remade) First() uint64   { return 1 }
func (r *remade) Tip() record.Tip { return r.tip }
func (r *remade) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		for seq := from; seq <= min(to, r.tip.Seq); seq++ {
			if !yield(journal.RawRecord{Seq: seq, Raw: r.lines[seq-1]}, nil) {
				return
			}
		}
	}
}

// rewrite returns the first size records of the node, those from seq on written again.
func (d *device) rewrite(seq, size uint64) *remade {
	d.t.Helper()
	return d.edited(size, func(n uint64, e *record.Entry) {
		if n >= seq {
			e.UptimeMS++
		}
	})
}

// edited returns the first size records of the node, each changed, and chained again.
func (d *device) edited(size uint64, change func(seq uint64, e *record.Entry)) *remade {
	d.t.Helper()
	d.Stop()
	src, err := history.Open(d.Dir)
	historytest.Check(d.t, err)
	defer src.Close() //nolint:errcheck // read-only
	r := &remade{id: src.ID()}
	for rec, err := range src.Records(1, min(size, src.Tip().Seq)) {
		historytest.Check(d.t, err)
		e := record.Entry{ID: uuid.MustParse(rec.ID), Type: rec.Type, Crit: rec.Crit, Time: rec.Time, BootID: rec.BootID,
			UptimeMS: rec.UptimeMS, Run: rec.Run, Node: rec.Node, Epoch: rec.Epoch, Data: rec.Data}
		change(rec.Seq, &e)
		raw, err := record.Encode(r.id, rec.Seq, r.tip.Hash, e)
		historytest.Check(d.t, err)
		r.lines = append(r.lines, raw)
		r.tip = record.Tip{Seq: rec.Seq, Hash: record.HashOf(raw)}
	}
	return r
}

// copy returns a copy of the device as it is: a clone, or a backup. It has what the device
// has kept of the hub, or nothing.
func (d *device) copy(kept bool) *device {
	d.t.Helper()
	other := &device{History: d.History.Copy(d.t.TempDir()), t: d.t, key: d.key, kept: d.kept}
	if !kept {
		other.kept = memory(d.t)
	}
	return other
}

func shown(t *testing.T, r *rig, d *device, src *remade, want ship.Outcome) {
	t.Helper()
	res, err := shipSource(t, src, memory(t), d.key, r.server.URL, r.key.Public(), nil)
	historytest.Check(t, err)
	if res.Outcome != want {
		t.Errorf("%+v, want %s", res, want)
	}
}

// Each thing that can happen to a node's history is reported as what it is, with both sides,
// and the hub keeps what it has.
func TestStates(t *testing.T) {
	for name, tt := range map[string]struct {
		do    func(t *testing.T, r *rig, d *device)
		want  []hub.State
		first uint64 // the first record that differs, as the newest conflict says; 0 if it does not
	}{
		"an older copy put back": {func(_ *testing.T, r *rig, d *device) {
			old := d.copy(false)
			d.boots(2).must(r, ship.Cosigned)
			old.must(r, ship.RolledBack)
		}, []hub.State{hub.RolledBack}, 0},
		"an older copy, and the hub's checkpoints are kept": {func(_ *testing.T, r *rig, d *device) {
			old := d.copy(true)
			d.boots(2).must(r, ship.Cosigned)
			old.must(r, ship.RolledBack)
		}, []hub.State{hub.RolledBack}, 0},
		"put back and booted until longer": {func(_ *testing.T, r *rig, d *device) {
			old := d.copy(false)
			d.boots(2).must(r, ship.Cosigned)
			old.boots(4).must(r, ship.Rewritten)
		}, []hub.State{hub.Rewritten}, 6},
		"shorter and written again": {func(t *testing.T, r *rig, d *device) {
			shown(t, r, d, d.rewrite(3, 4), ship.Rewritten)
		}, []hub.State{hub.Rewritten}, 3},
		"as long, everything written again": {func(t *testing.T, r *rig, d *device) {
			shown(t, r, d, d.rewrite(1, 5), ship.Rewritten)
		}, []hub.State{hub.Rewritten}, 1},
		"longer, everything written again": {func(t *testing.T, r *rig, d *device) {
			shown(t, r, d, d.boots(2).rewrite(1, 7), ship.Rewritten)
		}, []hub.State{hub.Rewritten}, 1},
		"two clones": {func(_ *testing.T, r *rig, d *device) {
			clone := d.copy(true)
			d.boots(1).must(r, ship.Cosigned)
			clone.boots(1).must(r, ship.Rewritten)
			d.boots(1).must(r, ship.Cosigned)
			clone.boots(2).must(r, ship.Rewritten)
			d.boots(1).must(r, ship.Cosigned)
		}, []hub.State{hub.Cloned}, 6},
		"wiped": {func(t *testing.T, r *rig, d *device) {
			newDevice(t).must(r, ship.Cosigned)
		}, []hub.State{hub.Wiped}, 0},
		"two nodes of one name": {func(t *testing.T, r *rig, d *device) {
			newDevice(t).must(r, ship.Cosigned)
			d.boots(1).must(r, ship.Cosigned)
		}, []hub.State{hub.Cloned}, 0},
		"failing": {func(_ *testing.T, r *rig, d *device) {
			d.NextBoot()
			d.Append(d.Capture(machine.RoleDiffers, historytest.NewOS))
			d.Detect(historytest.NewOS)
			d.Append(machine.PrecheckFailed{V: 1, ExitCode: 5, Stage: "verify", Path: "runtime/manifest.json", Reason: "the signature does not verify", Attempt: 1})
			d.must(r, ship.Cosigned)
		}, []hub.State{hub.Failing}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, d := newRig(t), newDevice(t)
			d.boots(4).must(r, ship.Cosigned) // 5 records
			before := held(t, r)
			tt.do(t, r, d)
			n := r.is(historytest.Node, tt.want...)
			for id, text := range before {
				if now := held(t, r)[id]; !strings.HasPrefix(now, text) {
					t.Errorf("of journal %s the hub held\n%s\nand now\n%s", id, text, now)
				}
			}
			var first uint64
			for _, c := range n.Conflicts {
				if c.Held.Checkpoint == "" || c.Shown.Checkpoint == "" || c.Held.Root == c.Shown.Root {
					t.Errorf("a conflict lacks a side: %+v", c)
				}
				if c.First != nil && first == 0 {
					first = c.First.Seq
				}
			}
			if first != tt.first {
				t.Errorf("the first record that differs is %d, want %d: %+v", first, tt.first, n.Conflicts)
			}
			same(t, r, n)
		})
	}
}

// held returns the records that the hub holds, by journal.
func held(t *testing.T, r *rig) map[string]string {
	t.Helper()
	ids, err := hub.Journals(t.Context(), r.store)
	historytest.Check(t, err)
	all := map[string]string{}
	for _, id := range ids {
		j, err := hub.OpenJournal(t.Context(), r.store, id)
		historytest.Check(t, err)
		var text strings.Builder
		_, err = j.WriteTo(&text)
		historytest.Check(t, err)
		all[id] = text.String()
	}
	return all
}

// same requires that the hub that runs, and its metrics, say of a node what the store says.
func same(t *testing.T, r *rig, want hub.Node) {
	t.Helper()
	var got hub.Node
	for range 100 {
		var f hub.Fleet
		historytest.Check(t, json.Unmarshal([]byte(get(t, r, "/fleet.json")), &f))
		for _, n := range f.Nodes {
			if n.Name == want.Name {
				got = n
			}
		}
		if slices.Equal(got.States, want.States) {
			break
		}
		time.Sleep(20 * time.Millisecond) // its view is being made
	}
	if !slices.Equal(got.States, want.States) || len(got.Conflicts) != len(want.Conflicts) {
		t.Errorf("the hub says %q with %d conflicts, the store %q with %d", got.States, len(got.Conflicts), want.States, len(want.Conflicts))
	}
	metrics := get(t, r, "/metrics")
	for _, s := range want.States {
		if line := `edgehub_node_state{node="` + want.Name + `",state="` + string(s) + `"} 1`; s.Alert() != strings.Contains(metrics, line) {
			t.Errorf("the metrics have %s: %t", line, !s.Alert())
		}
	}
	if !strings.Contains(metrics, `edgehub_nodes{state="`+string(want.State)+`"} 1`) {
		t.Errorf("the metrics count no node as %s", want.State)
	}
}

func get(t *testing.T, r *rig, path string) string {
	t.Helper()
	resp, err := http.Get(r.server.URL + path)
	historytest.Check(t, err)
	defer resp.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(resp.Body)
	historytest.Check(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", path, resp.Status, body)
	}
	return string(body)
}

// The hub's own store put back to an older copy: it signs nothing more with its key. With
// another key it goes on from what it has.
func TestStorePutBack(t *testing.T) {
	for name, lost := range map[string]bool{"older": false, "empty": true} {
		t.Run(name, func(t *testing.T) {
			r, d := newRig(t), newDevice(t)
			other := newDevice(t)
			other.boots(1).must(r, ship.Cosigned)
			if !lost {
				d.must(r, ship.Cosigned)
			}
			backup := t.TempDir()
			historytest.Check(t, os.CopyFS(backup, os.DirFS(r.dir)))
			d.boots(2).must(r, ship.Cosigned)
			r.stop()
			historytest.Check(t, os.RemoveAll(r.dir))
			historytest.Check(t, os.CopyFS(r.dir, os.DirFS(backup)))
			r.start()
			for range 2 { // also after the next start
				if res := d.boots(1).ship(r); res.Outcome != ship.Away || !strings.Contains(res.Detail, "the store was put back") {
					t.Errorf("%+v", res)
				}
				if res := other.ship(r); res.Outcome != ship.Away || !strings.Contains(res.Detail, "signs nothing") {
					t.Errorf("another node: %+v", res)
				}
				var f hub.Fleet
				historytest.Check(t, json.Unmarshal([]byte(get(t, r, "/fleet.json")), &f))
				if f.Stopped == "" || !strings.Contains(get(t, r, "/metrics"), "edgehub_stopped 1") {
					t.Error("page and metrics do not say that the hub stopped")
				}
				r.again()
			}
			f, err := hub.ReadFleet(t.Context(), r.store, r.policy)
			if err != nil || f.Stopped == "" {
				t.Errorf("status says %q, %v", f.Stopped, err)
			}
			r.stop()
			key, _, err := hub.GenerateKey("hub2.test")
			historytest.Check(t, err)
			r.key = key
			r.start()
			d.must(r, ship.Cosigned)
			other.must(r, ship.Cosigned)
		})
	}
}
