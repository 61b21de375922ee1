package gate

import (
	"context"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/projections"
)

// lockless is a state root on a filesystem without flock(2).
type lockless struct {
	Root
	errno syscall.Errno
}

func (l lockless) Lock(ctx context.Context) error {
	return stateroot.Lock(ctx, l, 0, stateroot.Clock{})
}

func (l lockless) TryLock() (bool, error) {
	return false, &fs.PathError{Op: "flock", Path: "/persist/edge", Err: l.errno}
}

// TestCause_Lock: a filesystem that refuses the lock is no other gate.
func TestCause_Lock(t *testing.T) {
	for errno, cause := range map[syscall.Errno]string{
		syscall.ENOLCK: "does not support flock(2)", syscall.EOPNOTSUPP: "does not support flock(2)", syscall.EIO: "input/output error",
	} {
		n := newNode(t)
		n.edit = func(h *Host) {
			h.OpenRoot = func(p string, opt stateroot.Options) (Root, error) {
				root, err := openLinuxRoot(p, opt)
				return lockless{root, errno}, err
			}
		}
		logs := n.boot(ExitStateRoot)
		n.logged("level=ERROR", "precheck: state root cannot be locked", cause)
		if strings.Contains(logs, "another gate") || strings.Contains(logs, "other gate") {
			t.Errorf("%v is blamed on another gate:\n%s", errno, logs)
		}
	}
}

// TestCause_Publication: what the disk refuses at the very end of a boot has
// the cause in its message, wherever the error came from.
func TestCause_Publication(t *testing.T) {
	for errno, want := range map[syscall.Errno][]string{
		syscall.ENOSPC: {"no space is left", "free space on the filesystem"},
		syscall.EDQUOT: {"a disk quota is used up", "raise the quota"},
	} {
		m := newMemNode(t)
		m.disk.SetHook(func(op memfs.Op) error {
			if op.Kind == memfs.OpCreate && op.Name == projections.FingerprintPath+".tmp" {
				return errno
			}
			return nil
		})
		m.boot(ExitStateRoot)
		m.logged(append(want, "level=ERROR", "precheck: projections cannot be written")...)
	}
}

// TestCause_Cleanup: what cannot be cleaned up decides nothing.
func TestCause_Cleanup(t *testing.T) {
	for _, stale := range []string{stateroot.LastFailure + ".tmp", projections.FingerprintPath + ".tmp", "epoch/epoch_7.tmp/evidence.json"} {
		m := newMemNode(t)
		m.boot(ExitOK)
		m.put(stale, []byte("half"))
		m.disk.SetHook(func(op memfs.Op) error {
			if op.Kind == memfs.OpRemove && strings.HasPrefix(op.Name, strings.TrimSuffix(stale, "/evidence.json")) {
				return syscall.EPERM
			}
			return nil
		})
		m.boot(ExitOK)
		m.logged("level=WARN", "edge.cleanup.failed", "next=")
	}
}

// TestCause_Operator: an operator's action also reports the cause.
func TestCause_Operator(t *testing.T) {
	f := &Failure{Next: "check the disk", Err: &fs.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}}
	for range 2 {
		f.explain()
	}
	if !strings.Contains(f.Next, "raise the quota") || strings.Count(f.Error(), "quota is used up") != 1 {
		t.Errorf("got %v", f)
	}
	f = &Failure{Next: "check the disk", Err: durable.ErrSymlink}
	if f.explain(); f.Next != "check the disk" {
		t.Errorf("got %v", f)
	}
}

// TestPathsAreTheHosts: a path of the host is shown as it was given, and is not
// looked for below the state root.
func TestPathsAreTheHosts(t *testing.T) {
	n := newNode(t)
	n.env["EDGE_STATE_ROOT"] = "state"
	n.boot(ExitStateRoot)
	n.logged("level=ERROR", " path=state err=")
	delete(n.env, "EDGE_STATE_ROOT")
	n.boot(ExitStateRoot, func(o *Options) { o.ReadyFile = "absent/passed" })
	n.logged("level=ERROR", " path=absent/passed err=")
}
