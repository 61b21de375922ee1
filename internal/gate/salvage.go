package gate

import (
	"errors"
	"log/slog"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/salvage"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// damage lists the kinds of error that a salvage repairs. A newer format, another node's
// journal and an I/O error are not damage: an operator must act.
var damage = []error{
	errs.ErrCorrupt, journal.ErrTorn, journal.ErrRolledBack, journal.ErrRewritten, journal.ErrMissing, journal.ErrForeign,
}

func (r *run) maySalvage(f *Failure) bool {
	if r.salvaged || r.cfg == nil || r.cfg.Gate.OnDamage != config.OnDamageSalvage {
		return false
	}
	for _, kind := range damage {
		if errors.Is(f.Err, kind) {
			return true
		}
	}
	return false
}

// salvage installs a new journal that continues the damaged one, for nodes
// that nobody can reach. The damaged one stays in quarantine.
func (r *run) salvage(f *Failure) *Failure {
	r.announceDamage(f)
	who, failure := r.salvager(f)
	if failure != nil {
		return failure
	}
	in, err := salvage.Install(r.fs, who)
	if err != nil {
		return r.notSalvaged(err)
	}
	r.log.Warn("edge.journal.salvaged", slog.String("journal", in.Journal), slog.String("predecessor", in.Event.Predecessor),
		slog.Uint64("kept", in.Event.Size), slog.String("lost", in.Event.Lost), slog.String("quarantine", in.Quarantine))
	return nil
}

func (r *run) announceDamage(f *Failure) {
	f.explain()
	r.log.Warn("edge.journal.damaged", slog.String("path", r.absolute(f.Path)), slog.String("err", f.Reason()),
		slog.String("next", "gate.on_damage is salvage: the gate salvages and reconstructs"))
}

// notSalvaged says why there is no salvage, and nothing was changed.
func (r *run) notSalvaged(err error) *Failure {
	switch {
	case errors.Is(err, salvage.ErrForeign):
		return r.unusable(err, "precheck: journal is of another node", "put the right partition back; "+
			"if the node was renamed, run `edgectl journal salvage --install` and then `edgectl journal rename-node`; if the journal was changed on purpose, change gate.journal_id")
	case errors.Is(err, machine.ErrNewer), errors.Is(err, errs.ErrNewer):
		return r.unusable(err, "precheck: journal is newer than this binary",
			"it is damaged as well: boot the newer release again and salvage with that; nothing was changed")
	}
	return r.unusable(err, "precheck: journal cannot be salvaged", salvageAdvice)
}

// rehearseSalvage continues as a real run would after its salvage.
func (r *run) rehearseSalvage() *Failure {
	who, failure := r.salvager(nil)
	if failure != nil {
		return failure
	}
	plan, err := salvage.Examine(r.fs, who, func([]byte) error { return nil })
	if err == nil {
		err = r.room(stateroot.JournalSalvage, salvageRoom, settlingInodes)
	}
	if err != nil {
		return r.notSalvaged(err)
	}
	r.history = &history{state: machine.NewFold(machine.State{}).State()}
	_, failure = r.append(plan.Event)
	return failure
}

func (r *run) salvager(cause *Failure) (salvage.Request, *Failure) {
	uptime, err := r.host.UptimeMS()
	if err != nil {
		return salvage.Request{}, r.unusable(err, "precheck: uptime unreadable", "check the kernel log")
	}
	reason := "gate.on_damage: salvage"
	if cause != nil {
		reason = bounded(reason + ": " + cause.Reason())
	}
	return salvage.Request{
		By: "edged precheck", Reason: reason, Node: r.node, Predecessor: r.journalPin(),
		Run: r.id, BootID: r.bootID, UptimeMS: uptime, Now: r.host.Now(), NewID: r.host.NewID,
	}, nil
}
