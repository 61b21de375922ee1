package gate

import (
	"log/slog"

	"github.com/autonomyops/edged/internal/metrics"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// writeMetrics leaves the run's outcome for node_exporter. A metrics file that
// cannot be written is told and stops nothing: it decides nothing.
func (r *run) writeMetrics(exit int) {
	if r.cfg == nil || r.cfg.Gate.MetricsFile == "" || r.plan != nil {
		return
	}
	now := r.host.Now()
	outcome := metrics.Run{ExitCode: exit, Seconds: now.Sub(r.began).Seconds(), At: now, CertEnd: r.certEnd}
	var state machine.State
	if h := r.history; h != nil {
		state = h.state
		if h.tail != (journal.TailUse{}) {
			outcome.Tail, outcome.Unsettled = &h.tail, h.unsettled
		}
	}
	path := r.cfg.Gate.MetricsFile
	if err := writeHostFile(path, []byte(metrics.Render(state, &outcome, r.clock.used)), 0o644); err != nil {
		r.log.Warn("precheck: metrics file cannot be written", slog.String("path", path), slog.String("err", err.Error()))
	}
}
