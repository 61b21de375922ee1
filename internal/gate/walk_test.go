package gate

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// TestRandomWalk walks random histories of boots, updates, fallbacks,
// tamperings, clock jumps, failures and operator commands, and holds every
// boot against the model: exit code, events, epoch. -rapid.checks=10000 walks
// ten thousand of them.
func TestRandomWalk(t *testing.T) {
	node := newMemNode(t)
	began, certEnd := node.now, node.now.Add(90*24*time.Hour)
	boots := 0
	rapid.Check(t, func(rt *rapid.T) {
		node.disk, node.now = memfs.New(), began
		w := &walk{memNode: node, rt: rt, real: began, model: model{
			os: "a", file: "missing", evidence: "none", manifest: "none",
			certEnd: certEnd,
		}}
		rt.Repeat(map[string]func(*rapid.T){
			"boot":     w.boot,
			"boot too": w.boot, // half of what happens to a node is a boot
			"boot 3":   w.boot,
			"replace":  w.replace,
			"tamper":   w.tamper,
			"evidence": w.tamperEvidence,
			"deploy":   w.deployManifest,
			"clock":    w.setClock,
			"drill":    w.requestDrill,
		})
		boots += w.boots
	})
	t.Logf("%d boots", boots)
}

// walk is one history: a node in memory, and the model of it.
type walk struct {
	*memNode
	model
	rt    *rapid.T
	real  time.Time // what a right clock would say
	boots int
	seen  int // records compared so far
}

func (w *walk) boot(rt *rapid.T) {
	w.boots++
	w.real = w.real.Add(time.Minute)
	if w.clock.IsZero() || !w.jumped() {
		w.clock = w.real
	}
	w.kernel = w.model.os
	w.now = w.clock.Add(-time.Minute) // precheck adds it again
	before := w.model.String()
	exit, events := w.model.boot()
	got := w.precheck()
	did := w.appended()
	if got != exit || did != strings.Join(events, " ") {
		rt.Fatalf("from %s\nexit %d, %s\nthe model says\nexit %d, %s\n%s", before, got, did, exit, strings.Join(events, " "), w.logs.String())
	}
	if exit != ExitOK {
		return
	}
	var f struct {
		BootEpoch    uint64 `json:"boot_epoch"`
		UnameRelease string `json:"uname_release"`
	}
	w.check(json.Unmarshal(w.get("bootstrap/os_fingerprint.json"), &f))
	if f.BootEpoch != w.epoch || f.UnameRelease != w.baseline {
		rt.Fatalf("from %s\nthe file says epoch %d of %s, the model %d of %s", before, f.BootEpoch, f.UnameRelease, w.epoch, w.baseline)
	}
}

// appended names the events since the last boot, operator's acts left out.
func (w *walk) appended() string {
	view, err := journal.OpenView(w.disk, layout)
	w.check(err)
	defer view.Close()
	var out []string
	for rec, err := range view.Records(uint64(w.seen)+1, view.Tip().Seq) {
		w.check(err)
		e, err := replay.Event(rec)
		w.check(err)
		w.seen++
		switch p := e.Payload.(type) {
		case machine.FingerprintCaptured:
			out = append(out, "FingerprintCaptured:"+string(p.Role))
		case machine.UpdateDetected:
			out = append(out, fmt.Sprintf("UpdateDetected:%v#%d", p.Causes, p.Attempt))
		case machine.ProjectionRepaired:
			out = append(out, "ProjectionRepaired:"+p.Reason)
		case machine.DrillRequested, machine.DrillCancelled, machine.SnapshotTaken:
		default:
			out = append(out, string(e.Meta.Kind))
		}
	}
	return strings.Join(out, " ")
}

// replace is an update, or the fallback of one.
func (w *walk) replace(rt *rapid.T) {
	w.model.os = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "os")
}

func (w *walk) tamper(rt *rapid.T) {
	const file = "bootstrap/os_fingerprint.json"
	to := rapid.SampledFrom([]string{"missing", "edited", "empty", "unparseable", "reformatted", "foreign", "legacy"}).Draw(rt, "file")
	if w.baseline == "" && to != "empty" && to != "unparseable" && to != "legacy" {
		return
	}
	if to == "legacy" && (w.baseline != "" || w.seen > 0) {
		return
	}
	if w.file == "ok" {
		w.file = to
	} else if w.baseline == "" {
		w.file = to // nothing stands there yet that could be edited further
	} else {
		return
	}
	switch to {
	case "missing":
		w.check(w.disk.Remove(file))
	case "empty":
		w.put(file, nil)
	case "unparseable":
		w.put(file, []byte(`{"composite_hash": `))
	case "legacy":
		w.legacyOS = w.model.os
		w.legacy = rapid.Uint64Range(0, 3).Draw(rt, "legacy epoch")
		w.put(file, w.legacyFile())
	default:
		var doc map[string]any
		w.check(json.Unmarshal(w.get(file), &doc))
		switch to {
		case "edited":
			doc["boot_epoch"] = 77
		case "foreign":
			delete(doc, "journal")
		}
		data, err := json.Marshal(doc)
		w.put(file, w.must(data, err))
	}
}

// legacyFile is what the journal-less software would have left of this very
// operating system.
func (w *walk) legacyFile() []byte {
	w.kernel = w.model.os
	text := string(w.must(os.ReadFile(w.osRelease())))
	data, err := json.Marshal(map[string]any{
		"composite_hash": blake3Hex([]byte(text + w.model.os)), "os_release": text, "uname_release": w.model.os,
		"boot_epoch": w.legacy, "captured_at": "2025-01-01T00:00:00Z",
	})
	return w.must(data, err)
}

func (w *walk) tamperEvidence(rt *rapid.T) {
	if w.evidence != "ok" {
		return
	}
	w.evidence = rapid.SampledFrom([]string{"missing", "edited"}).Draw(rt, "evidence")
	if w.evidence == "missing" {
		w.check(w.disk.Remove("epoch/current/evidence.json"))
	} else {
		text := string(w.get("epoch/current/evidence.json"))
		w.put("epoch/current/evidence.json", []byte(strings.Replace(text, `"binary_hash": "`, `"binary_hash": "f`, 1)))
	}
}

func (w *walk) deployManifest(rt *rapid.T) {
	w.serial = rapid.Int64Range(0, 3).Draw(rt, "serial")
	serial := ""
	if w.serial > 0 {
		serial = fmt.Sprintf(`"serial":%d,`, w.serial)
	}
	manifest := []byte(`{"version":"1",` + serial + `"operations":[{"op":"copy_binary","src":"edged","dst":"bin/edged"}]}`)
	sig := ed25519.Sign(w.key, manifest)
	w.manifest = "good"
	if rapid.Bool().Draw(rt, "unsigned") && rapid.Bool().Draw(rt, "really") {
		w.manifest, sig = "unsigned", make([]byte, 64)
	}
	w.put("runtime/binaries/edged", []byte("edged, the binary"))
	w.put("runtime/manifest.json", manifest)
	w.put("runtime/manifest.json.sig", sig)
	w.put("identity/manifest-verify.pub", w.key.Public().(ed25519.PublicKey))
}

// setClock jumps to 1970 or 2099, or comes right again.
func (w *walk) setClock(rt *rapid.T) {
	w.clock = rapid.SampledFrom([]time.Time{{}, time.Unix(60, 0).UTC(), time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}).Draw(rt, "clock")
}

func (w *walk) jumped() bool { return w.clock.Year() == 1970 || w.clock.Year() == 2099 }

func (w *walk) requestDrill(rt *rapid.T) {
	if w.seen == 0 {
		return // no journal yet
	}
	w.drill = rapid.Bool().Draw(rt, "wanted")
	host := LinuxHost()
	host.OpenRoot = func(string, stateroot.Options) (Root, error) { return memRoot{w.disk}, nil }
	_, err := Operate(context.Background(), "/state", host, func(machine.State) (machine.Payload, error) {
		if w.drill {
			return machine.DrillRequested{V: 1, By: "walk", Reason: "random"}, nil
		}
		return machine.DrillCancelled{V: 1, By: "walk", Reason: "random"}, nil
	})
	w.check(err)
}
