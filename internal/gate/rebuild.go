package gate

import (
	"context"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// Rebuilt is the result of RebuildProjections.
type Rebuilt struct {
	Journal string
	Repairs []machine.Event       // a ProjectionRepaired for each file that was written
	After   []projections.Verdict // on every file, afterwards
}

// RebuildProjections writes the projections that differ from the journal again,
// as a boot does: it first journals a ProjectionRepaired for each, then it
// publishes. Errors are those of [Operate]; if a file is of another history,
// nothing is written.
//
// A fingerprint file that is cause for a reconstruction stays as it is, so that
// the next boot finds the same cause: only a reconstruction replaces it.
func RebuildProjections(ctx context.Context, stateRoot string, host Host) (rebuilt Rebuilt, err error) {
	err = operate(ctx, stateRoot, host, func(r *run) error {
		rebuilt.Journal = r.history.state.Journal
		found, err := r.judgeAll()
		if err != nil {
			return err
		}
		for _, v := range found {
			if v.Kind != projections.Repair {
				continue
			}
			// Not an event for each attempt on a full disk.
			if err := r.room(v.Path, publicationRoom, publishInodes); err != nil {
				return notPublished(err)
			}
			event, f := r.append(repaired(v.Path, v))
			if f != nil {
				return f
			}
			rebuilt.Repairs = append(rebuilt.Repairs, event)
		}
		if rebuilt.After = found; len(rebuilt.Repairs) == 0 {
			return nil
		}
		publish := projections.Publish
		if found[0].Kind == projections.Cause {
			publish = projections.PublishEvidence
		}
		r.cleanOrphans()
		if err := publish(r.fs, r.history.state, r.files, host.Now().UnixNano()); err != nil {
			return notPublished(err)
		}
		if r.files, err = projections.Read(r.fs); err != nil {
			return notPublished(err)
		}
		rebuilt.After, err = r.judgeAll()
		return err
	})
	return rebuilt, err
}

// judgeAll judges every projection, fingerprint first. The error is a *Failure.
func (r *run) judgeAll() ([]projections.Verdict, error) {
	verdicts, err := r.files.Judge(r.history.state, r.lookup)
	if err != nil {
		return nil, r.unusable(err, "precheck: fingerprint file cannot be judged", salvageAdvice)
	}
	for _, v := range verdicts {
		if v.Kind == projections.Foreign {
			return nil, foreign(r, v)
		}
	}
	return verdicts, nil
}
