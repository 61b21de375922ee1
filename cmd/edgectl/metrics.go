package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/status"
)

func metricsCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "metrics",
		Short: "print the node's metrics as Prometheus text",
		Long: `metrics prints what gate.metrics_file has the gate write at the end of each run:
boot epoch, exit code, duration and time of the last boot, records, attempts of
an open reconstruction, room in the journal's tail, and the time that the
certificate has left. What is unknown is left out, and standard error says why.

The last boot is taken from the journal: its duration is the time from its first
to its last record. metrics changes nothing. It waits while a gate runs.

Exit status: 0, or 2 if nothing is known.`,
		Example: `  edgectl metrics
  edgectl metrics >/var/lib/node_exporter/.edged && mv /var/lib/node_exporter/.edged /var/lib/node_exporter/edged.prom`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := e.status(cmd.Context())
			if err != nil {
				return err
			}
			if s.Epoch == nil || s.Incomplete != "" {
				fmt.Fprintln(e.stderr, "edgectl: the journal's metrics are left out: the journal is absent or damaged; edgectl status says why")
			}
			if s.Doctor == nil {
				fmt.Fprintln(e.stderr, "edgectl: the certificate's metrics are left out: the node could not be examined; edgectl status says why")
			}
			text := gate.Metrics(measures(s))
			if text == "" {
				return fail("edgectl status says why", "nothing is known of this node")
			}
			_, err = io.WriteString(e.stdout, text)
			return err
		},
	}
}

func measures(s status.Status) gate.Measures {
	m := gate.Measures{Now: time.Now()}
	if s.Epoch != nil && s.Incomplete == "" {
		m.Epoch, m.Events, m.Attempts, m.Tail = s.Epoch, &s.Head.Seq, new(int), s.Tail
		m.Unsettled = s.Tail != nil && s.Tail.SettlingDue
		if s.Reconstruction != nil {
			m.Attempts = &s.Reconstruction.Attempt
		}
		if b := s.LastBoot; b != nil && b.ExitCode != nil {
			took := time.Duration(b.DurationMS) * time.Millisecond
			m.Exit, m.Duration, m.Ended = b.ExitCode, &took, b.Time
		}
	}
	if f := s.FailureFile; f != nil && f.Time.After(m.Ended) {
		m.Exit, m.Duration, m.Ended = &f.ExitCode, nil, f.Time
	}
	if s.Doctor != nil && s.Doctor.Leaf != nil {
		m.CertEnd = s.Doctor.Leaf.NotAfter
	}
	return m
}
