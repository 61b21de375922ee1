package gate

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/projections"
)

// publish writes the projections of the state. It runs after the last
// append: a crash in it leaves files that the next boot publishes again.
func (r *run) publish(context.Context) *Failure {
	publish := r.publishFiles
	if r.plan != nil {
		publish = r.rehearsePublication
	}
	if err := publish(); err != nil {
		return notPublished(err)
	}
	return nil
}

func notPublished(err error) *Failure {
	next := "check free space, the disk and the kernel log; the next boot writes them again"
	if inTheWay(err) {
		next = "the file there is not the gate's: look at it and move it away; the next boot writes them again"
	}
	return &Failure{Exit: ExitStateRoot, Stage: "projection", Message: "precheck: projections cannot be written",
		Path: pathOf(err, projections.FingerprintPath), Err: err, Next: nextOf(err, next)}
}

func (r *run) publishFiles() error {
	r.cleanOrphans()
	return projections.Publish(r.fs, r.history.state, r.files, r.host.Now().UnixNano())
}

// cleanOrphans removes the files that interrupted runs left. Nothing depends on it: one that
// cannot be removed is a warning.
func (r *run) cleanOrphans() {
	left := projections.CleanOrphans(r.fs)
	for _, name := range []string{projections.FingerprintPath, stateroot.LastFailure, stateroot.JournalHead} {
		left = append(left, durable.RemoveTemporary(r.fs, name))
	}
	for _, err := range left {
		if err != nil {
			r.notCleaned(err)
		}
	}
}

func (r *run) notCleaned(err error) {
	f := &Failure{Err: err, Path: pathOf(err, r.rootPath), Next: nextOf(err, "look at it and remove it by hand; nothing depends on it")}
	f.explain()
	r.log.Warn("edge.cleanup.failed", slog.String("path", r.absolute(f.Path)), slog.String("err", f.Reason()), slog.String("next", f.Next))
}

// present reports whether there is something at name. A name that cannot be read
// counts as present: the step that needs it reports the error.
func present(fsys durable.FS, name string) bool {
	_, err := fsys.Lstat(name)
	return !isNotExist(err) && !errors.Is(err, syscall.ENOTDIR)
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// inTheWay reports whether something else is in the place of a file or directory of the gate's. No
// boot removes it, because its owner is unknown.
func inTheWay(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, durable.ErrSymlink)
}
