package gate

import (
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/fault"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
)

// fail journals the failure that ended the run, or writes it to last_failure.json if the
// journal cannot hold it. Run logs it after everything is recorded: a log that
// hangs must not keep a failure out of the history.
func (r *run) fail(f *Failure) {
	f.explain() // at once: it asks the system
	if !r.writable || r.plan != nil {
		return
	}
	if f.Stage != "journal" && r.history != nil {
		_, err := r.append(machine.PrecheckFailed{
			V: 1, ExitCode: f.Exit, Stage: f.Stage, Path: bounded(f.Path), Reason: bounded(f.Message + ": " + f.Reason()), Next: bounded(f.Next), Attempt: r.attempt(),
		})
		if err == nil {
			return
		}
		err.explain()
		r.log.Warn("precheck: failure could not be journaled", slog.String("path", err.Path), slog.String("err", err.Reason()))
	}
	r.leaveFailure(f)
}

// attempt returns the number of attempts of the open reconstruction, 0 if none is open.
func (r *run) attempt() int {
	if r.history == nil || r.history.state.Open == nil {
		return 0
	}
	return r.history.state.Open.Attempt
}

func (r *run) maxAttempts() int {
	if r.cfg == nil {
		return 1 << 30
	}
	return r.cfg.Gate.MaxAttempts
}

// logFailure logs what ended the run: the last line has what to do and the exit
// code. Of a config with several problems it logs each on a line of its own first.
func (r *run) logFailure(f *Failure) {
	f.explain()
	path, reason := slog.String("path", r.where(f)), f.Reason()
	var rejected *config.Error
	if errors.As(f.Err, &rejected) && len(rejected.Problems) > 1 {
		for _, p := range rejected.Problems {
			r.log.Error(f.Message, path, slog.String("err", p.String()))
		}
		reason = rejected.Summary()
	}
	r.log.Error(f.Message, path, slog.String("err", reason), slog.String("next", f.Next), slog.Int("exit_code", f.Exit))
	if attempt := r.attempt(); f.Exit == ExitReconstruction && attempt >= r.maxAttempts() {
		r.log.Error("edge.os.reconstruction_stuck", slog.Int("attempts", attempt),
			slog.String("next", "`edgectl journal log` shows what failed at each attempt; edged does not start until it is repaired"))
	}
}

// where returns the path that a failure concerns, as an operator finds it. The stages before the
// journal, and those outside the state root, name paths of the host.
func (r *run) where(f *Failure) string {
	switch f.Stage {
	case "config", "state_root", "ready_file", "certificate", "fingerprint":
		return f.Path
	}
	return r.absolute(f.Path)
}

// absolute returns path as an operator finds it: below the state root if it is one of
// its names, unchanged otherwise.
func (r *run) absolute(path string) string {
	if !filepath.IsAbs(r.rootPath) || path == "" || filepath.IsAbs(path) || durable.CheckName(path) != nil {
		return path
	}
	return filepath.Join(r.rootPath, path)
}

// bounded limits an event's text, far below the size of a record.
func bounded(s string) string {
	const limit = 4096 // bytes
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}

// lastFailure is bootstrap/last_failure.json: the newest failure that could
// not be journaled.
type lastFailure struct {
	V        int       `json:"v"`
	Time     time.Time `json:"time"`
	BootID   string    `json:"boot_id"`
	Run      string    `json:"run"`
	Node     string    `json:"node"`
	ExitCode int       `json:"exit_code"`
	Stage    string    `json:"stage"`
	Path     string    `json:"path"`
	Reason   string    `json:"reason"`
	Next     string    `json:"next"`
}

func (r *run) leaveFailure(f *Failure) {
	data, err := json.MarshalIndent(lastFailure{
		V: 1, Time: r.host.Now().UTC(), BootID: r.bootID, Run: r.id, Node: r.node,
		ExitCode: f.Exit, Stage: f.Stage, Path: bounded(f.Path), Reason: bounded(f.Message + ": " + f.Reason()), Next: f.Next,
	}, "", "  ")
	if err == nil {
		err = durable.MkdirAll(r.fs, stateroot.Bootstrap, 0o750)
	}
	if err == nil {
		err = durable.WriteFile(r.fs, stateroot.LastFailure, append(data, '\n'), 0o640)
	}
	if err != nil {
		r.log.Warn("precheck: failure could not be recorded", slog.String("path", stateroot.LastFailure), slog.String("err", fault.Explain(err).Error()))
	}
}
