package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/cmd/edgectl/internal/salvaging"
	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/osid"
	"github.com/autonomyops/edged/internal/salvage"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// salvaged is what journal salvage prints as JSON.
type salvaged struct {
	Journal     string                  `json:"journal"`
	Predecessor string                  `json:"predecessor"`
	Records     string                  `json:"predecessor_records"` // path of the kept prefix
	Quarantine  string                  `json:"quarantine,omitempty"`
	Installed   bool                    `json:"installed"`
	Event       machine.JournalSalvaged `json:"event"`
}

func journalSalvage(e *env) *cobra.Command {
	var (
		by      act
		out     string
		node    string
		install bool
	)
	cmd := &cobra.Command{
		Use:   "salvage (--out DIR | --install) --reason TEXT",
		Short: "make a new journal that continues a damaged one",
		Long: `salvage keeps the longest verifiable prefix of a damaged journal as
predecessor.jsonl, and makes a new journal of one record that names the
predecessor, says what was lost, and carries every floor: epoch, serial, time,
keys. The damaged journal is never changed.

--out writes both into DIR and leaves the state root alone. --install swaps the
new journal in: the old one stays under journal.quarantine-<time>, the next
boot reconstructs from verified material. It refuses a journal in which neither
a boot nor a verification, of the tables' blocks too, finds damage.`,
		Example: `  edgectl journal salvage --out /tmp/salvage --reason "bit rot on node 12"
  edgectl journal salvage --install --reason "bit rot on node 12"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (out == "") == !install {
				return fail("pass --out DIR to look first, or --install to swap it in", "salvage needs exactly one of --out and --install")
			}
			if err := by.check(e); err != nil {
				return err
			}
			root, err := e.root()
			if err != nil {
				return err
			}
			e.warnLogSkipped(root)
			who, err := salvager(by, node)
			if err != nil {
				return err
			}
			var judged journal.HeadReport
			if install {
				if judged, err = headNow(root); err != nil {
					return err
				}
				if err := salvaging.Damaged(cmd.Context(), root, e.host()); err != nil {
					return err
				}
			}
			attempt := func(who salvage.Request) (salvaged, error) {
				if install {
					return salvageInstall(cmd.Context(), root, judged, who)
				}
				return salvageOut(root, out, who)
			}
			cfg := e.knownConfig()
			if cfg != nil {
				who.Predecessor = cfg.Gate.JournalID
			}
			res, err := attempt(who)
			if errors.Is(err, salvage.ErrNode) && cfg != nil {
				who.Node = cfg.Identity.EdgeDomainID
				res, err = attempt(who)
			}
			if errors.Is(err, salvage.ErrNode) {
				return fail("name it with --node, as identity.edge_domain_id of the config has it, or the config with --config", "nothing readable is left of the journal: %w", err)
			}
			if err != nil {
				return fail(insteadOfSalvage(err), "salvage: %w", err)
			}
			if e.json {
				return writeJSON(e.stdout, res)
			}
			return res.print(e)
		},
	}
	by.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "a new directory to write to")
	cmd.Flags().StringVar(&node, "node", "", "the node's name, if nothing that is left has it")
	cmd.Flags().BoolVar(&install, "install", false, "swap the new journal in")
	e.jsonFlag(cmd)
	return cmd
}

// insteadOfSalvage is the advice if a salvage fails. Nothing was changed.
func insteadOfSalvage(err error) string {
	switch {
	case errors.Is(err, salvage.ErrForeign):
		return "put the right partition back; if the journal was changed on purpose, change gate.journal_id or leave --node out"
	case errors.Is(err, machine.ErrNewer), errors.Is(err, errs.ErrNewer):
		return "salvage it with the release that wrote it, or a newer one"
	case errors.Is(err, errMeanwhile):
		return "look again: edgectl journal verify"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, errs.ErrNoSpace):
		return "the journal is as it was; free blocks and inodes there, then try again"
	}
	return "the journal is as it was; check the disk and try again"
}

func salvager(by act, node string) (salvage.Request, error) {
	bootID, err := osid.BootID()
	if err != nil {
		return salvage.Request{}, err
	}
	uptime, err := osid.Uptime()
	if err != nil {
		return salvage.Request{}, err
	}
	run, err := uuid.NewV7()
	if err != nil {
		return salvage.Request{}, err
	}
	return salvage.Request{By: by.by, Reason: by.reason, Node: node, Run: run.String(), BootID: bootID, UptimeMS: uptime, Now: time.Now(), NewID: uuid.NewV7}, nil
}

// errMeanwhile: between the judgement of a journal and the lock, somebody else
// had it: another salvage most of all, whose journal is whole.
var errMeanwhile = errors.New("the journal was changed meanwhile")

// headNow is the head file, which everything that changes a journal writes.
func headNow(path string) (journal.HeadReport, error) {
	root, err := durable.OpenRootReadOnly(path)
	if err != nil {
		return journal.HeadReport{}, err
	}
	defer root.Close() //nolint:errcheck // read-only
	return salvage.ReadHead(root)
}

// salvageInstall swaps the new journal in under the gate's lock, if the head
// file is still the one that was judged.
func salvageInstall(ctx context.Context, path string, judged journal.HeadReport, who salvage.Request) (salvaged, error) {
	root, _, err := stateroot.Open(path, stateroot.Options{Anywhere: true})
	if err != nil {
		return salvaged{}, err
	}
	defer root.Close() //nolint:errcheck // everything written was flushed
	if err := stateroot.Lock(ctx, root, stateroot.LockWait, stateroot.Clock{}); err != nil {
		return salvaged{}, err
	}
	if now, err := salvage.ReadHead(root); err != nil || now != judged {
		return salvaged{}, errors.Join(err, errMeanwhile)
	}
	in, err := salvage.Install(root, who)
	if err != nil {
		return salvaged{}, err
	}
	res := salvaged{Journal: in.Journal, Predecessor: in.Event.Predecessor, Records: filepath.Join(path, in.Kept), Installed: true, Event: in.Event}
	if in.Quarantine != "" {
		res.Quarantine = filepath.Join(path, in.Quarantine)
	}
	return res, nil
}

// salvageOut writes to a directory of its own, and to nothing else.
func salvageOut(path, out string, who salvage.Request) (salvaged, error) {
	root, err := durable.OpenRootReadOnly(path)
	if err != nil {
		return salvaged{}, err
	}
	defer root.Close() //nolint:errcheck // read-only
	parent, err := durable.OpenRoot(filepath.Dir(filepath.Clean(out)))
	if err != nil {
		return salvaged{}, err
	}
	defer parent.Close() //nolint:errcheck // everything written was flushed
	if err := parent.Mkdir(filepath.Base(out), 0o750); err != nil {
		return salvaged{}, fmt.Errorf("--out takes a directory that does not exist yet: %w", err)
	}
	plan, err := salvageInto(root, out, who)
	if err != nil {
		return salvaged{}, errors.Join(err, durable.RemoveAll(parent, filepath.Base(out)))
	}
	return salvaged{Journal: plan.ID.String(), Predecessor: plan.Event.Predecessor,
		Records: filepath.Join(out, stateroot.PredecessorRecords), Event: plan.Event}, nil
}

func salvageInto(root durable.FS, out string, who salvage.Request) (*salvage.Plan, error) {
	dir, err := durable.OpenRoot(out)
	if err != nil {
		return nil, err
	}
	defer dir.Close() //nolint:errcheck // everything written was flushed
	kept, err := salvage.NewPredecessor(dir, ".")
	if err != nil {
		return nil, err
	}
	plan, err := salvage.Examine(root, who, kept.Keep)
	if err = errors.Join(err, kept.Close()); err != nil {
		return nil, err
	}
	_, err = plan.Write(dir)
	return plan, err
}

// knownConfig is the node's config if one is named and can be read: it has the
// node's name and pin if nothing on the disk has them any more.
func (e *env) knownConfig() *config.Config {
	path := cmp.Or(e.target.config, e.getenv(envConfig))
	if path == "" && e.namedRoot() == "" {
		path, _ = e.namedConfig() // it named the state root
	}
	if path == "" {
		return nil
	}
	cfg, err := config.Load(path)
	if err != nil {
		return nil
	}
	return cfg
}

func (s salvaged) print(e *env) error {
	_, err := fmt.Fprintf(e.stdout, "kept         %s of journal %s, in %s\nlost         %s\ncarries      epoch %d\nnew journal  %s\n",
		records(s.Event.Size), cmp.Or(s.Predecessor, "unknown"), s.Records, s.Event.Lost, s.Event.Epoch, s.Journal)
	if err != nil || !s.Installed {
		return err
	}
	quarantine := s.Quarantine
	if quarantine == "" {
		quarantine = "none: there was no journal"
	}
	_, err = fmt.Fprintf(e.stdout, "quarantine   %s\nthe next precheck reconstructs from verified material\n", quarantine)
	return err
}
