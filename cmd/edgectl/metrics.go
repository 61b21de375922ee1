package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/doctor"
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
certificate has left. What is unknown is left out.

The last boot is taken from the journal: its duration is that from its first to
its last record. A reader of the journal takes no lock and changes nothing.`,
		Example: `  edgectl metrics
  edgectl metrics >/var/lib/node_exporter/.edged && mv /var/lib/node_exporter/.edged /var/lib/node_exporter/edged.prom`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := e.status(cmd.Context())
			if err != nil {
				return err
			}
			if s.Epoch == nil {
				fmt.Fprintln(e.stderr, "edgectl: the journal cannot be replayed, so its metrics are left out; edgectl status says why")
			}
			_, err = io.WriteString(e.stdout, gate.Metrics(measures(s)))
			return err
		},
	}
}

func measures(s status.Status) gate.Measures {
	m := gate.Measures{Epoch: s.Epoch, Tail: s.Tail, Now: time.Now()}
	if s.Epoch != nil { // the history was replayed
		m.Events, m.Attempts = &s.Head.Seq, new(int)
		if s.Reconstruction != nil {
			m.Attempts = &s.Reconstruction.Attempt
		}
	}
	if b := s.LastBoot; b != nil && b.ExitCode != nil {
		took := time.Duration(b.DurationMS) * time.Millisecond
		m.Exit, m.Duration, m.Ended = b.ExitCode, &took, b.Time
	}
	if f := s.FailureFile; f != nil && f.Time.After(m.Ended) {
		m.Exit, m.Duration, m.Ended = &f.ExitCode, nil, f.Time
	}
	if d := s.Doctor; d != nil {
		if d.Leaf != nil {
			m.CertEnd = d.Leaf.NotAfter
		}
		m.Unsettled = slices.ContainsFunc(d.Findings, func(f doctor.Finding) bool { return f.Code == doctor.CodeUnsettled })
	}
	return m
}
