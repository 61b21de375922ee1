package gate

import (
	"context"
	"log/slog"
	"os"
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
