package hub_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/ship"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// A node cannot make another one look rewritten: a witness may have shown it the other
// node's newest checkpoint, and a proof that is wrong proves nothing.
func TestNodeCannotAccuseAnother(t *testing.T) {
	nodes, operators := newAuthority(t), newAuthority(t)
	r, d := secure(t, nodes, operators), newDevice(t)
	soon := time.Now().Add(time.Hour)
	own := nodes.issue(soon, x509.ExtKeyUsageClientAuth, hub.Scheme+historytest.Node)
	other := nodes.issue(soon, x509.ExtKeyUsageClientAuth, hub.Scheme+"other")
	kind, body := encode(t, form(t, d.boots(4), 0))
	if status, text := post(t, r.client(own), r.server.URL, kind, bytes.NewReader(body)); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	parts := form(t, d.boots(2), 5)
	proof, signed, _ := strings.Cut(parts["checkpoint"], "\n\n")
	rows := strings.Split(proof, "\n")
	rows[1] = strings.Repeat("A", 43) + "="
	parts["checkpoint"] = strings.Join(rows, "\n") + "\n\n" + signed
	parts["records"] = ""
	kind, body = encode(t, parts)
	if status, text := post(t, r.client(other), r.server.URL, kind, bytes.NewReader(body)); status != http.StatusForbidden {
		t.Errorf("%d %s", status, text)
	}
	if n := r.is(historytest.Node, hub.Alive); len(n.Conflicts) > 0 {
		t.Errorf("%+v", n.Conflicts)
	}
	kind, body = encode(t, form(t, d, 5))
	if status, text := post(t, r.client(own), r.server.URL, kind, bytes.NewReader(body)); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
}

// A stranger who announces a body and does not send it is disconnected: otherwise a few of
// them would take all connections.
func TestBodyThatNeverArrives(t *testing.T) {
	nodes, operators := newAuthority(t), newAuthority(t)
	r := newRig(t)
	r.limits.Upload = 200 * time.Millisecond
	r.secure(nodes, operators)
	for _, request := range []string{"POST /add-records", "POST /x", "GET /key", "GET /fleet.json", "OPTIONS *", "TRACE /", "POST //add-records"} {
		c, err := tls.Dial("tcp", strings.TrimPrefix(r.server.URL, "https://"), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // its own hub
		historytest.Check(t, err)
		defer c.Close() //nolint:errcheck // a test
		_, err = io.WriteString(c, request+" HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
		historytest.Check(t, err)
		historytest.Check(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
		if answer, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection stays open after %q", request, answer)
		}
	}
}

// A node whose records no gate can have written is unsound, whatever is in them.
func TestRecordsOfNoGate(t *testing.T) {
	for name, change := range map[string]func(*record.Entry){
		"an epoch":        func(e *record.Entry) { e.Epoch += 7 },
		"a large epoch":   func(e *record.Entry) { e.Epoch = 1<<53 - 1 },
		"a kind":          func(e *record.Entry) { e.Type = "x" },
		"no data":         func(e *record.Entry) { e.Data = []byte("{}") },
		"a newer event":   func(e *record.Entry) { e.Data = []byte(`{"v":2}`) },
		"a year":          func(e *record.Entry) { e.Time = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC) },
		"a long uptime":   func(e *record.Entry) { e.UptimeMS = 1<<53 - 1 },
		"a name of lines": func(e *record.Entry) { e.Node = "a\n\"} 1\nb\u00a0\U000e0001" },
	} {
		t.Run(name, func(t *testing.T) {
			r, good, bad := newRig(t), newDevice(t), newDevice(t)
			good.boots(3).must(r, ship.Cosigned)
			shown(t, r, bad, bad.boots(3).edited(math.MaxUint64, func(_ uint64, e *record.Entry) {
				e.Node = "bad"
				change(e)
			}), ship.Cosigned)
			f, err := hub.ReadFleet(t.Context(), r.store, r.policy)
			historytest.Check(t, err)
			if len(f.Nodes) != 2 {
				t.Errorf("%+v", f)
			}
			for _, n := range f.Nodes {
				if n.Name == historytest.Node {
					continue
				}
				t.Logf("%s %q: %q", n.Name, n.States, n.Reasons)
				if n.State == hub.Behind {
					t.Errorf("%q: %q", n.States, n.Reasons)
				}
			}
			for line := range strings.Lines(get(t, r, "/metrics")) {
				if !regexp.MustCompile(`^(#.*|[a-z_]+(\{([a-z]+="([^"\\]|\\["\\n])*",?)+\})? [0-9.e+]+)\n$`).MatchString(line) {
					t.Errorf("%q", line)
				}
			}
			out, err := hub.Export(t.Context(), r.store, t.TempDir(), nil)
			if err != nil || out.Records != 8 {
				t.Errorf("%+v, %v", out, err)
			}
			resp, err := http.Get(r.server.URL + "/edged/" + bad.id() + "/report")
			historytest.Check(t, err)
			text, _ := io.ReadAll(resp.Body)
			if _ = resp.Body.Close(); resp.StatusCode != http.StatusOK && !strings.Contains(string(text), "newer version") {
				t.Errorf("the report: %d %s", resp.StatusCode, text)
			}
			for _, deep := range []bool{false, true} {
				c, err := hub.Check(t.Context(), r.store, bad.id(), nil, deep)
				t.Logf("%+v, %v", c, err)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// One journal that is damaged in the store, or that no gate can have written, hides no other
// one: neither for the hub that runs, nor for an auditor.
func TestOneBadJournal(t *testing.T) {
	edit := func(change func(head map[string]any)) func(r *rig, id string) {
		return func(r *rig, id string) {
			name := filepath.Join(r.dir, "heads", id)
			data, err := os.ReadFile(name)
			historytest.Check(r.T, err)
			var head map[string]any
			historytest.Check(r.T, json.Unmarshal(data, &head))
			change(head)
			data, err = json.Marshal(head)
			historytest.Check(r.T, err)
			historytest.Check(r.T, os.WriteFile(name, data, 0o600))
		}
	}
	write := func(name string, data string) func(r *rig, id string) {
		return func(r *rig, id string) {
			file := filepath.Join(r.dir, strings.ReplaceAll(name, "ID", id))
			historytest.Check(r.T, os.MkdirAll(filepath.Dir(file), 0o700))
			historytest.Check(r.T, os.WriteFile(file, []byte(data), 0o600))
		}
	}
	for name, tt := range map[string]struct {
		damage func(r *rig, id string)
		fine   bool // it is no damage
	}{
		"another file":                {write("heads/x.bak", "x"), true},
		"a head of no JSON":           {write("heads/ID", "{"), false},
		"an empty head":               {write("heads/ID", ""), false},
		"a head of a newer version":   {edit(func(h map[string]any) { h["v"] = 99 }), false},
		"a head of another root":      {edit(func(h map[string]any) { h["root"] = strings.Repeat("A", 43) + "=" }), false},
		"a head without its conflict": {edit(func(h map[string]any) { h["conflicts"] = 1 }), false},
		"fewer conflicts than none":   {edit(func(h map[string]any) { h["conflicts"] = -1 }), false},
		"a head with a malformed key": {edit(func(h map[string]any) { h["keys"] = []string{"x"} }), true}, // for verify
		"a run of another hash": {edit(func(h map[string]any) {
			h["runs"].([]any)[0].(map[string]any)["sha256"] = strings.Repeat("0", 64)
		}), false},
		"a run of no hash": {edit(func(h map[string]any) {
			h["runs"].([]any)[0].(map[string]any)["sha256"] = "../../x"
		}), false},
		"a view of no JSON":  {write("views/ID", "{"), true},
		"a view of too much": {write("views/ID", `{"v":1,"size":99}`), true},
		"a view of no state": {write("views/ID", `{"v":1,"size":1,"progress":{}}`), true},
		"a conflict that is not kept": {edit(func(h map[string]any) {
			h["conflicts"], h["conflict"] = 1, map[string]any{"kind": "rewritten", "time": time.Now(), "size": 1, "root": strings.Repeat("A", 43) + "="}
		}), false},
	} {
		t.Run(name, func(t *testing.T) {
			r, good, bad := newRig(t), newDevice(t), newDevice(t)
			good.boots(3).must(r, ship.Cosigned)
			shown(t, r, bad, bad.boots(3).edited(math.MaxUint64, func(_ uint64, e *record.Entry) { e.Node = "bad" }), ship.Cosigned)
			r.stop()
			historytest.Check(t, os.RemoveAll(filepath.Join(r.dir, "views", bad.id())))
			tt.damage(r, bad.id())
			r.start()
			f, err := hub.ReadFleet(t.Context(), r.store, r.policy)
			historytest.Check(t, err)
			for range 100 {
				var running hub.Fleet
				historytest.Check(t, json.Unmarshal([]byte(get(t, r, "/fleet.json")), &running))
				if !running.Complete || len(running.Nodes) < 2 || running.Alerts() != f.Alerts() {
					time.Sleep(20 * time.Millisecond)
				} else {
					break
				}
			}
			var running hub.Fleet
			historytest.Check(t, json.Unmarshal([]byte(get(t, r, "/fleet.json")), &running))
			for who, f := range map[string]hub.Fleet{"status": f, "hub": running} {
				states := map[string]hub.State{}
				for _, n := range f.Nodes {
					states[n.Name] = n.State
					t.Logf("%s: %s: %q %q", who, n.Name, n.States, n.Reasons)
				}
				delete(states, historytest.Node)
				if !f.Complete || len(f.Nodes) != 2 {
					t.Errorf("%s: complete %t, %d nodes", who, f.Complete, len(f.Nodes))
				}
				for name, state := range states {
					if alert := slices.Contains([]hub.State{hub.Alive, hub.Flagged}, state); alert != tt.fine {
						t.Errorf("%s: %s is %s", who, name, state)
					}
				}
			}
			ids, err := hub.Journals(t.Context(), r.store)
			historytest.Check(t, err)
			for _, id := range ids {
				c, err := hub.Check(t.Context(), r.store, id, nil, true)
				if id == good.id() && (err != nil || !c.OK) {
					t.Errorf("%+v, %v", c, err)
				}
				t.Logf("%+v, %v", c, err)
			}
			out, err := hub.Export(t.Context(), r.store, t.TempDir(), nil)
			t.Logf("%+v, %v", out, err)
			if out.Records < 4 {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
}

// A kept checkpoint that is damaged in the store accuses no node, and stops no hub: the
// records say which root is right.
func TestDamagedCheckpoint(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.boots(4).must(r, ship.Cosigned)
	before := d.kept
	d.kept = t.TempDir()
	historytest.Check(t, os.CopyFS(d.kept, os.DirFS(before)))
	d.boots(2).must(r, ship.Cosigned)
	name := filepath.Join(r.dir, "checkpoints", d.id(), "5")
	text, err := os.ReadFile(name)
	historytest.Check(t, err)
	rows := strings.Split(string(text), "\n")
	rows[2] = strings.Repeat("A", 43) + "="
	historytest.Check(t, os.WriteFile(name, []byte(strings.Join(rows, "\n")), 0o600))
	d.kept = before // the hub's last answer was lost
	d.boots(1).must(r, ship.Cosigned)
	r.is(historytest.Node, hub.Alive)
}

// Without its head a journal is lost, although its checkpoints are there. The node and the
// log learn so, rather than that others write to the journal.
func TestLostHead(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.boots(4).must(r, ship.Cosigned)
	historytest.Check(t, os.Remove(filepath.Join(r.dir, "heads", d.id())))
	if res := d.ship(r); res.Outcome != ship.Away || !strings.Contains(res.Detail, "has lost the head of journal") {
		t.Errorf("%+v", res)
	}
}

// What a node writes into its journal stays short in the hub's memory and on the page.
func TestLongTexts(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	serial, long := int64(1), strings.Repeat("x", 30000)
	newSalvaged(t, machine.JournalSalvaged{V: 1, Predecessor: uuid.NewString(), Size: 3, LastHash: strings.Repeat("0", 64), Lost: long, Epoch: 1, Serial: &serial, By: "op", Reason: "r"}).must(r, ship.Cosigned)
	if text, err := json.Marshal(r.node(historytest.Node)); err != nil || len(text) > 10000 {
		t.Errorf("the node has %d bytes, %v", len(text), err)
	}
	d.NextBoot()
	d.Append(d.Capture(machine.RoleDiffers, historytest.NewOS))
	d.Detect(historytest.NewOS)
	d.Append(machine.PrecheckFailed{V: 1, ExitCode: 5, Stage: long, Path: "runtime/manifest.json", Reason: long[:20000], Attempt: 1})
	d.must(r, ship.Cosigned)
	if text, err := json.Marshal(r.node(historytest.Node)); err != nil || len(text) > 10000 {
		t.Errorf("the node has %d bytes, %v", len(text), err)
	}
}

// Many small shipments, each of which costs the hub a few files, are bounded as large ones
// are. A checkpoint with more than the node's signature is refused: it is kept.
func TestManySmallShipments(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	r.limits.Bytes = 256 << 10
	r.again()
	for range 4 {
		d.boots(1).must(r, ship.Cosigned)
	}
	if res := d.boots(1).ship(r); res.Outcome != ship.Away || !strings.Contains(res.Detail, "today") {
		t.Errorf("%+v", res)
	}
	r.limits = hub.DefaultLimits()
	r.again()
	parts := form(t, d, 5)
	parts["checkpoint"] += "— x " + base64.StdEncoding.EncodeToString(make([]byte, 2000)) + "\n"
	kind, body := encode(t, parts)
	if status, text := post(t, http.DefaultClient, r.server.URL, kind, bytes.NewReader(body)); status != http.StatusBadRequest || !strings.Contains(text, "has more than") {
		t.Errorf("%d %s", status, text)
	}
	d.must(r, ship.Cosigned)
}

// status says that the hub stopped until one with another key signs.
func TestStoppedUntilAnotherKeySigns(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.must(r, ship.Cosigned)
	text, err := json.Marshal(hub.Rollback{Time: time.Now().Add(-time.Hour), Journal: d.id(), Held: 1})
	historytest.Check(t, err)
	name := filepath.Join(r.dir, "rollbacks", "00000000")
	historytest.Check(t, os.WriteFile(name, text, 0o600))
	if f, err := hub.ReadFleet(t.Context(), r.store, r.policy); err != nil || f.Stopped != "" {
		t.Errorf("afterwards: %q, %v", f.Stopped, err)
	}
	for _, text := range []string{`{"time":"` + time.Now().Add(-time.Second).Format(time.RFC3339) + `"}`, "x", ""} {
		historytest.Check(t, os.WriteFile(name, []byte(text), 0o600))
		if f, err := hub.ReadFleet(t.Context(), r.store, r.policy); err != nil || f.Stopped == "" {
			t.Errorf("%s: %q, %v", text, f.Stopped, err)
		}
	}
}

// Evidence that is damaged in the store does not hide a new conflict, neither from the node
// nor from the operator.
func TestDamagedEvidence(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.boots(4).must(r, ship.Cosigned)
	shown(t, r, d, d.rewrite(3, 3), ship.Rewritten)
	historytest.Check(t, os.WriteFile(filepath.Join(r.dir, "conflicts", d.id(), "1"), []byte("x"), 0o600))
	shown(t, r, d, d.rewrite(3, 4), ship.Rewritten)
	n := r.node(historytest.Node)
	if !slices.Contains(n.States, hub.Rewritten) || !slices.ContainsFunc(n.Conflicts, func(c hub.Conflict) bool { return c.Shown.Size == 4 }) {
		t.Errorf("%q %q %+v", n.States, n.Reasons, n.Conflicts)
	}
}

// A node whose key was rotated more often than one request can say ships on: the hub needs
// only those that it has not seen.
func TestManyRotations(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.must(r, ship.Cosigned)
	for range 7 {
		for range 10 {
			d.rotate()
		}
		d.must(r, ship.Cosigned)
	}
	r.intact(d.State.Seq, "afterwards")
}

// A node whose first shipment is refused learns the reason each time, and not that it has
// begun too many journals.
func TestRefusedJournalsDoNotCount(t *testing.T) {
	nodes, operators := newAuthority(t), newAuthority(t)
	r, d := secure(t, nodes, operators), newDevice(t)
	other := nodes.issue(time.Now().Add(time.Hour), x509.ExtKeyUsageClientAuth, hub.Scheme+"other")
	kind, body := encode(t, form(t, d, 0))
	for range r.limits.Journals + 1 {
		if status, text := post(t, r.client(other), r.server.URL, kind, bytes.NewReader(body)); status != http.StatusForbidden || !strings.Contains(text, "but the certificate is of node") {
			t.Errorf("%d %s", status, text)
		}
	}
}

// Evidence of a hub that died before it replaced the head, or of another hub that was
// slower, is not taken for that of the next conflict.
func TestEvidenceOfTwo(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.boots(4).must(r, ship.Cosigned)
	dir := filepath.Join(r.dir, "conflicts", d.id())
	historytest.Check(t, os.MkdirAll(dir, 0o700))
	text, err := json.Marshal(map[string]any{"kind": "rewritten", "journal": d.id(), "shown": map[string]any{"size": 3, "checkpoint": "another one"}})
	historytest.Check(t, err)
	historytest.Check(t, os.WriteFile(filepath.Join(dir, "1"), text, 0o600))
	shown(t, r, d, d.rewrite(3, 4), ship.Rewritten)
	n := r.is(historytest.Node, hub.Rewritten)
	if !slices.ContainsFunc(n.Conflicts, func(c hub.Conflict) bool { return c.Shown.Size == 4 && c.First != nil && c.First.Seq == 3 }) {
		t.Errorf("%+v", n.Conflicts)
	}
}
