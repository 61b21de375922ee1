package gate

import (
	"fmt"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
)

// layOut makes the state root's directories just before the event that gives
// a node its first baseline: a run that fails before leaves the root as it was.
func (r *run) layOut(p machine.Payload) *Failure {
	if !r.beginsNode(p) {
		return nil
	}
	err := r.checkLayout()
	if err == nil && r.plan == nil {
		err = stateroot.CreateDirs(r.fs)
	}
	if err != nil {
		return &Failure{Exit: ExitStateRoot, Stage: "state_root", Message: "precheck: state root cannot be laid out",
			Path: pathOf(err, r.rootPath), Err: err,
			Next: nextOf(err, "move away the file that is in the place of a directory, or check the disk; the next boot tries again")}
	}
	return nil
}

// beginsNode reports whether p begins a node: the first run's capture, the adoption of a fresh legacy node, and
// the first epoch of any other.
func (r *run) beginsNode(p machine.Payload) bool {
	switch p := p.(type) {
	case machine.FingerprintCaptured:
		return p.Role == machine.RoleInitial
	case machine.LegacyStateAdopted:
		return p.BootEpoch == 0
	case machine.EpochRotated:
		b := r.history.state.Baseline
		return b == nil || b.Kind == machine.KindLegacyStateAdopted
	}
	return false
}

// checkLayout reports whether the directories exist or could be made, before
// the first one is made.
func (r *run) checkLayout() error {
	for _, dir := range []string{
		stateroot.Edge, stateroot.EdgeSegments, stateroot.EdgeRelay, stateroot.Identity,
		stateroot.Runtime, stateroot.Binaries, stateroot.Epoch, stateroot.Bootstrap,
	} {
		info, err := r.fs.Lstat(dir)
		if isNotExist(err) {
			continue
		}
		if err == nil && !info.IsDir() {
			path := r.absolute(dir)
			return &errs.Error{Check: "lay out state root", Path: path, Kind: stateroot.ErrLayout,
				Next: "look at it and move it away; the next boot tries again", Command: []string{"mv", path, path + ".aside"}}
		}
		if err != nil {
			return fmt.Errorf("lay out state root: %s: %w", dir, err)
		}
	}
	return nil
}
