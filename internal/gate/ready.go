package gate

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/autonomyops/edged/internal/durable"
)

// ready is what --ready-file holds: proof for edged.service that the gate
// passed in this boot.
type ready struct {
	BootID string `json:"boot_id"`
	Run    string `json:"run"`
	Seq    uint64 `json:"seq"`
}

// removeReady withdraws an earlier pass before anything else can fail.
func (r *run) removeReady() *Failure {
	if r.ReadyFile == "" || r.plan != nil {
		return nil
	}
	if err := os.Remove(r.ReadyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r.readyFailure(err)
	}
	return nil
}

// writeReady is the last act of a run that passed.
func (r *run) writeReady() *Failure {
	if r.ReadyFile == "" {
		return nil
	}
	if r.plan != nil {
		return r.rehearseReady()
	}
	data, err := json.Marshal(ready{BootID: r.bootID, Run: r.id, Seq: r.history.state.Seq})
	if err == nil {
		err = writeHostFile(r.ReadyFile, append(data, '\n'), 0o644)
	}
	if err != nil {
		return r.readyFailure(err)
	}
	return nil
}

// rehearseReady tells whether the ready file could be written.
func (r *run) rehearseReady() *Failure {
	dir, err := durable.OpenRoot(filepath.Dir(r.ReadyFile))
	if err == nil {
		err = errors.Join(dir.CheckWritable(), dir.Close())
	}
	if err != nil {
		return r.readyFailure(err)
	}
	return nil
}

func (r *run) readyFailure(err error) *Failure {
	return &Failure{Exit: ExitStateRoot, Stage: "ready_file", Message: "precheck: ready file cannot be written",
		Path: r.ReadyFile, Err: err, Next: "its directory must exist and be writable (RuntimeDirectory=edged)"}
}

// writeHostFile replaces a file outside the state root, never half written.
func writeHostFile(path string, data []byte, perm fs.FileMode) error {
	dir, err := durable.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(durable.WriteFile(dir, filepath.Base(path), data, perm), dir.Close())
}
