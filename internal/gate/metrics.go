package gate

import (
	"bytes"
	"errors"
	"log/slog"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/fault"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// maxMetrics is far above the size of a metrics file, in bytes.
const maxMetrics = 64 << 10

var errNotMetrics = errors.New("another file has this name: it does not begin as the gate's metrics do")

// replaceableMetrics returns an error if name holds something else than
// metrics: a mistyped gate.metrics_file must not destroy a config or a key.
func replaceableMetrics(dir *durable.Root, name string) error {
	data, _, err := durable.ReadFile(dir, name, maxMetrics)
	switch {
	case isNotExist(err):
		return nil
	case err == nil && len(data) > 0 && !bytes.HasPrefix(data, []byte(metricsBegin)):
		return errNotMetrics
	}
	return err
}

// writeMetrics leaves the run's outcome for node_exporter. A metrics file that
// cannot be written is a WARN: it decides nothing. A dry run only asks whether it
// could be.
func (r *run) writeMetrics(exit int) {
	if r.cfg == nil || r.cfg.Gate.MetricsFile == "" {
		return
	}
	now := r.host.Now()
	outcome := Outcome{ExitCode: exit, Seconds: now.Sub(r.began).Seconds(), At: now, CertEnd: r.certEnd}
	var state machine.State
	if h := r.history; h != nil {
		state = h.state
		if h.tail != (journal.TailUse{}) {
			outcome.Tail, outcome.Unsettled = &h.tail, h.unsettled
		}
	}
	path := r.cfg.Gate.MetricsFile
	err := inFolder(path, replaceableMetrics)
	switch {
	case err != nil:
	case r.plan != nil:
		err = inFolder(path, func(dir *durable.Root, name string) error { return durable.CheckReplace(dir, name, "") })
	default:
		err = r.replaceHostFile(path, []byte(Metrics(state, &outcome, r.clock.used)))
	}
	if err = fault.Explain(err); err != nil {
		r.log.Warn("precheck: metrics file cannot be written", slog.String("path", path), slog.String("err", err.Error()),
			slog.String("next", nextOf(err, "its directory must exist and be writable (ReadWritePaths= in the unit)")))
	}
}
