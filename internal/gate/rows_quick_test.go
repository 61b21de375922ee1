package gate

import (
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/stateroot"
)

// quick gives a boot a state root on a real disk that is not waited for: the
// scenes lose no power, and flushing would take most of the time. In the crash
// matrix every flush matters.
func quick(h *Host) { h.OpenRoot = openQuick }

func openQuick(path string, opt stateroot.Options) (Root, error) {
	root, err := openLinuxRoot(path, opt)
	if err != nil {
		return nil, err
	}
	return quickRoot{root}, nil
}

type quickRoot struct{ Root }

func (q quickRoot) FS() durable.FS { return historytest.Unflushed{FS: q.Root.FS()} }
