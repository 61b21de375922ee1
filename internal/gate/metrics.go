package gate

import (
	"bytes"
	"errors"
	"log/slog"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/fault"
	"github.com/autonomyops/edged/journal"
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
	duration := now.Sub(r.began)
	m := Measures{Exit: &exit, Duration: &duration, Ended: now, CertEnd: r.certEnd, Now: r.clock.used}
	if h := r.history; h != nil && h.state.Seq > 0 {
		attempts := r.attempt()
		m.Epoch, m.Events, m.Attempts = &h.state.Epoch, &h.state.Seq, &attempts
		if h.tail != (journal.TailUse{}) {
			m.Tail, m.Unsettled = &h.tail, h.unsettled
		}
	}
	path := r.cfg.Gate.MetricsFile
	err := inFolder(path, replaceableMetrics)
	switch {
	case err != nil:
	case r.plan != nil:
		err = inFolder(path, func(dir *durable.Root, name string) error { return durable.CheckReplace(dir, name, "") })
	default:
		err = r.replaceHostFile(path, []byte(Metrics(m)))
	}
	if err = fault.Explain(err); err != nil {
		r.log.Warn("precheck: metrics file cannot be written", slog.String("path", path), slog.String("err", err.Error()),
			slog.String("next", nextOf(err, "its directory must exist and be writable (ReadWritePaths= in the unit)")))
	}
}
