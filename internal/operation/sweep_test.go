package operation

import (
	"errors"
	"path"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

func TestSweep(t *testing.T) {
	m := newDisk(t)
	for _, name := range []string{tempName, "bin/" + tempName, "identity/" + tempName, "elsewhere/" + tempName} {
		check(t, durable.MkdirAll(m, path.Dir(name), 0o755))
		put(t, m, name, "stale", 0o600)
	}
	before := len(m.Dump())
	ops := manifestOf(binaryOp("app", "bin/app"), binaryOp("app", "top"), binaryOp("app", "not/there"),
		binaryOp("app", "identity/x"), binaryOp("app", "../elsewhere/x"))
	check(t, Sweep(m, testRoot, ops)...)
	if after := len(m.Dump()); after != before-2 {
		t.Errorf("%d names before, %d after: %v", before, after, m.Dump())
	}
	if text(m, "identity/"+tempName) != "stale" || text(m, "elsewhere/"+tempName) != "stale" {
		t.Error("something else was removed")
	}
	check(t, durable.MkdirAll(m, "bin/"+tempName+"/somebody's", 0o755))
	if left := Sweep(m, testRoot, ops); len(left) != 1 || !errors.Is(left[0], syscall.ENOTEMPTY) {
		t.Error(left)
	}
	m.SetHook(func(op memfs.Op) error { return syscall.EIO })
	if left := Sweep(m, testRoot, ops); !errors.Is(errors.Join(left...), syscall.EIO) {
		t.Error(left)
	}
}
