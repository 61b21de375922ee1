// Package doctor says what would end a node's next boot, or its next
// reconstruction, before it does, and what repairs it.
//
// It makes the checks of the gate by calling them, without a boot: package gate
// examines, and a finding is what the gate would say. What the gate does not
// look at is added: the units that start it, the days that a certificate has
// left, the space that is left, and, if asked for, the whole journal.
package doctor

import (
	"context"
	"time"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// Options say what is examined.
type Options struct {
	StateRoot string // absolute; "" takes the config's
	Config    string // path, "" if none is known
	// Elsewhere: the state root is not where the config says, as the disk of a
	// dead node. What is outside of it is not judged.
	Elsewhere bool
	// Journal also verifies the whole journal.
	Journal bool
	// LogSkipped is the mount option by which the log of the filesystem was not
	// replayed, from history.LogSkipped.
	LogSkipped string
	// Manifest is judged in the place of the deployed one, if it is not nil.
	Manifest  *manifest.Files
	Software  string
	BuildTime time.Time // the clock is never believed to be earlier
	Host      gate.Host
	// System is the directory in which the units are looked for: "/", but for
	// tests.
	System string
	// Progress hears how far a verification of the journal is; nil for nobody.
	Progress func(stage string, done, total uint64)
}

// Report is what was found, as it is printed. A member that is null is not known.
type Report struct {
	OK        bool      `json:"ok"` // no finding is an error
	Node      string    `json:"node"`
	StateRoot string    `json:"state_root"`
	Config    string    `json:"config"`
	Boot      Outcome   `json:"boot"`           // of the next boot
	Rebuild   Outcome   `json:"reconstruction"` // of the next boot for which one is due
	Leaf      *Validity `json:"certificate"`
	CA        *Validity `json:"ca"` // of those in transport.ca_file, the one that ends last
	Space     *Space    `json:"space"`
	// Tail says how much of the journal has not settled.
	Tail *journal.TailUse `json:"tail"`
	// Verified: the whole journal was verified.
	Verified bool      `json:"journal_verified"`
	Findings []Finding `json:"findings"`
}

// Outcome is how a boot would end.
type Outcome struct {
	Passes   bool `json:"passes"`
	ExitCode int  `json:"exit_code"`
}

// Validity is the time that a certificate has left.
type Validity struct {
	NotAfter time.Time `json:"not_after"`
	Days     int       `json:"days_left"` // whole days, negative once it has expired
}

// Space is what is left on the state root's filesystem; null means that it does
// not say.
type Space struct {
	Bytes  *uint64 `json:"free_bytes"`
	Inodes *uint64 `json:"free_inodes"`
}

// examination is one in progress.
type examination struct {
	opt  Options
	x    *gate.Examination
	unit unit
	rep  *Report
}

// Examine looks at a node and changes nothing. The error is for what could not
// be carried out: another gate is at work and does not end, or ctx has ended.
func Examine(ctx context.Context, opt Options) (*Report, error) {
	e, err := examine(ctx, opt)
	if err != nil {
		return nil, err
	}
	return e.rep, nil
}

// Drill returns what [gate.Operate] decides for a drill on a node.
func Drill(ctx context.Context, opt Options, by, reason string) (func(machine.State) (machine.Payload, error), error) {
	e, err := examine(ctx, opt)
	if err != nil {
		return nil, err
	}
	return gate.Drill(e.x, by, reason), nil
}

// Manifest returns what would end a reconstruction from opt.Manifest, or from the
// deployed manifest; nil if nothing would. What is outside of it is not judged.
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
	if opt.Journal && e.x.State != nil && e.x.State.Seq > 0 {
		if err := e.verifyJournal(ctx); err != nil {
			return nil, err
		}
	}
	e.conclude()
	return e, ctx.Err()
}

// subject is what the gate examines: a run as the unit starts it.
func (e *examination) subject() gate.Subject {
	s := gate.Subject{Elsewhere: e.opt.Elsewhere, NoConfig: e.opt.Config == "", LogSkipped: e.opt.LogSkipped != "", Manifest: e.opt.Manifest}
	s.ConfigPath, s.Software, s.BuildTime = e.opt.Config, e.opt.Software, e.opt.BuildTime
	if !e.opt.Elsewhere {
		s.ReadyFile, s.VerifyRuntime, s.RotateCerts = e.unit.readyFile(), e.unit.has("--verify-runtime"), e.unit.has("--rotate-certs")
	}
	return s
}

// host is the running system, with the state root that was named.
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

// conclude says how the boots end, once everything is known.
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
