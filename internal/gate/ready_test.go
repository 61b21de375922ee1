package gate

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/stateroot"
)

// contended is a root whose lock another gate holds, which passes meanwhile.
type contended struct {
	Root
	pass func()
	err  error
}

func (c contended) Lock(ctx context.Context) error {
	c.pass()
	if c.err != nil {
		return c.err
	}
	return c.Root.Lock(ctx)
}

// TestReadyOfTheNewestJudgement: the pass that another gate wrote while this
// one waited for the lock does not outlive this one's failure. A gate that
// never got the lock has judged nothing, and takes no pass away.
func TestReadyOfTheNewestJudgement(t *testing.T) {
	for _, tt := range []struct {
		name    string
		lock    error
		exit    int
		remains bool
	}{
		{"judged and failed", nil, ExitCertificate, false},
		{"never locked", fmt.Errorf("lock state root: %w", stateroot.ErrLocked), ExitStateRoot, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNode(t)
			n.boot(ExitOK)
			n.certificate(day)
			ready := n.file("passed")
			n.edit = func(h *Host) {
				open := h.OpenRoot
				h.OpenRoot = func(path string, opt stateroot.Options) (Root, error) {
					root, err := open(path, opt)
					return contended{root, func() { n.writeFile(ready, lastPass) }, tt.lock}, err
				}
			}
			n.boot(tt.exit, func(o *Options) { o.ReadyFile = ready })
			if _, err := os.Stat(ready); (err == nil) != tt.remains {
				t.Errorf("the other gate's pass remains: %t, want %t", err == nil, tt.remains)
			}
		})
	}
}

// TestReadyFolderGone: a ready file that cannot be written once everything
// else has passed is a failure like any other: recorded, and in the metrics.
func TestReadyFolderGone(t *testing.T) {
	n := newNode(t)
	n.mkdir(n.file("run"))
	n.gateKeys("metrics_file: " + n.file("edged.prom"))
	n.edit = func(h *Host) {
		log := h.Logger("")
		h.Logger = func(string) *slog.Logger {
			return slog.New(listener{log.Handler(), func(r slog.Record) {
				if r.Message == "edge.os.fingerprint_initialized" {
					n.check(os.RemoveAll(n.file("run")))
				}
			}})
		}
	}
	n.boot(ExitStateRoot, func(o *Options) { o.ReadyFile = n.file("run/passed") })
	n.logged("level=ERROR", "precheck: ready file cannot be written")
	if text := string(n.read("bootstrap/last_failure.json")); !strings.Contains(text, `"stage": "ready_file"`) {
		t.Errorf("last_failure.json:\n%s", text)
	}
	if text := string(n.must(os.ReadFile(n.file("edged.prom")))); !strings.Contains(text, "exit_code 2") {
		t.Errorf("metrics:\n%s", text)
	}
}
