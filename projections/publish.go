package projections

import (
	"bytes"
	"fmt"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/machine"
)

// Modes of what is published: those of the folders around it.
const (
	dirMode  = 0o750
	fileMode = 0o640
)

// Publish makes the disk hold what s projects, evidence first. found is what [Read] gave under the
// same lock: what agrees with s is not touched, so that a clean boot writes
// nothing. now, in nanoseconds, names the temporary directory.
//
// While a reconstruction is open or due, the fingerprint file stays as it was
// found: only a completed one answers it. Publish does not judge: whether a
// file found may be overwritten is for the caller to have asked
// [JudgeFingerprint] and [JudgeEvidence].
func Publish(fsys durable.FS, s machine.State, found Files, now int64) error {
	if err := PublishEvidence(fsys, s, found, now); err != nil {
		return err
	}
	return publishFingerprint(fsys, s, found.Fingerprint)
}

// PublishEvidence is the part of Publish that never answers a fingerprint
// file, for who repairs projections without having reconstructed anything.
func PublishEvidence(fsys durable.FS, s machine.State, found Files, now int64) error {
	if s.Current == nil {
		return nil // legacy evidence, or a predecessor's, stays until the first EpochRotated
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

// holds: found is want, or want with members of a newer version under a right
// digest.
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
