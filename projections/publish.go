package projections

import (
	"bytes"
	"fmt"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/machine"
)

// Modes of the published files and directories.
const (
	dirMode  = 0o750
	fileMode = 0o640
)

// Publish writes the projections of s to the disk, evidence first. found is what
// [Read] returned under the same lock: a file that agrees with s is not touched, so
// that a clean boot writes nothing. now, in nanoseconds, names the temporary
// directory.
//
// While a reconstruction is open or due, the fingerprint file is not touched: only
// a completed reconstruction replaces it. Publish does not judge. The caller must
// first ask [JudgeFingerprint] and [JudgeEvidence] whether a file may be
// overwritten.
func Publish(fsys durable.FS, s machine.State, found Files, now int64) error {
	if err := PublishEvidence(fsys, s, found, now); err != nil {
		return err
	}
	return publishFingerprint(fsys, s, found.Fingerprint)
}

// PublishEvidence publishes only the evidence, for a caller that repairs
// projections without a reconstruction.
func PublishEvidence(fsys durable.FS, s machine.State, found Files, now int64) error {
	if s.Current == nil {
		return nil // legacy evidence, or an ancestor's, stays until the first EpochRotated
	}
	r := rotation{fs: fsys, tmp: tmpDir(now)}
	if err := r.publish(s, found); err != nil {
		return fmt.Errorf("publish evidence of epoch %d: %w", s.Current.Rotated.BootEpoch, err)
	}
	return nil
}

func publishFingerprint(fsys durable.FS, s machine.State, found Found) error {
	if s.Baseline == nil || s.Phase != machine.PhaseSettled {
		return nil
	}
	want, err := Fingerprint(s.Journal, *s.Baseline)
	if err != nil || holds(found, want) {
		return err
	}
	if found.irregular { // a directory would refuse the rename
		if err := durable.RemoveAll(fsys, FingerprintPath); err != nil {
			return fmt.Errorf("publish fingerprint: %w", err)
		}
	}
	if err := durable.MkdirAll(fsys, bootstrapDir, dirMode); err != nil {
		return fmt.Errorf("publish fingerprint: %w", err)
	}
	if err := durable.WriteFile(fsys, FingerprintPath, want, fileMode); err != nil {
		return fmt.Errorf("publish fingerprint: %w", err)
	}
	return nil
}

// holds reports whether found is want, or want with members of a newer version
// under a right digest.
func holds(found Found, want []byte) bool {
	if bytes.Equal(found.Data, want) {
		return true
	}
	doc, err := parse(found.Data)
	if err != nil || doc.ref == nil {
		return false
	}
	equal, extra := agree(want, doc)
	return equal && extra
}
