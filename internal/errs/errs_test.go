package errs

import (
	"errors"
	"io/fs"
	"testing"
)

func TestError(t *testing.T) {
	kind := errors.New("kind")
	for _, tt := range []struct {
		err  Error
		want string
	}{
		{Error{Kind: kind}, "kind"},
		{Error{Kind: kind, Path: "p", Seq: 7, Detail: "do it", Err: fs.ErrPermission, Next: "n"}, "do it: kind, at p, record 7: permission denied; n"},
		{Error{Kind: kind, Check: "check it", Next: "n"}, "check it: kind; n"},
		{Error{Kind: kind, Check: "check it", Path: "p", Detail: "found", Err: fs.ErrPermission, Next: "n"}, "check it p: kind: found: permission denied; n"},
		{Error{Kind: kind, Err: errors.New("one\n\ttwo")}, "kind: one two"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
		if !errors.Is(&tt.err, kind) || tt.err.Err != nil && !errors.Is(&tt.err, tt.err.Err) {
			t.Errorf("%v: the kind or the cause is lost", &tt.err)
		}
	}
}
