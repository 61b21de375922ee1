package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/autonomyops/edged/internal/durable"
)

// ready is the content of the ready file: proof for edged.service that the gate
// passed in this boot.
type ready struct {
	BootID string `json:"boot_id"`
	Run    string `json:"run"`
	Seq    uint64 `json:"seq"`
}

// maxReady is far above the size of a ready file, in bytes.
const maxReady = 4 << 10

var errNotReady = errors.New("it is not a ready file: its content is not the gate's")

func (p ready) bytes() ([]byte, error) {
	data, err := json.Marshal(p)
	return append(data, '\n'), err
}

// isReady reports whether data is, byte for byte, a ready file of a gate.
func isReady(data []byte) bool {
	var p ready
	if json.Unmarshal(data, &p) != nil || p.BootID == "" || p.Run == "" {
		return false
	}
	want, err := p.bytes()
	return err == nil && bytes.Equal(data, want)
}

// WithdrawReady removes the ready file at path, an absolute path whose folder
// may be behind links. An absent file is no failure. Anything but a
// regular file of the form that the gate writes stays, and is a failure.
func WithdrawReady(path string) *Failure { return withdrawReady(path, true) }

func withdrawReady(path string, remove bool) *Failure {
	open := durable.OpenRootReadOnly // reading changes no access time
	if remove {
		open = durable.OpenRoot
	}
	err := inFolderOf(open, path, func(dir *durable.Root, name string) error {
		data, _, err := durable.ReadFile(dir, name, maxReady)
		switch {
		case err != nil:
			return err
		case !isReady(data):
			return errNotReady
		case remove:
			return dir.Remove(name)
		}
		return nil
	})
	if err == nil || isNotExist(err) {
		return nil
	}
	return &Failure{Exit: ExitStateRoot, Stage: "ready_file", Message: "precheck: ready file cannot be removed", Path: path, Err: err,
		Next: nextOf(err, "look at it and move it away, or give --ready-file another name; the gate removes only what it wrote")}
}

// removeReady removes an earlier ready file before anything else is judged. A dry
// run only checks whether that is possible.
func (r *run) removeReady() *Failure {
	if r.ReadyFile == "" {
		return nil
	}
	return withdrawReady(r.ReadyFile, r.plan == nil)
}

// checkReady reports whether a ready file could be written, before the run
// changes anything: after it only a disk that fails meanwhile can
// refuse it.
func (r *run) checkReady(context.Context) *Failure {
	if r.ReadyFile == "" {
		return nil
	}
	err := inFolder(r.ReadyFile, func(dir *durable.Root, _ string) error { return dir.CheckWrite(".") })
	if err != nil {
		return r.readyFailure(err)
	}
	return nil
}

// writeReady is the last step of a run that passed, under the gate's lock: a
// gate that waits for the lock finds the file, and removes it if it fails.
func (r *run) writeReady() *Failure {
	if r.ReadyFile == "" || r.plan != nil {
		return nil
	}
	data, err := ready{BootID: r.bootID, Run: r.id, Seq: r.history.state.Seq}.bytes()
	if err == nil {
		err = r.replaceHostFile(r.ReadyFile, data)
	}
	if err == nil {
		return nil
	}
	f := r.readyFailure(err)
	r.leaveFailure(f) // the journal is at rest already
	return f
}

func (r *run) readyFailure(err error) *Failure {
	return &Failure{Exit: ExitStateRoot, Stage: "ready_file", Message: "precheck: ready file cannot be written",
		Path: r.ReadyFile, Err: err, Next: nextOf(err, "its directory must exist and be writable (RuntimeDirectory=edged)")}
}

// withdraw removes the ready file that another gate wrote while this one waited for the lock
// and then failed: the newest verdict is in force. A gate that never got the lock
// has judged nothing.
func (r *run) withdraw() {
	if r.ReadyFile == "" || !r.writable {
		return
	}
	if f := WithdrawReady(r.ReadyFile); f != nil {
		f.explain()
		r.log.Warn(f.Message, slog.String("path", f.Path), slog.String("err", f.Reason()), slog.String("next", f.Next))
	}
}
