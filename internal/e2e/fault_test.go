package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/journal"
)

// bootCase is a boot into which faults are injected.
type bootCase struct {
	name   string
	kernel string // another kernel release, or "" for this machine's
	// rotates is the number of epochs that the boot adds, however often it is
	// interrupted.
	rotates uint64
	prepare func(h *host)
}

const faultManifest = `{"version":"1","operations":[` +
	`{"op":"copy_binary","src":"edged","dst":"runtime/edged"},` +
	`{"op":"install_config","src":"config.yaml","dst":"etc/app/config.yaml"}]}`

// another runs the gate with another kernel release.
const another = "setarch --uname-2.6"

// bootCases are the boots of every kind: the first, a clean one, one that reconstructs, one that
// settles, and one after a kill that left a record that the head file does not acknowledge.
func bootCases() []bootCase {
	return []bootCase{
		{"first boot", "", 0, func(*host) {}},
		{"clean boot", "", 0, func(h *host) { h.boot("", 0); h.boot("", 0) }},
		{"boot that settles", "", 0, func(h *host) { h.boots(32) }},
		{"reconstruction", another, 1, func(h *host) { h.boot("", 0) }},
		{"boot after a kill", another, 1, func(h *host) {
			h.boot("", 0)
			for when := 1; h.Sh(`edgectl journal verify --json | jq '[.findings[] | select(.code == "head_behind")] | length'`) == "0"; when++ {
				if when > 20 {
					h.T.Fatal("no kill leaves a record that is not acknowledged")
				}
				h.inject(another, injection{"pwrite64", "signal=KILL", fmt.Sprint(when)})
			}
		}},
	}
}

// faulted is a node prepared for one case; each injection begins from the same bytes.
type faulted struct {
	*host
	bootCase
	base     string
	history  []string // the records that were acknowledged before
	epoch    uint64
	injected int
}

func newFaulted(t *testing.T, c bootCase) *faulted {
	t.Helper()
	h := newHost(t, "strace", "setarch", "cp")
	h.Sh(`head -c 200000 /dev/urandom >$STATE/runtime/binaries/edged
printf 'a: b\n' >$STATE/bootstrap/config.new
printf '%s' '` + faultManifest + `' >$STATE/runtime/manifest.json
edgectl manifest sign --state-root $STATE --key $STATE/demo/manifest-verify.key`)
	c.prepare(h)
	f := &faulted{host: h, bootCase: c, base: filepath.Join(h.Dir, "base")}
	f.history = f.acknowledged()
	f.epoch = f.bootEpoch()
	h.Sh(`cp -a $STATE $DIR/base`)
	return f
}

// restore restores the state root of the beginning of the case.
func (f *faulted) restore() {
	f.T.Helper()
	f.Sh(`rm -rf $STATE && cp -a $DIR/base $STATE`)
}

// bootEpoch returns the epoch of the fingerprint file, 0 if there is none yet.
func (f *faulted) bootEpoch() uint64 {
	f.T.Helper()
	data, err := os.ReadFile(f.State + "/bootstrap/os_fingerprint.json")
	if os.IsNotExist(err) {
		return 0
	}
	var doc struct {
		BootEpoch *uint64 `json:"boot_epoch"`
	}
	if err == nil {
		err = json.Unmarshal(data, &doc)
	}
	if err != nil || doc.BootEpoch == nil {
		f.T.Fatalf("%v: the fingerprint is %q", err, data)
	}
	return *doc.BootEpoch
}

// acknowledged returns the records that the head file vouches for; none if there is no head file
// yet.
func (f *faulted) acknowledged() []string {
	f.T.Helper()
	root, err := durable.OpenRootReadOnly(f.State)
	if err != nil {
		f.T.Fatal(err)
	}
	defer root.Close()
	head, err := journal.ReadHead(root, journal.DefaultLayout())
	if err != nil {
		f.T.Fatal(err)
	}
	slot, ok := head.Newest()
	if !ok {
		return nil
	}
	return f.records(root)[:slot.Tip.Seq]
}

func (f *faulted) records(root durable.FS) (all []string) {
	f.T.Helper()
	view, err := journal.OpenView(root, journal.DefaultLayout())
	if err != nil {
		f.T.Fatal(err)
	}
	defer view.Close()
	for rec, err := range view.Records(1, view.Tip().Seq) {
		if err != nil {
			f.T.Fatal(err)
		}
		all = append(all, string(rec.Raw))
	}
	return all
}

// ended checks how a boot with a fault ended: with an exit code of the table and a reason (unless
// the fault hit the line with the reason), or killed (137). Exit 2 with a stack trace of Go is a
// panic, except if the fault hit the event descriptor of Go's scheduler rather than the disk.
func (f *faulted) ended(i injection, o outcome) {
	f.T.Helper()
	exit, logs := o.exit, o.logs
	if exit == 2 && strings.Contains(logs, "fatal error: runtime: netpoll") {
		return
	}
	switch exit {
	case 0, 1, 2, 3, 5, 137:
	default:
		f.T.Fatalf("%s, %s: exit %d\n%s", f.name, i, exit, logs)
	}
	for _, part := range []string{"panic", "goroutine ", "fatal error"} {
		if strings.Contains(logs, part) {
			f.T.Fatalf("%s, %s: exit %d\n%s", f.name, i, exit, logs)
		}
	}
	if exit != 0 && exit != 137 && !o.muted && !strings.Contains(logs, "level=ERROR") {
		f.T.Fatalf("%s, %s: exit %d without a reason\n%s", f.name, i, exit, logs)
	}
}

// survives injects one fault into the case's boot and checks the next boot: exit 0, every
// acknowledged record unchanged, the epoch advanced exactly once, and a journal that edgectl finds
// intact. It reports whether the fault hit the boot.
func (f *faulted) survives(i injection) bool {
	f.T.Helper()
	const tries = 5
	var o outcome
	for try := 1; try == 1 || o.broken && try <= tries; try++ {
		f.restore()
		o = f.inject(f.kernel, i)
	}
	f.ended(i, o)
	if !o.hit {
		return false
	}
	f.injected++
	acked := f.acknowledged()
	if len(acked) < len(f.history) {
		f.T.Fatalf("%s, %s: %d records were acknowledged, and now %d", f.name, i, len(f.history), len(acked))
	}
	_, logs, exit := f.Run(f.kernel + " edged precheck")
	if exit != 0 {
		f.T.Fatalf("%s, %s: the next boot exits %d\n%s", f.name, i, exit, logs)
	}
	if got := f.bootEpoch(); got != f.epoch+f.rotates {
		f.T.Fatalf("%s, %s: epoch %d, want %d", f.name, i, got, f.epoch+f.rotates)
	}
	root, err := durable.OpenRootReadOnly(f.State)
	if err != nil {
		f.T.Fatal(err)
	}
	defer root.Close()
	all := f.records(root)
	for n, raw := range append(acked, f.history...) {
		if n >= len(acked) {
			n -= len(acked)
		}
		if n >= len(all) || all[n] != raw {
			f.T.Fatalf("%s, %s: acknowledged record %d is lost or changed", f.name, i, n+1)
		}
	}
	if got := uint64(strings.Count(strings.Join(all, "\n"), `"type":"EpochRotated"`)); got != f.epoch+f.rotates {
		f.T.Fatalf("%s, %s: %d rotations in the history, want %d", f.name, i, got, f.epoch+f.rotates)
	}
	if out, errs, exit := f.Run(`edgectl journal verify --deep`); exit != 0 {
		f.T.Fatalf("%s, %s: journal verify --deep: exit %d\n%s%s", f.name, i, exit, out, errs)
	}
	if f.rotates > 0 {
		want, err := os.ReadFile(f.State + "/runtime/binaries/edged")
		got, errGot := os.ReadFile(f.State + "/runtime/edged")
		if err != nil || errGot != nil || !bytes.Equal(want, got) {
			f.T.Fatalf("%s, %s: the installed file differs from its source: %v, %v", f.name, i, err, errGot)
		}
	}
	return true
}
