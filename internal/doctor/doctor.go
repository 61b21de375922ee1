// Package doctor reports what would end a node's next boot or its next
// reconstruction, and the command that repairs it.
//
// It calls the checks of the gate without a boot, and turns their failures and
// warnings into findings. It also checks what the gate does not: the units that
// start the gate, the days until a certificate ends, the free space and, on
// request, the whole journal.
package doctor

import (
	"context"
	"time"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/ship"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// Options select what is examined.
type Options struct {
	StateRoot string // absolute; "" for that of the config
	Config    string // path, "" if none is known
	// Elsewhere: the state root is not at the config's path, as on the disk of a
	// dead node. Anything outside of it is not checked.
	Elsewhere bool
	// Journal also verifies the whole journal.
	Journal bool
	// LogSkipped is the mount option that kept the log of the filesystem from
	// being replayed, from history.LogSkipped.
	LogSkipped string
	// Manifest, if not nil, is checked instead of the deployed one.
	Manifest  *manifest.Files
	Software  string
	BuildTime time.Time // a lower bound of the time
	Host      gate.Host
	// System is the directory with the system's units: "/", except in tests.
	System string
	// Progress is called during a verification of the journal; it may be nil.
	Progress func(stage string, done, total uint64)
}

// Report is the result, as it is printed. A member that is null is not known.
type Report struct {
	OK        bool      `json:"ok"` // no finding is an error
	Node      string    `json:"node"`
	StateRoot string    `json:"state_root"`
	Config    string    `json:"config"`
	Boot      Outcome   `json:"boot"`           // of the next boot
	Rebuild   Outcome   `json:"reconstruction"` // of the next boot with a reconstruction
	Leaf      *Validity `json:"certificate"`
	CA        *Validity `json:"ca"` // the last to end of those in transport.ca_file
	Space     *Space    `json:"space"`
	// Tail describes the part of the journal that has not settled.
	Tail *journal.TailUse `json:"tail"`
	// Unseen is what nobody else has seen of the journal.
	Unseen *ship.Unseen `json:"unseen"`
	// Verified: the whole journal was verified.
	Verified bool      `json:"journal_verified"`
	Findings []Finding `json:"findings"`
}

// Outcome is the end of a boot.
type Outcome struct {
	Passes   bool `json:"passes"`
	ExitCode int  `json:"exit_code"`
}

// Validity is the time that a certificate has left.
type Validity struct {
	NotAfter time.Time `json:"not_after"`
	Days     int       `json:"days_left"` // whole days, negative after it has expired
}

// Space is the free space on the state root's filesystem. A member is null if the
// filesystem does not report it.
type Space struct {
	Bytes  *uint64 `json:"free_bytes"`
	Inodes *uint64 `json:"free_inodes"`
}

// examination is an examination in progress.
type examination struct {
	opt  Options
	x    *gate.Examination
	unit unit
	rep  *Report
}

// Examine examines a node and changes nothing. An error means that it could not be
// examined: a gate is running and does not end, or ctx is done.
func Examine(ctx context.Context, opt Options) (*Report, error) {
	e, err := examine(ctx, opt)
	if err != nil {
		return nil, err
	}
	return e.rep, nil
}

// Drill returns the decision of [gate.Operate] about a drill on a node.
func Drill(ctx context.Context, opt Options, by, reason string) (func(machine.State) (machine.Payload, error), error) {
	e, err := examine(ctx, opt)
	if err != nil {
		return nil, err
	}
	return gate.Drill(e.x, by, reason), nil
}

// Manifest returns the failure that would end a reconstruction from opt.Manifest or
// the deployed manifest, nil if there is none. It does not check projections.
func Manifest(ctx context.Context, opt Options) (*gate.Failure, error) {
	e, err := examine(ctx, opt)
	if err != nil {
		return nil, err
	}
	f := e.x.EndsReconstruction()
	if f != nil && f.Stage == "projection" {
		f = nil
	}
	return f, nil
}

func examine(ctx context.Context, opt Options) (*examination, error) {
	if opt.Config == "" {
		// Nothing but the state root says that there is a node.
		if _, kind, err := history.Detect(opt.StateRoot); err != nil {
			return nil, err
		} else if kind != history.StateRoot {
			return nil, errs.Advise("name the state root around it, or the node's config with --config", "%s is no state root", opt.StateRoot)
		}
	}
	e := &examination{opt: opt, unit: readUnit(opt.System, gateUnit)}
	e.x = gate.Examine(ctx, e.subject(), e.host())
	if f := e.x.Busy; f != nil {
		return nil, errs.Advise(f.Next, "%s: path=%s: %s", f.Message, f.Path, f.Reason())
	}
	e.rep = &Report{StateRoot: e.x.StateRoot, Config: opt.Config, Tail: e.x.Tail, Findings: []Finding{},
		Leaf: e.validity(e.x.CertEnd), CA: e.validity(e.x.CAEnd), Space: e.space(), Boot: Outcome{Passes: true}, Rebuild: Outcome{Passes: true}}
	switch {
	case e.x.State != nil && e.x.State.Node != "":
		e.rep.Node = e.x.State.Node
	case e.x.Config != nil:
		e.rep.Node = e.x.Config.Identity.EdgeDomainID
	}
	e.add(e.findings()...)
	e.unseen()
	if opt.Journal && e.x.State != nil && e.x.State.Seq > 0 {
		if err := e.verifyJournal(ctx); err != nil {
			return nil, err
		}
	}
	e.conclude()
	return e, ctx.Err()
}

// subject returns what the gate examines: a run with the flags of the unit.
func (e *examination) subject() gate.Subject {
	s := gate.Subject{Elsewhere: e.opt.Elsewhere, NoConfig: e.opt.Config == "", LogSkipped: e.opt.LogSkipped != "", Manifest: e.opt.Manifest}
	s.ConfigPath, s.Software, s.BuildTime = e.opt.Config, e.opt.Software, e.opt.BuildTime
	if !e.opt.Elsewhere {
		s.ReadyFile, s.VerifyRuntime, s.RotateCerts = e.unit.readyFile(), e.unit.has("--verify-runtime"), e.unit.has("--rotate-certs")
	}
	return s
}

// host returns the host, with Options.StateRoot as its state root.
func (e *examination) host() gate.Host {
	host := e.opt.Host
	if root := e.opt.StateRoot; root != "" {
		host.Getenv = func(name string) string {
			if name == config.EnvStateRoot {
				return root
			}
			return e.opt.Host.Getenv(name)
		}
	}
	return host
}

func (e *examination) validity(end time.Time) *Validity {
	if end.IsZero() {
		return nil
	}
	return &Validity{NotAfter: end.UTC(), Days: int(end.Sub(e.x.Now) / (24 * time.Hour))}
}

func (e *examination) add(found ...Finding) { e.rep.Findings = append(e.rep.Findings, found...) }

// conclude sets OK and the outcomes.
func (e *examination) conclude() {
	r := e.rep
	r.OK = true
	for _, f := range r.Findings {
		r.OK = r.OK && f.Severity != Error
	}
	if len(e.x.Boot) > 0 {
		r.Boot = Outcome{ExitCode: e.x.Boot[0].Exit}
	}
	if e.opt.Config == "" {
		r.Boot = Outcome{ExitCode: gate.ExitConfig}
	}
	if f := e.x.EndsReconstruction(); f != nil {
		r.Rebuild = Outcome{ExitCode: f.Exit}
	}
}
