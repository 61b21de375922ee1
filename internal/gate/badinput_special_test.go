package gate

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/machine"
)

// special is a FIFO, folder, symlink or 10 GB file at a path that the gate
// reads below the state root, on a node whose OS was replaced or not.
type special struct {
	path   string
	before string         // fresh, settled or updated
	exit   map[string]int // by kind; "" for every other
	events string         // of a boot that ends in 0
}

func specials() []special {
	always := func(exit int) map[string]int { return map[string]int{"": exit} }
	const tampered = "FingerprintCaptured:match UpdateDetected:fingerprint_tampered#1 ManifestVerified OpApplied:in_place EpochRotated"
	return []special{
		{"bootstrap/os_fingerprint.json", "settled", always(ExitOK), tampered},
		{"epoch/current/evidence.json", "settled", always(ExitOK), "FingerprintCaptured:match ProjectionRepaired:current/evidence.json:edited"},
		{"epoch/previous/evidence.json", "settled", always(ExitOK), "FingerprintCaptured:match ProjectionRepaired:previous/evidence.json:edited"},
		{"epoch/current", "settled", map[string]int{"": ExitOK}, ""},
		{"bootstrap/journal_head", "settled", nil, ""},
		{"bootstrap/last_failure.json", "settled", always(ExitOK), "FingerprintCaptured:match"},
		{"bootstrap/config.yaml", "settled", always(ExitOK), "FingerprintCaptured:match"},
		{"bootstrap/config.yaml", "updated", map[string]int{"fifo": ExitReconstruction, "folder": ExitReconstruction, "symlink": ExitReconstruction}, ""},
		{"journal", "settled", always(ExitStateRoot), ""},
		{"journal.new", "fresh", always(ExitOK), "ManifestVerified FingerprintCaptured:initial"},
		{"journal.new", "settled", always(ExitOK), "FingerprintCaptured:match"},
		{"runtime/manifest.json", "settled", always(ExitOK), "FingerprintCaptured:match"},
		{"runtime/manifest.json", "updated", always(ExitReconstruction), ""},
		{"runtime/manifest.json", "fresh", always(ExitReconstruction), ""},
		{"runtime/manifest.json.sig", "updated", always(ExitReconstruction), ""},
		{"identity/manifest-verify.pub", "updated", always(ExitReconstruction), ""},
		{"runtime/binaries/edged", "settled", always(ExitOK), "FingerprintCaptured:match"},
		{"runtime", "settled", always(ExitOK), "FingerprintCaptured:match"},
		{"identity", "settled", always(ExitOK), "FingerprintCaptured:match"},
	}
}

// TestBadInput_SpecialFiles: whatever object the gate finds at a path, the boot
// ends with a known exit code, and files outside the state root are never read
// into it nor written to.
func TestBadInput_SpecialFiles(t *testing.T) {
	for _, sp := range specials() {
		for _, kind := range plantKinds() {
			want, known := sp.exit[kind]
			if !known {
				if want, known = sp.exit[""]; !known && sp.exit != nil {
					continue // what it would do there is no matter of safety
				}
			}
			t.Run(sp.before+"/"+slug(sp.path)+"/"+kind, func(t *testing.T) {
				t.Parallel()
				n := newNode(t)
				n.edit = quick
				n.stand(sp.before)
				if sp.before == "settled" { // two epochs, so that every file is there
					for range 2 {
						n.update()
						n.boot(ExitOK)
					}
				}
				if sp.before == "fresh" {
					n.deploy(oneOp)
				}
				n.plant(kind, n.path(sp.path))
				n.writeFile(n.outside(), []byte("outside"))
				outside := tree(t, n.outside())
				ended(t, func() { sp.play(n, want, known) })
				sameTree(t, "a boot", outside, tree(t, n.outside()))
			})
		}
	}
}

// ended fails if a boot hangs, as after opening a FIFO without O_NONBLOCK.
func ended(t *testing.T, boot func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); boot() }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatal("the boot hangs")
	}
}

func (sp special) play(n *node, want int, known bool) {
	before := tree(n.t, n.dir)
	dry := n.precheck(func(o *Options) { o.DryRun = true })
	sameTree(n.t, "the dry run", before, tree(n.t, n.dir))
	s := &stage{node: n}
	records := len(s.events())
	got := n.precheck()
	if got != dry {
		n.t.Errorf("exit %d, the dry run ended in %d\n%s", got, dry, n.logs.String())
	}
	if known && got != want || !known && got != ExitOK && got != ExitStateRoot {
		n.t.Fatalf("exit %d, want %d\n%s", got, want, n.logs.String())
	}
	if got != ExitOK {
		c := badInput{exit: got, path: sp.path}
		if got == ExitStateRoot {
			c.path = ""
		}
		c.reported(n)
		var applied []string
		for _, e := range s.events()[records:] {
			if e.Meta.Kind == machine.KindOpApplied {
				applied = []string{"state", "state/bin", "state/bin/app"}
			}
		}
		untouched(n.t, before, tree(n.t, n.dir), applied...)
		return
	}
	if sp.events != "" {
		var names []string
		for _, e := range s.events()[records:] {
			names = append(names, describe(e))
		}
		if text := strings.Join(names, " "); text != sp.events {
			n.t.Errorf("events\n  %s\nwant\n  %s", text, sp.events)
		}
	}
	n.boot(ExitOK)
	if slices.Contains([]string{"bootstrap/os_fingerprint.json", "epoch/current/evidence.json"}, sp.path) {
		if info, err := os.Lstat(n.path(sp.path)); err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
			n.t.Errorf("%s was not made again: %v %v", sp.path, info, err)
		}
	}
}
