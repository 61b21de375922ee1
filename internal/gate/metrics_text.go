package gate

import (
	"fmt"
	"strings"
	"time"

	"github.com/autonomyops/edged/journal"
)

// Measures are what a node's metrics are made of. What is unknown is nil, or a
// zero time, and its metric is left out.
type Measures struct {
	Epoch     *uint64        // boot epoch in force
	Events    *uint64        // records in the journal
	Attempts  *int           // of the open reconstruction, 0 if none is open
	Exit      *int           // exit code of the newest precheck
	Duration  *time.Duration // of the newest precheck
	Ended     time.Time      // when it ended
	CertEnd   time.Time      // end of the leaf's validity
	Tail      *journal.TailUse
	Unsettled bool // settling is due and failed
	Now       time.Time
}

// metricsBegin begins every text of Metrics.
const metricsBegin = "# HELP edged_"

// Metrics returns m as Prometheus text for node_exporter's textfile collector. The
// format is the text exposition format, version 0.0.4:
// https://prometheus.io/docs/instrumenting/exposition_formats/
func Metrics(m Measures) string {
	var b strings.Builder
	metric := func(name, kind, help string, value float64) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n%s %g\n", name, help, name, kind, name, value)
	}
	gauge := func(name, help string, value float64) { metric(name, "gauge", help, value) }
	if m.Epoch != nil {
		gauge("edged_boot_epoch", "Boot epoch in force.", float64(*m.Epoch))
	}
	if m.Events != nil {
		metric("edged_journal_events_total", "counter", "Records in the journal.", float64(*m.Events))
	}
	if m.Attempts != nil {
		gauge("edged_reconstruction_attempts", "Attempts of the open reconstruction, 0 when none is open.", float64(*m.Attempts))
	}
	if t := m.Tail; t != nil {
		gauge("edged_journal_tail_records", "Records that have not settled.", float64(t.Records))
		gauge("edged_journal_tail_free_bytes", "Room for records in the journal's tail.", float64(t.FreeBytes))
		unsettled := 0.0
		if m.Unsettled {
			unsettled = 1
		}
		gauge("edged_journal_unsettled", "1 if the newest precheck was to settle the tail and could not.", unsettled)
	}
	if m.Exit != nil {
		gauge("edged_precheck_last_exit_code", "Exit code of the newest precheck.", float64(*m.Exit))
	}
	if m.Duration != nil {
		gauge("edged_precheck_last_duration_seconds", "Duration of the newest precheck; as edgectl reports it, from its first to its last record.", m.Duration.Seconds())
	}
	if !m.Ended.IsZero() {
		gauge("edged_precheck_last_timestamp_seconds", "When the newest precheck ended.", float64(m.Ended.Unix()))
	}
	if !m.CertEnd.IsZero() {
		gauge("edged_certificate_remaining_seconds", "Time until the node certificate expires, 86400 a day.", m.CertEnd.Sub(m.Now).Seconds())
	}
	return b.String()
}
