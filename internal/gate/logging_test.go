package gate

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"testing"
)

// listener is a log handler that calls heard with each record.
type listener struct {
	slog.Handler
	heard func(slog.Record)
}

func (l listener) Handle(ctx context.Context, r slog.Record) error {
	l.heard(r)
	return l.Handler.Handle(ctx, r)
}

func (l listener) WithAttrs(attrs []slog.Attr) slog.Handler {
	return listener{l.Handler.WithAttrs(attrs), l.heard}
}

// TestFailureIsRecordedBeforeItIsLogged: a log that hangs, or that ends the
// process that writes to it, takes no failure out of the history.
func TestFailureIsRecordedBeforeItIsLogged(t *testing.T) {
	for _, tt := range []struct {
		name     string
		exit     int
		spoil    func(n *node)
		recorded string // the last event, or a file's name
	}{
		{"certificate", ExitCertificate, func(n *node) { n.certificate(day) }, "PrecheckFailed:3:certificate"},
		{"reconstruction", ExitReconstruction, func(n *node) { n.kernel += "+1"; n.gateKeys("max_attempts: 1") }, "PrecheckFailed:5:manifest"},
		{"journal", ExitStateRoot, func(n *node) { n.remove("journal") }, "bootstrap/last_failure.json"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &stage{node: newNode(t)}
			s.boot(ExitOK)
			tt.spoil(s.node)
			lines := 0
			heard := func(r slog.Record) {
				if r.Level < slog.LevelError {
					return
				}
				lines++
				if _, err := os.Stat(s.path(tt.recorded)); err == nil {
					return
				}
				if events := s.events(); len(events) == 0 || describe(events[len(events)-1]) != tt.recorded {
					t.Errorf("%q is logged before the failure is recorded", r.Message)
				}
			}
			s.edit = func(h *Host) {
				log := h.Logger("")
				h.Logger = func(string) *slog.Logger { return slog.New(listener{log.Handler(), heard}) }
			}
			s.boot(tt.exit)
			if lines == 0 {
				t.Error("no ERROR line")
			}
		})
	}
}

// TestAnnotate: each line can say which run it is of, as far as that is known
// when it is written.
func TestAnnotate(t *testing.T) {
	s := &stage{node: newNode(t)}
	var heard []string
	s.edit = func(h *Host) {
		heard = nil
		var known func() []slog.Attr
		h.Annotate = func(fields func() []slog.Attr) { known = fields }
		log := h.Logger("")
		h.Logger = func(string) *slog.Logger {
			return slog.New(listener{log.Handler(), func(r slog.Record) {
				line := r.Message
				for _, a := range known() {
					switch a.Key {
					case "run", "journal":
						if a.Value.String() == "" {
							t.Errorf("%s: %s is empty", r.Message, a.Key)
						}
						line += " " + a.Key
					default:
						line += " " + a.String()
					}
				}
				heard = append(heard, line)
			}})
		}
	}
	expect := func(want ...string) {
		t.Helper()
		if !slices.Equal(heard, want) {
			t.Errorf("%q, want %q", heard, want)
		}
	}
	s.boot(ExitOK)
	expect("edge.os.fingerprint_initialized run node=node-01 journal boot_epoch=0")
	s.kernel += "+1"
	s.boot(ExitReconstruction)
	expect("edge.os.update_detected run node=node-01 journal boot_epoch=0",
		"edge.os.reconstruction_started run node=node-01 journal boot_epoch=0",
		"precheck: manifest verify key missing on reconstruction path run node=node-01 journal boot_epoch=0")
	s.deploy(emptyManifest)
	s.boot(ExitOK)
	expect("edge.os.update_detected run node=node-01 journal boot_epoch=0",
		"edge.os.reconstruction_started run node=node-01 journal boot_epoch=0",
		"edge.os.reconstruction_completed run node=node-01 journal boot_epoch=1")
	s.remove("journal")
	s.boot(ExitStateRoot)
	expect("precheck: journal missing run node=node-01")
	s.env["EDGE_STATE_ROOT"] = "/absent"
	s.boot(ExitStateRoot)
	expect("precheck: state root rejected run node=node-01")
	s.write("config", nil)
	s.boot(ExitConfig, func(o *Options) { o.ConfigPath = s.path("config") })
	expect("precheck: config rejected run")
}
