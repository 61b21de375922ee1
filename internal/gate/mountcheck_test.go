package gate

import (
	"errors"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/stateroot"
)

// TestMountCheckKept: a value that does not skip the mount check is one WARN
// that says so, and the check is made.
func TestMountCheckKept(t *testing.T) {
	for _, value := range []string{"true", "yes", "0", "01", "1 "} {
		n := newNode(t)
		n.env[stateroot.EnvSkipMountCheck] = value
		n.edit = func(h *Host) {
			h.OpenRoot = func(_ string, opt stateroot.Options) (Root, error) {
				if opt.SkipMountCheck {
					t.Errorf("%q skips the check", value)
				}
				return nil, errors.New("checked")
			}
		}
		logs := n.boot(ExitStateRoot)
		n.logged("level=WARN", "edge.state_root.mount_check_kept", stateroot.EnvSkipMountCheck, value)
		if strings.Count(logs, "level=WARN") != 1 {
			t.Errorf("%q: not one WARN:\n%s", value, logs)
		}
	}
	for _, value := range []string{"1", ""} {
		n := newNode(t)
		n.env[stateroot.EnvSkipMountCheck] = value
		if n.precheck(); strings.Contains(n.logs.String(), "mount_check_kept") {
			t.Errorf("%q: %s", value, n.logs.String())
		}
	}
}
