package replay

import (
	"fmt"
	"iter"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// File is a file of a node at some point. Path is relative to the state root, or
// begins with epochs/ if no state root has the file.
type File struct {
	Path string
	Data []byte
}

// Files yields the files of the node in state s, the state after record s.Seq of src.
// First come the files that its gate publishes in that state, rendered as the gate
// renders them. Then come, for every epoch so far and newest first, epochs/N/ with
// evidence.json and the verified manifest.json and manifest.json.sig.
//
// A file that was edited on the node is yielded as it was published. A file that the
// node adopted from the journal-less software is yielded as it was found.
func Files(src History, s machine.State) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		files, err := published(s)
		if err != nil {
			yield(File{}, err)
			return
		}
		for _, f := range files {
			if !yield(f, nil) {
				return
			}
		}
		for e, err := range EpochsUntil(src, s.Seq) {
			if err == nil {
				files, err = e.Files()
			}
			if err != nil {
				yield(File{}, err)
				return
			}
			for _, f := range files {
				if !yield(f, nil) {
					return
				}
			}
		}
	}
}

// published returns the projections of a state.
func published(s machine.State) ([]File, error) {
	var files []File
	add := func(path string, data []byte, err error) error {
		if len(data) > 0 {
			files = append(files, File{Path: path, Data: data})
		}
		return err
	}
	switch {
	case s.Baseline == nil:
	case s.Baseline.Kind == machine.KindLegacyStateAdopted && s.Phase != machine.PhaseSettled && s.Adopted != nil && s.Baseline.Epoch > 0:
		// Adopted, and not yet replaced by a reconstruction: the older
		// software's file is in place.
		if err := add(projections.FingerprintPath, s.Adopted.File, nil); err != nil {
			return nil, err
		}
	default:
		data, err := projections.Fingerprint(s.Journal, *s.Baseline)
		if err := add(projections.FingerprintPath, data, err); err != nil {
			return nil, err
		}
	}
	if s.Current == nil && s.Adopted != nil {
		return files, add(projections.CurrentPath, s.Adopted.Evidence, nil)
	}
	for _, e := range []struct {
		path   string
		record *machine.EpochRecord
	}{{projections.CurrentPath, s.Current}, {projections.PreviousPath, s.Previous}} {
		if e.record == nil {
			continue
		}
		data, err := projections.Evidence(*e.record)
		if err := add(e.path, data, err); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Names of the files of an epoch; see [EpochFile].
const (
	EvidenceName  = "evidence.json"
	ManifestName  = "manifest.json"
	SignatureName = "manifest.json.sig"
)

// EpochFile returns the path of an epoch's file of this name in the directory of all
// epochs.
func EpochFile(epoch uint64, name string) string { return fmt.Sprintf("epochs/%d/%s", epoch, name) }

// Files returns the files of the epoch.
func (e Epoch) Files() ([]File, error) {
	if e.Record.Meta.Seq == 0 {
		return []File{{Path: EpochFile(e.Number, EvidenceName), Data: e.Adopted}}, nil
	}
	evidence, err := projections.Evidence(e.Record)
	if err != nil {
		return nil, err
	}
	return []File{
		{Path: EpochFile(e.Number, EvidenceName), Data: evidence},
		{Path: EpochFile(e.Number, ManifestName), Data: e.Verified.Manifest},
		{Path: EpochFile(e.Number, SignatureName), Data: e.Verified.Signature},
	}, nil
}
