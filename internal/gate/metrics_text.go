package gate

import (
	"fmt"
	"strings"
	"time"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// Outcome is the result of one precheck. The zero value of a member means
// that it is unknown.
type Outcome struct {
	ExitCode  int
	Seconds   float64          // duration of the run
	At        time.Time        // its end
	CertEnd   time.Time        // end of the leaf's validity, zero when unknown
	Tail      *journal.TailUse // at the end of the run, nil if there is no journal
	Unsettled bool             // settling was due and failed
}

// metricsBegin begins every text of Metrics.
const metricsBegin = "# HELP edged_"

// Metrics returns a node's state as Prometheus text for node_exporter's textfile
// collector. run is nil if no run is known. The format is the text exposition
// format, version 0.0.4:
// https://prometheus.io/docs/instrumenting/exposition_formats/
func Metrics(s machine.State, run *Outcome, now time.Time) string {
	var b strings.Builder
	gauge := func(name, help string, value float64) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n%s %g\n", name, help, name, name, value)
	}
	gauge("edged_boot_epoch", "Boot epoch in force.", float64(s.Epoch))
	fmt.Fprintf(&b, "# HELP edged_journal_events_total Records in the journal.\n# TYPE edged_journal_events_total counter\nedged_journal_events_total %d\n", s.Seq)
	if run != nil && run.Tail != nil {
		gauge("edged_journal_tail_records", "Records that have not settled.", float64(run.Tail.Records))
		gauge("edged_journal_tail_free_bytes", "Room for records in the journal's tail.", float64(run.Tail.FreeBytes))
		unsettled := 0.0
		if run.Unsettled {
			unsettled = 1
		}
		gauge("edged_journal_unsettled", "1 if the newest precheck was to settle the tail and could not.", unsettled)
	}
	attempts := 0
	if s.Open != nil {
		attempts = s.Open.Attempt
	}
	gauge("edged_reconstruction_attempts", "Attempts of the open reconstruction, 0 when none is open.", float64(attempts))
	if run != nil {
		gauge("edged_precheck_last_exit_code", "Exit code of the newest precheck.", float64(run.ExitCode))
		gauge("edged_precheck_last_duration_seconds", "Duration of the newest precheck.", run.Seconds)
		gauge("edged_precheck_last_timestamp_seconds", "When the newest precheck ended.", float64(run.At.Unix()))
		if !run.CertEnd.IsZero() {
			gauge("edged_certificate_remaining_seconds", "Time until the node certificate expires, 86400 a day.", run.CertEnd.Sub(now).Seconds())
		}
	}
	return b.String()
}
