package journal

import (
	"errors"
	"testing"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// TestFindingOf: every kind of error has its code, which is part of the JSON contract.
func TestFindingOf(t *testing.T) {
	for kind, code := range map[error]string{
		errs.ErrNewer: "newer_version", ErrForeign: "wrong_journal", errs.ErrTooLarge: "oversized", ErrRolledBack: "head_mismatch",
		ErrRewritten: "head_mismatch", ErrMissing: "head_mismatch", ErrTorn: "torn_tail", errs.ErrIO: "io_error",
		errs.ErrNotFound: "io_error", errs.ErrCorrupt: "storage_corrupt",
	} {
		if f := FindingOf(&errs.Error{Kind: kind, Seq: 3}); f.Code != code || f.Seq != 3 || f.Severity != SeverityError || f.Detail == "" {
			t.Errorf("%v: %+v", kind, f)
		}
	}
	if f := FindingOf(&errs.Error{Kind: errs.ErrCorrupt, Err: record.ErrNotCanonical}); f.Code != CodeNotCanonical {
		t.Errorf("%+v", f)
	}
	if f := FindingOf(errors.New("x")); f.Code != CodeStorage || f.Seq != 0 {
		t.Errorf("%+v", f)
	}
}
