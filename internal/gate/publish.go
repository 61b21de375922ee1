package gate

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/projections"
)

// publish makes the files what the journal says. It runs after the last
// append: a crash in it leaves files that the next boot makes again.
func (r *run) publish(context.Context) *Failure {
	publish := r.publishFiles
	if r.plan != nil {
		publish = r.rehearsePublication
	}
	if err := publish(); err != nil {
		next := "check free space, the disk and the kernel log; the next boot writes them again"
		if inTheWay(err) {
			next = "what stands there is not the gate's: look at it and move it away; the next boot writes them again"
		}
		return &Failure{Exit: ExitStateRoot, Stage: "projection", Message: "precheck: projections cannot be written",
			Path: pathOf(err, projections.FingerprintPath), Err: err, Next: nextOf(err, next)}
	}
	return nil
}

func (r *run) publishFiles() error {
	return projections.Publish(r.fs, r.history.state, r.files, r.host.Now().UnixNano())
}

// rehearsePublication looks at the folders that a publication would write to.
func (r *run) rehearsePublication() error {
	for _, dir := range []string{stateroot.Epoch, stateroot.Bootstrap} {
		if _, err := r.fs.ReadDir(dir); err != nil && !isNotExist(err) {
			return err
		}
	}
	return nil
}

// present reports whether something stands at name. What cannot be looked at
// counts: whoever needs it will say what is wrong with it, and nobody else.
func present(fsys durable.FS, name string) bool {
	_, err := fsys.Lstat(name)
	return !isNotExist(err) && !errors.Is(err, syscall.ENOTDIR)
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// inTheWay: something else stands where a directory of the gate's belongs. No
// boot removes it: nobody knows whose it is.
func inTheWay(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, durable.ErrSymlink)
}
