// Package salvaging decides whether a journal is damaged enough to be salvaged.
package salvaging

import (
	"context"
	"errors"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// Damaged refuses a journal in which neither a boot nor a verification finds
// damage: a salvage of it would cost the node its history for nothing. Neither
// a newer release's journal nor a state root that cannot be used is damage.
func Damaged(ctx context.Context, root string, host gate.Host) error {
	err := accepted(ctx, root, host)
	var failed *gate.Failure
	switch {
	case err == nil:
		return rotten(ctx, root)
	case errors.Is(err, gate.ErrNoHistory):
		return errs.Advise("check that the partition is mounted", "%s: nothing here refers to a journal: there is nothing to salvage", root)
	case errors.Is(err, machine.ErrNewer), errors.Is(err, errs.ErrNewer), errors.Is(err, errs.ErrIO):
		return notDamage(root, err)
	case errors.As(err, &failed) && failed.Stage != "journal":
		return errs.Advise(failed.Next, "%s: path=%s: %w", failed.Short(), failed.Path, failed.Err)
	case failed == nil:
		return err
	}
	return nil
}

// Whole refuses a journal that a boot would not accept.
func Whole(ctx context.Context, root string, host gate.Host) error {
	err := accepted(ctx, root, host)
	var failed *gate.Failure
	if errors.As(err, &failed) {
		return errs.Advise(failed.Next, "%s: path=%s: %w", failed.Short(), failed.Path, failed.Err)
	}
	return err
}

// accepted returns nil for a journal that a boot accepts.
func accepted(ctx context.Context, root string, host gate.Host) error {
	whole := errors.New("whole")
	_, err := gate.Operate(ctx, root, host, func(machine.State) (machine.Payload, error) { return nil, whole })
	if errors.Is(err, whole) {
		return nil
	}
	return err
}

// rotten refuses a journal that a boot would accept, unless what no boot reads
// of it is damaged: old records, and blocks of tables that hold none. Sooner or
// later a boot compacts them, and ends there.
func rotten(ctx context.Context, root string) error {
	rep, err := verify.Path(ctx, root, verify.Options{Storage: true})
	if err != nil {
		return errs.Advise("edgectl journal verify --deep reports what cannot be read", "%s: the journal cannot be verified: %w", root, err)
	}
	bad := false
	for _, f := range rep.Findings {
		switch {
		case f.Severity != journal.SeverityError:
		case f.Code == journal.CodeNewer, f.Code == journal.CodeIO:
			return notDamage(root, errors.New(display.Clean(f.Detail)))
		default:
			bad = true
		}
	}
	if bad {
		return nil
	}
	return errs.Advise("edgectl journal verify --deep reports whether anything is wrong", "%s: the journal is whole and agrees with everything that refers to it", root)
}

func notDamage(root string, err error) error {
	return errs.Advise("boot the newer release, or repair the disk, first", "%s: that is not damage: %w", root, err)
}
