package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/journal"
)

// broken is a standard error whose reader is gone.
func broken(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// full is a standard error that nobody reads.
func full(t *testing.T) *os.File {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fds[0]) })
	if err := syscall.SetNonblock(fds[1], true); err != nil {
		t.Fatal(err)
	}
	for err := error(nil); err == nil; {
		_, err = syscall.Write(fds[1], make([]byte, 1))
	}
	if err := syscall.SetNonblock(fds[1], false); err != nil {
		t.Fatal(err)
	}
	w := os.NewFile(uintptr(fds[1]), "full")
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// TestStandardError: a standard error that is broken, or that nobody
// reads, changes neither an exit code nor the journal.
func TestStandardError(t *testing.T) {
	edged, err := exec.LookPath("edged") // TestMain puts this binary there under that name
	if err != nil {
		t.Fatal(err)
	}
	for name, stderr := range map[string]func(*testing.T) *os.File{"broken": broken, "full": full} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, "debug")
			gateRun := func(args ...string) int {
				cmd := exec.Command(edged, args...)
				cmd.Env = []string{"EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1", "EDGE_CONFIG=" + n.config}
				cmd.Stderr = stderr(t)
				var exit *exec.ExitError
				if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				return cmd.ProcessState.ExitCode() // -1 if a signal ended it
			}
			expect := func(want int, args ...string) {
				t.Helper()
				if got := gateRun(args...); got != want {
					t.Errorf("edged %q: exit %d, want %d", args, got, want)
				}
			}
			expect(gate.ExitOK, "precheck")
			expect(gate.ExitConfig, "precheck", "--frobnicate")
			if err := os.Remove(filepath.Join(n.dir, "node.key")); err != nil {
				t.Fatal(err)
			}
			expect(gate.ExitCertificate, "precheck")
			if got := kinds(t, filepath.Join(n.dir, "state")); got != "FingerprintCaptured PrecheckFailed" {
				t.Errorf("the journal has %s", got)
			}
		})
	}
}

// TestStandardOutput: a reader of a result that has seen enough is no
// failure.
func TestStandardOutput(t *testing.T) {
	edged, err := exec.LookPath("edged")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(edged, "version")
	cmd.Stdout = broken(t)
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
}

// kinds are the types of a journal's records, in order.
func kinds(t *testing.T, stateRoot string) string {
	t.Helper()
	root, err := durable.OpenRootReadOnly(stateRoot)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	view, err := journal.OpenView(root, journal.DefaultLayout())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	var out []string
	for rec, err := range view.Records(1, view.Tip().Seq) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rec.Type)
	}
	return strings.Join(out, " ")
}
