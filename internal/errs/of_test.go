package errs

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
)

func TestOf(t *testing.T) {
	for cause, kind := range map[error]error{
		syscall.ENOSPC: ErrNoSpace, syscall.EDQUOT: ErrNoSpace, syscall.EIO: ErrIO, syscall.EROFS: ErrIO, fs.ErrPermission: ErrIO,
		durable.ErrNotRegular: ErrCorrupt, durable.ErrSymlink: ErrCorrupt, syscall.ENOTDIR: ErrCorrupt,
	} {
		err := Of("read x", "y", fmt.Errorf("z: %w", cause))
		var e *Error
		if !errors.Is(err, kind) || !errors.Is(err, cause) || !errors.As(err, &e) || e.Path != "y" || e.Next == "" {
			t.Errorf("%v: %v", cause, err)
		}
		if again := Of("other", "w", err); again != err {
			t.Errorf("classified twice: %v", again)
		}
	}
	if e := Of("x", "y", syscall.EROFS).(*Error); e.Next != nextRemount {
		t.Errorf("read-only: %s", e.Next)
	}
}

func TestAt(t *testing.T) {
	err := Corrupt("", 0, nil, "decode %s", "it")
	at := At(err, "p", 7).(*Error)
	if at.Path != "p" || at.Seq != 7 || at.Detail != "decode it" || at.Next != NextSalvage {
		t.Errorf("%+v", at)
	}
	if e := err.(*Error); e.Path != "" || e.Seq != 0 {
		t.Error("the error itself was changed")
	}
	if kept := At(at, "q", 8).(*Error); kept.Path != "p" || kept.Seq != 7 {
		t.Errorf("%+v", kept)
	}
	if At(fs.ErrClosed, "p", 1) != fs.ErrClosed {
		t.Error("an error of another kind was changed")
	}
	if e := Invalid(3, fs.ErrClosed, "encode").(*Error); !errors.Is(e, ErrInvalid) || e.Seq != 3 || e.Next != NextDevelop {
		t.Errorf("%+v", e)
	}
}
