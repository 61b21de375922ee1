package gate

import (
	"context"
	"errors"
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/projections"
)

// publish makes the files what the journal says. It runs after the last
// append: a crash in it leaves files that the next boot makes again.
func (r *run) publish(context.Context) *Failure {
	if r.plan != nil {
		return nil
	}
	if err := projections.Publish(r.fs, r.history.state, r.files, r.host.Now().UnixNano()); err != nil {
		return &Failure{Exit: ExitStateRoot, Stage: "projection", Message: "precheck: projections cannot be written",
			Path: pathOf(err, stateroot.Fingerprint), Err: err, Next: "check free space, the disk and the kernel log; the next boot writes them again"}
	}
	if _, err := stateroot.EnsureBallast(r.fs); err != nil {
		// The ballast is a reserve for a worse day, not a reason to stop a
		// healthy node; a disk too full for it is told once it matters.
		r.log.Debug("ballast not placed", "path", stateroot.Ballast, "err", err)
	}
	return nil
}

func exists(fsys durable.FS, name string) (bool, error) {
	_, err := fsys.Lstat(name)
	if isNotExist(err) {
		return false, nil
	}
	return err == nil, err
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
