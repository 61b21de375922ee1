// Package gate runs one precheck: it asks the machine what is next, performs
// the effect, appends the event, and publishes the projections at the end.
//
// The life of one run, in the order of its checks:
//
//	config        parse, validate                                     exit 1
//	state root    check, open without links, lock                     exit 2
//	journal       head file, references, newest records, fold         exit 2
//	ready file    could it be written                                 exit 2
//	certificates  complete a rotation, rotate, check at the floor     exit 3
//	fingerprint   measure the live operating system                   exit 5
//	the loop      Decide → perform → Append → Apply                    exit 5
//	publication   evidence, then os_fingerprint.json                  exit 2
//
// A boot after a crash is the same run over a longer history: there is no separate
// recovery path. Each append is durable before anything depends on
// it; the append of EpochRotated is the commit point of a reconstruction.
package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/osid"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/tlscert"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// Options are the options of the command line.
type Options struct {
	ConfigPath        string
	DryRun            bool
	VerifyRuntime     bool
	RotateCerts       bool
	RotationValidDays int    // days; 0 means DefaultRotationValidDays
	ReadyFile         string // absolute host path, "" for none
	JSON              bool   // form of the dry run's result
	Software          string // name and version, journaled with each fingerprint
	// BuildTime is the binary's commit time: the time used is never
	// earlier. Zero if unknown.
	BuildTime time.Time
}

// DefaultRotationValidDays is the validity of a re-issued certificate, in days.
const DefaultRotationValidDays = tlscert.DefaultValidDays

// Host is everything that a run needs from outside: clock, randomness, the
// kernel, the disk. Tests replace its parts one by one.
type Host struct {
	Getenv   func(string) string
	Now      func() time.Time
	BootID   func() (string, error)
	UptimeMS func() (int64, error)
	NewID    func() (uuid.UUID, error) // UUIDv7
	OS       osid.Source
	// OpenRoot checks and opens the state root.
	OpenRoot func(path string, opt stateroot.Options) (Root, error)
	// OpenPair finds the files of certificate and key.
	OpenPair func(tlscert.Paths) (*tlscert.Files, error)
	Stdout   io.Writer // the dry run's result
	// Logger gives the run's logger once the config's level is known; it is
	// called with "" before that.
	Logger func(configLevel string) *slog.Logger
	// Annotate, if set, is given a function that says which run a log line is of,
	// as far as that is known when it is called.
	Annotate func(fields func() []slog.Attr)
}

// Root is an open state root.
type Root interface {
	FS() durable.FS
	Facts() stateroot.Facts
	// Lock takes the gate's lock, waiting for another gate up to its limit.
	Lock(ctx context.Context) error
	Close() error
}

// run is the state of one precheck.
type run struct {
	Options
	host   Host
	log    *slog.Logger
	id     string
	bootID string
	cfg    *config.Config // nil for an operator's act
	node   string         // the node's name; of an operator's act the journal's

	rootPath string
	root     Root
	fs       durable.FS
	history  *history
	files    projections.Files
	writable bool // the state root is known to be writable and is locked
	salvaged bool // this run has salvaged, or tried to: it does so once

	began   time.Time
	certEnd time.Time // end of the leaf's validity
	caEnd   time.Time // of the CA that ends last
	clock   clock
	live    osid.Fingerprint
	seen    machine.Observations
	rebuild rebuild
	plan    *dryPlan // of a dry run, nil otherwise

	elsewhere bool            // see Subject
	candidate *manifest.Files // see Subject.Manifest
}

// Run performs one precheck and returns its exit code. It logs the failure that ended
// it once, at the end.
func Run(ctx context.Context, opt Options, host Host) int {
	r := newRun(opt, host)
	if host.Annotate != nil {
		host.Annotate(r.fields)
	}
	failure := r.finish(r.precheck(ctx))
	if r.damagedUnderway(failure) {
		failure = r.finish(r.startOver(ctx, failure))
	}
	if failure == nil {
		failure = r.writeReady()
	} else {
		r.withdraw()
	}
	if closed := r.closeRoot(); closed != nil && failure == nil {
		failure = closed
		r.withdraw()
	}
	exit := ExitOK
	if failure != nil {
		exit = failure.Exit
	}
	r.writeMetrics(exit)
	if failure != nil {
		r.logFailure(failure)
	}
	if r.plan != nil {
		r.plan.print(r, failure, exit)
	}
	return exit
}

func newRun(opt Options, host Host) *run {
	if opt.RotationValidDays == 0 {
		opt.RotationValidDays = DefaultRotationValidDays
	}
	r := &run{Options: opt, host: host, began: host.Now()}
	if opt.DryRun {
		r.plan = &dryPlan{}
	}
	r.log = r.logger("")
	return r
}

// logger is the host's; a dry run's lines say that they are one's.
func (r *run) logger(level string) *slog.Logger {
	log := r.host.Logger(level)
	if r.DryRun {
		return log.With(slog.Bool("dry_run", true))
	}
	return log
}

// fields returns the attributes of a log line: run, node and epoch.
func (r *run) fields() []slog.Attr {
	all := []slog.Attr{slog.String("run", r.id)}
	if r.node != "" {
		all = append(all, slog.String("node", r.node))
	}
	if r.history != nil && r.history.state.Journal != "" {
		all = append(all, slog.String("journal", r.history.state.Journal), slog.Uint64("boot_epoch", r.history.state.Epoch))
	}
	return all
}

// precheck runs the checks in order.
func (r *run) precheck(ctx context.Context) *Failure {
	return through(ctx, append([]check{r.begin, r.loadConfig, r.openStateRoot, r.lockStateRoot, r.openHistory, r.checkReady}, r.overHistory()...))
}

// overHistory returns the checks after the journal's.
func (r *run) overHistory() []check {
	return []check{r.checkCertificates, r.observe, r.loop, r.publish}
}

// check is one step of a run.
type check func(context.Context) *Failure

// through runs checks in order, up to the first failure.
func through(ctx context.Context, checks []check) *Failure {
	for _, pass := range checks {
		if f := pass(ctx); f != nil {
			return f
		}
	}
	return nil
}

// begin removes the last boot's ready file and gives this run its identifier.
func (r *run) begin(context.Context) *Failure {
	if f := r.removeReady(); f != nil {
		return f
	}
	return r.name()
}

// name sets the identifiers of this run and of the boot.
func (r *run) name() *Failure {
	id, err := r.host.NewID()
	if err != nil {
		return &Failure{Exit: ExitStateRoot, Stage: "start", Message: "precheck: no identifier for this run", Err: err,
			Next: "the kernel's random source is unusable; check /dev/urandom"}
	}
	r.id = id.String()
	if r.bootID, err = r.host.BootID(); err != nil {
		return &Failure{Exit: ExitStateRoot, Stage: "start", Message: "precheck: boot id unreadable",
			Path: pathOf(err, "/proc/sys/kernel/random/boot_id"), Err: err, Next: "mount /proc before the gate runs"}
	}
	return nil
}

func (r *run) loadConfig(context.Context) *Failure {
	path := r.ConfigPath
	if path == "" {
		path = r.host.Getenv("EDGE_CONFIG")
	}
	if path == "" {
		return &Failure{Exit: ExitConfig, Stage: "config", Message: "precheck: no config given", Path: "$EDGE_CONFIG",
			Err: errors.New("neither --config nor EDGE_CONFIG names a file"), Next: "pass --config PATH or set EDGE_CONFIG"}
	}
	cfg, err := config.Load(path)
	if err != nil {
		next := "correct the config; every problem found is listed"
		if !errors.Is(err, config.ErrInvalid) {
			next = "give the gate a readable YAML config of at most 1 MiB"
		}
		return &Failure{Exit: ExitConfig, Stage: "config", Message: "precheck: config rejected", Path: path, Err: err, Next: next}
	}
	if m := cfg.Gate.MetricsFile; m != "" && r.ReadyFile != "" && sameHostFile(m, r.ReadyFile) {
		// Metrics are also written at the end of failed runs, and would be mistaken
		// for a ready file.
		return &Failure{Exit: ExitConfig, Stage: "config", Message: "precheck: ready file is the metrics file", Path: r.ReadyFile,
			Err: fmt.Errorf("gate.metrics_file is %s, --ready-file %s", m, r.ReadyFile), Next: "give one of them another name"}
	}
	r.cfg, r.node, r.rootPath = cfg, cfg.Identity.EdgeDomainID, cfg.StateRoot(r.host.Getenv)
	r.log = r.logger(cfg.Metrics.LogLevel)
	return nil
}

func (r *run) openStateRoot(context.Context) *Failure {
	check := stateroot.Options{SkipMountCheck: stateroot.SkipMountCheck(r.host.Getenv), ReadOnly: r.DryRun}
	if r.cfg != nil {
		check.ExtraFilesystems = r.cfg.Gate.ExtraFilesystems
		if value := r.host.Getenv(stateroot.EnvSkipMountCheck); value != "" && !check.SkipMountCheck {
			r.log.Warn("edge.state_root.mount_check_kept", slog.String("variable", stateroot.EnvSkipMountCheck), slog.String("value", value),
				slog.String("next", "filesystem and mounts are checked: only the value 1 skips that, in tests; unset the variable on a node"))
		}
	}
	// An operator's act has no config. The disk of a dead node may be mounted
	// anywhere.
	check.Anywhere = r.cfg == nil || r.elsewhere
	root, err := r.host.OpenRoot(r.rootPath, check)
	if err != nil {
		return &Failure{Exit: ExitStateRoot, Stage: "state_root", Message: "precheck: state root rejected",
			Path: r.rootPath, Err: err, Next: nextOf(err, "mount the persistent partition at the state root and try again")}
	}
	r.root, r.fs = root, root.FS()
	return nil
}

// lockStateRoot takes the gate's lock. A dry run takes it as well: it must see
// what a real run would see, and a flock writes nothing.
func (r *run) lockStateRoot(ctx context.Context) *Failure {
	if err := r.root.Lock(ctx); err != nil {
		return r.notLocked(err)
	}
	r.writable = !r.DryRun
	return nil
}

func (r *run) notLocked(err error) *Failure {
	if errors.Is(err, stateroot.ErrLocked) {
		return &Failure{Exit: ExitStateRoot, Stage: "state_root", Message: "precheck: state root is locked by another gate",
			Path: r.rootPath, Err: err, Next: "wait for the other gate, or find it with `fuser -v` on the state root"}
	}
	return &Failure{Exit: ExitStateRoot, Stage: "state_root", Message: "precheck: state root cannot be locked",
		Path: r.rootPath, Err: err, Next: nextOf(err, "check the disk and the kernel log")}
}
