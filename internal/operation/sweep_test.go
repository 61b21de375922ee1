package operation

import (
	"errors"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

func TestSweep(t *testing.T) {
	m := newDisk(t)
	for _, name := range []string{tempName, "bin/" + tempName, "identity/" + tempName, "elsewhere/" + tempName} {
		check(t, durable.MkdirAll(m, name, 0o755))
		put(t, m, name+"/stale", "x", 0o600)
	}
	before := len(m.Dump())
	ops := manifestOf(binaryOp("app", "bin/app"), binaryOp("app", "top"), binaryOp("app", "not/there"),
		binaryOp("app", "identity/x"), binaryOp("app", "../elsewhere/x"))
	check(t, Sweep(m, testRoot, ops))
	if after := len(m.Dump()); after != before-4 {
		t.Errorf("%d names before, %d after: %v", before, after, m.Dump())
	}
	if text(m, "identity/"+tempName+"/stale") != "x" || text(m, "elsewhere/"+tempName+"/stale") != "x" {
		t.Error("something else was removed")
	}
	m.SetHook(func(op memfs.Op) error { return syscall.EIO })
	if err := Sweep(m, testRoot, ops); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
}
