package gate

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/operation"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// Examination is what the checks of a boot find on a node now. A failure's Path
// is as an operator finds it, its Reason and Next are final.
type Examination struct {
	// Boot is what would end the next boot, in the order of its checks. A boot
	// ends at the first; the others end it once those before are repaired.
	Boot []*Failure
	// Reconstruction is what would end the reconstruction at the next boot for
	// which one is due, and does not end the next boot.
	Reconstruction []*Failure
	// Warnings are what the next boot would log at WARN.
	Warnings []Warning
	// Busy is set if another gate did not end in time: nothing was examined
	// beneath the state root.
	Busy *Failure

	StateRoot string         // "" if neither config nor environment names one
	Config    *config.Config // nil if it is not known or not valid
	State     *machine.State // as the journal has it, nil if it cannot be read
	Now       time.Time      // that validity is judged at
	CertEnd   time.Time      // end of the leaf's validity, zero if not known
	CAEnd     time.Time      // of the CA that ends last, zero if not known
	Space     *durable.Space // nil if the state root cannot be read
	Tail      *journal.TailUse
	Planned   []machine.Payload // what the next boot would append
}

// EndsReconstruction is what would end the next reconstruction, nil if nothing
// would. If that is the next boot's, failures of other checks do not count.
func (x *Examination) EndsReconstruction() *Failure {
	for _, f := range slices.Concat(x.Reconstruction, x.Boot) {
		if f.reconstruction() || f.Stage == "projection" {
			return f
		}
	}
	return nil
}

// reconstruction reports whether the failure is one of the manifest, or of what
// it has installed.
func (f *Failure) reconstruction() bool {
	return f.Stage == "manifest" || f.Stage == "operation" || f.Stage == "epoch"
}

// Warning is a line of the log at WARN.
type Warning struct {
	Event  string // such as edge.clock.below_floor
	Path   string // as an operator finds it, "" if none is meant
	Detail string // the error, or the other attributes as name=value
	Next   string // what to do, "" if nothing is to be done
}

// Subject is the input of an examination, in addition to the options of a boot.
type Subject struct {
	Options
	// Elsewhere: the state root is examined where no boot will look for it, as
	// the disk of a dead node. What is outside of it is not judged: mounts,
	// certificates, the operating system, which counts as the one that the last
	// boot found.
	Elsewhere bool
	// NoConfig: the config is not known, and nothing that needs it is judged, nor
	// where the state root is mounted.
	NoConfig bool
	// LogSkipped: the log of the filesystem was not replayed. A journal that looks
	// damaged is incomplete then, and no salvage answers that.
	LogSkipped bool
	// Manifest is judged in the place of the deployed one, if it is not nil.
	Manifest *manifest.Files
}

// Examine makes the checks of the next boot, and those of a reconstruction,
// without a boot: it calls what a boot calls, goes on after a failure, and
// writes nothing, nor logs. It does not keep a gate waiting.
func Examine(ctx context.Context, s Subject, host Host) *Examination {
	const attempts = 3
	for n := 1; ; n++ {
		x, changed := examineOnce(ctx, s, host)
		if !changed || n == attempts || ctx.Err() != nil {
			return x
		}
	}
}

// examineOnce also reports whether a gate was at work meanwhile.
func examineOnce(ctx context.Context, s Subject, host Host) (x *Examination, changed bool) {
	s.DryRun = true
	x = &Examination{}
	host.Logger = func(string) *slog.Logger { return slog.New(&warnings{x: x}) }
	r := newRun(s.Options, host)
	r.elsewhere, r.candidate = s.Elsewhere || s.NoConfig, s.Manifest
	e := examiner{run: r, x: x, subject: s}
	e.examine(ctx)
	if r.root != nil {
		changed = r.headNow() != e.head
		_ = r.closeHistory() // nothing was written
		_ = r.closeRoot()
	}
	for i := range x.Warnings {
		x.Warnings[i].Path = r.absolute(x.Warnings[i].Path)
	}
	x.StateRoot, x.Now, x.CertEnd, x.CAEnd = r.rootPath, r.clock.used, r.certEnd, r.caEnd
	for _, p := range r.plan.Events {
		x.Planned = append(x.Planned, p.Data)
	}
	return x, changed
}

// examiner is an examination in progress.
type examiner struct {
	*run
	subject Subject
	x       *Examination
	head    journal.Slot
	judged  bool // the manifest was
	broken  bool // the journal is: the next boot does not come to what follows
	unread  bool // nothing is known of the journal's state
}

// met notes what would end the next boot, and reports whether there is such a
// thing.
func (e *examiner) met(f *Failure) bool { return e.note(f, &e.x.Boot) }

// metAfter is met for what follows the judgement of the journal: a boot that
// ends there does not come to it.
func (e *examiner) metAfter(f *Failure) bool {
	if e.broken {
		return e.note(f, &e.x.Reconstruction)
	}
	return e.note(f, &e.x.Boot)
}

func (e *examiner) note(f *Failure, to *[]*Failure) bool {
	if f == nil {
		return false
	}
	f.explain()
	f.text = f.Reason() // while Path is as the error has it
	f.Path = e.where(f)
	*to = append(*to, f)
	e.judged = e.judged || f.reconstruction()
	return true
}

func (e *examiner) examine(ctx context.Context) {
	e.met(e.removeReady())
	if e.met(e.name()) {
		return
	}
	if !e.subject.NoConfig && !e.met(e.loadConfig(ctx)) {
		e.x.Config = e.cfg
	} else {
		e.cfg = config.Defaults()
		e.rootPath = e.host.Getenv(config.EnvStateRoot)
	}
	if e.rootPath == "" {
		return
	}
	if e.met(e.openStateRoot(ctx)) {
		// What is in it is examined if it can be read.
		root, err := durable.OpenRootReadOnly(e.rootPath)
		if err != nil {
			return
		}
		e.root, e.fs = readable{root}, root
	}
	if space, err := durable.FreeSpace(e.fs); err == nil {
		e.x.Space = &space
	}
	if !e.readJournal(ctx) {
		return
	}
	e.met(e.checkReady(ctx))
	if e.x.Config == nil || e.elsewhere {
		e.readClock()
	} else {
		e.met(e.checkCertificates(ctx))
		e.writeMetrics(ExitOK)
	}
	e.follow(ctx)
	if !e.judged {
		e.judgeManifest()
	}
}

// readable is a state root that a boot refuses.
type readable struct{ *durable.Root }

func (readable) Facts() stateroot.Facts {
	return stateroot.Facts{MountCheck: stateroot.MountCheckSkipped}
}
func (readable) Lock(context.Context) error { return nil }
func (r readable) FS() durable.FS           { return r.Root }

// readJournal judges the journal while no gate writes, and goes on as after a
// salvage if it is damaged. It is false if another gate does not end.
func (e *examiner) readJournal(ctx context.Context) bool {
	lock := &readLock{fs: e.fs, unlock: func() {}}
	switch err := stateroot.Lock(ctx, lock, stateroot.LockWait, stateroot.Clock{}); {
	case errors.Is(err, stateroot.ErrLocked):
		e.x.Busy = e.notLocked(err)
		return false
	case err != nil:
		e.met(e.notLocked(err))
	}
	e.head = e.headNow()
	f := e.judgeHistory()
	lock.unlock()
	if f == nil {
		state := e.history.state
		e.x.State = &state
		if view := e.history.view; view != nil {
			use := view.Tail()
			e.x.Tail = &use
		}
		return true
	}
	salvages := e.maySalvage(f) && !e.subject.LogSkipped
	if salvages {
		e.announceDamage(f)
	} else {
		e.broken = e.met(f)
	}
	if !e.subject.LogSkipped && slices.ContainsFunc(damage, func(kind error) bool { return errors.Is(f, kind) }) {
		f = e.salvageHistory(f)
		if salvages {
			e.broken = e.met(f)
		}
	}
	if f != nil {
		_ = e.closeHistory() // read-only, and refused
		e.history, e.unread = &history{state: machine.NewFold(machine.State{}).State()}, true
	}
	return true
}

// readLock is the lock that readers take: no gate writes while it is held.
type readLock struct {
	fs     durable.FS
	unlock func()
}

func (l *readLock) TryLock() (held bool, err error) {
	root, ok := l.fs.(interface{ TryLockShared() (func(), error) })
	if !ok {
		return true, nil
	}
	unlock, err := root.TryLockShared()
	if errors.Is(err, durable.ErrLockHeld) {
		return false, nil
	}
	l.unlock = unlock
	return err == nil, err
}

// headNow is the newest slot of the head file, zero if there is none.
func (r *run) headNow() (newest journal.Slot) {
	if head, err := journal.ReadHead(r.fs, layout); err == nil {
		newest, _ = head.Newest()
	}
	return newest
}

// follow makes the checks that need the journal's state, and rehearses a
// reconstruction unless the next boot makes one.
func (e *examiner) follow(ctx context.Context) {
	if e.unread || e.metAfter(e.observe(ctx)) || e.metAfter(e.loop(ctx)) || e.metAfter(e.publish(ctx)) {
		return
	}
	if e.history.state.Run.Closed {
		e.judged = true
		return
	}
	e.note(e.rehearseReconstruction(ctx), &e.x.Reconstruction)
}

// rehearseReconstruction is the boot after the next one, if a drill is requested
// in between.
func (e *examiner) rehearseReconstruction(ctx context.Context) *Failure {
	log, events := e.log, e.plan.Events
	defer func() { e.log, e.plan.Events = log, events }()
	e.log, e.plan.Events, e.rebuild = slog.New(slog.DiscardHandler), nil, rebuild{}
	e.judged = true
	if f := e.name(); f != nil {
		return f
	}
	if _, f := e.append(machine.DrillRequested{V: 1, By: "edgectl doctor", Reason: "rehearsal"}); f != nil {
		return f
	}
	if f := e.name(); f != nil {
		return f
	}
	e.seen = machine.Observations{Run: e.id, FingerprintPath: projections.FingerprintPath, Live: e.seen.Live, ManifestDue: e.seen.ManifestDue}
	if f := e.loop(ctx); f != nil {
		return f
	}
	return e.publish(ctx)
}

// judgeManifest judges the manifest by itself, if no rehearsal came to it.
func (e *examiner) judgeManifest() {
	_, m, err := e.admit()
	if err != nil {
		e.note(manifestFailure(err), &e.x.Reconstruction)
		return
	}
	planned, err := operation.Plan(e.fs, e.rootPath, m)
	for i := 0; err == nil && i < len(planned); i++ {
		_, err = operation.Rehearse(e.fs, planned[i])
	}
	if err != nil {
		e.note(operationFailure(err), &e.x.Reconstruction)
	}
}

// warnings is a handler that keeps what is logged at WARN.
type warnings struct{ x *Examination }

func (*warnings) Enabled(_ context.Context, level slog.Level) bool { return level == slog.LevelWarn }
func (w *warnings) WithAttrs([]slog.Attr) slog.Handler             { return w } // dry_run=true
func (w *warnings) WithGroup(string) slog.Handler                  { return w }

func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	found := Warning{Event: r.Message}
	var rest []string
	r.Attrs(func(a slog.Attr) bool {
		switch text := a.Value.String(); a.Key {
		case "path":
			found.Path = text
		case "err":
			found.Detail = text
		case "next":
			found.Next = text
		case "previous_hash", "current_hash":
		default:
			if a.Value.Kind() == slog.KindTime {
				text = a.Value.Time().UTC().Format(time.RFC3339)
			}
			rest = append(rest, a.Key+"="+text)
		}
		return true
	})
	if found.Detail == "" {
		found.Detail = strings.Join(rest, " ")
	}
	w.x.Warnings = append(w.x.Warnings, found)
	return nil
}
