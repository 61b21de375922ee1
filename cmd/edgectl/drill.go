package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/buildinfo"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/operation"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/machine"
)

func drillCommand(e *env) *cobra.Command {
	var (
		by     act
		cancel bool
	)
	cmd := &cobra.Command{
		Use:   "drill --reason TEXT",
		Short: "have the next boot exercise the whole reconstruction",
		Long: `drill journals a request that the next precheck answers with a whole
reconstruction on a healthy node: verify, apply, advance the epoch. It is
refused unless manifest, signature, key and operations would pass now.`,
		Example: `  edgectl drill --reason "quarterly exercise"
  edgectl drill --cancel --reason "wrong node"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := by.check(e); err != nil {
				return err
			}
			event, _, err := e.operate(cmd, func(s machine.State) (machine.Payload, error) {
				if cancel {
					if s.Drill == nil {
						return nil, fail("edgectl journal log shows what was asked for", "no drill is pending")
					}
					return machine.DrillCancelled{V: 1, By: by.by, Reason: by.reason}, nil
				}
				if s.Drill != nil {
					return nil, fail("boot the node, or cancel it with --cancel", "a drill is pending since record %d", s.Drill.Seq)
				}
				if err := e.wouldPass(s); err != nil {
					return nil, err
				}
				return machine.DrillRequested{V: 1, By: by.by, Reason: by.reason}, nil
			})
			if err != nil {
				return err
			}
			if cancel {
				return e.told(event, "the next boot is an ordinary one")
			}
			return e.told(event, "the next precheck reconstructs; the epoch advances by one")
		},
	}
	by.flags(cmd)
	cmd.Flags().BoolVar(&cancel, "cancel", false, "withdraw a drill that no boot has answered yet")
	e.jsonFlag(cmd)
	return cmd
}

// notBefore is the time as the gate takes it: the clock, or the newest floor.
func notBefore(now time.Time, floors ...time.Time) time.Time {
	for _, f := range floors {
		if f.After(now) {
			now = f
		}
	}
	return now
}

// wouldPass says whether a reconstruction would get past its checks now.
func (e *env) wouldPass(s machine.State) error {
	root, err := e.root()
	if err != nil {
		return err
	}
	tree, err := durable.OpenRootReadOnly(root)
	if err != nil {
		return err
	}
	defer tree.Close() //nolint:errcheck // read-only
	const next = "mend it first: a drill on this node would end in exit 5"
	files, err := manifest.Read(tree)
	if err != nil {
		return fail(next, "refused: %w", err)
	}
	if key := signing.Hash(files.Key); !s.AcceptsManifestKey(key) {
		return fail(next, "refused: the verify key %s is not the one that the journal knows (%s)", key, s.Keys.Manifest)
	}
	m, err := files.Verify()
	if err != nil {
		return fail(next, "refused: %w", err)
	}
	if err := m.Admit(manifest.Policy{SerialFloor: s.Serial, Now: notBefore(time.Now().UTC(), s.TimeFloor(""), buildinfo.Time())}); err != nil {
		return fail(next, "refused: %w", err)
	}
	if _, err := operation.Plan(tree, root, m); err != nil {
		return fail(next, "refused: %w", err)
	}
	return nil
}
