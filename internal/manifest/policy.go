package manifest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/stateroot"
)

// Policy is what a node requires of a manifest whose signature verifies.
type Policy struct {
	// Strict requires a serial, and a blake3 on every operation.
	Strict bool
	// SerialFloor is the serial of the last completed epoch, nil before one.
	SerialFloor *int64
	// Now is the time at which not_after is judged: never below the time floor.
	Now time.Time
}

// Admit checks m by p. The error is an *Error.
func (m *Manifest) Admit(p Policy) error {
	refuse := func(code Code, format string, args ...any) error {
		return &Error{code, stateroot.Manifest, fmt.Errorf(format, args...)}
	}
	if p.Strict {
		if m.Serial == nil {
			return refuse(CodeStrict, "it has no serial")
		}
		for i, op := range m.Operations {
			if op.BLAKE3 == "" {
				return refuse(CodeStrict, "operation %d (%s %s) has no blake3", i, op.Op, op.Dst)
			}
		}
	}
	if err := m.rolledBack(p.SerialFloor); err != nil {
		return &Error{CodeRollback, stateroot.Manifest, err}
	}
	if m.NotAfter != nil && p.Now.After(*m.NotAfter) {
		return refuse(CodeExpired, "it was valid until %s, the time is taken as %s", m.NotAfter.UTC().Format(time.RFC3339), p.Now.UTC().Format(time.RFC3339))
	}
	return nil
}

// rolledBack returns an error for a rolled-back serial. It may not fall below the last completed epoch's, nor
// be missing, unless this manifest itself allows it from that serial.
func (m *Manifest) rolledBack(floor *int64) error {
	if floor == nil || (m.AllowRollbackFrom != nil && *m.AllowRollbackFrom == *floor) {
		return nil
	}
	switch {
	case m.Serial == nil:
		return fmt.Errorf("it has no serial, the last epoch was completed under %d", *floor)
	case *m.Serial < *floor:
		return fmt.Errorf("its serial is %d, the last epoch was completed under %d", *m.Serial, *floor)
	}
	return nil
}

// AdmitKey checks a verify key by its BLAKE3: it must be the pinned one, if
// one is pinned, and one of those that the journal accepts. An empty list means
// that no epoch was completed yet, so that any key is accepted. The error is an
// *Error.
func AdmitKey(key, pin string, accepted ...string) error {
	switch {
	case pin != "" && key != pin:
		return &Error{CodeKeyPinned, stateroot.ManifestVerifyKey, fmt.Errorf("it is %s, gate.manifest_key_blake3 pins %s", key, pin)}
	case len(accepted) > 0 && !slices.Contains(accepted, key):
		return &Error{CodeKeyUnknown, stateroot.ManifestVerifyKey,
			fmt.Errorf("it is %s, accepted is %s, and no rotation or replacement leads from one to the other", key, strings.Join(accepted, " or "))}
	}
	return nil
}
