package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/stateroot"
)

// target is what a command works on, as flags and environment name it.
type target struct {
	stateRoot, config, journal string
}

const (
	envConfig = "EDGE_CONFIG"
	// usualConfig is the config of a node that neither a flag nor the environment
	// names, beneath the system's root.
	usualConfig = "etc/edged/config.yaml"
)

func (t *target) flags(f *pflag.FlagSet) {
	f.StringVar(&t.stateRoot, "state-root", "", "the node's state root (default $EDGE_STATE_ROOT)")
	f.StringVar(&t.config, "config", "", "the node's config, which names the state root (default $EDGE_CONFIG)")
}

// evidenceFlag adds --journal, for commands that only read a history.
func (t *target) evidenceFlag(f *pflag.FlagSet) {
	f.StringVar(&t.journal, "journal", "", "a state root, journal directory, export, bundle, or journal at a hub to read instead")
}

// root is the state root that is meant, absolute.
func (e *env) root() (string, error) {
	path := e.namedRoot()
	if path == "" {
		file, err := e.namedConfig()
		if err != nil {
			return "", err
		}
		cfg, err := config.Load(file)
		if err != nil {
			return "", fail("correct the config, or name the state root with --state-root", "%w", err)
		}
		path = cfg.Root.Root
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fail("name it absolutely", "state root %s: %w", path, err)
	}
	return abs, nil
}

// namedRoot is the state root that a flag or the environment names, "" if none
// does. A config's state root is overridden by the environment, as for the gate.
func (e *env) namedRoot() string {
	if e.target.stateRoot != "" {
		return e.target.stateRoot
	}
	return e.getenv(config.EnvStateRoot)
}

// namedConfig is the node's config: the one that a flag or the environment
// names, or the usual one, which it reports as found.
func (e *env) namedConfig() (string, error) {
	if e.target.config != "" {
		return e.target.config, nil
	}
	if path := e.getenv(envConfig); path != "" {
		return path, nil
	}
	path := filepath.Join(e.system, usualConfig)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fail("pass --state-root DIR or --config FILE, set EDGE_STATE_ROOT or EDGE_CONFIG, or put the node's config at "+path,
			"no state root is named, and there is no %s", path)
	}
	e.found(path)
	return path, nil
}

// found reports, once, a config that was found rather than named.
func (e *env) found(path string) {
	if e.reported != path {
		fmt.Fprintf(e.stderr, "edgectl: using the config %s\n", path)
		e.reported = path
	}
}

// node is the node that is meant, for commands that judge it as its gate would:
// its state root and its config. Each is "" if it is not known. elsewhere: the
// state root is not where its config says, as the disk of a dead node.
func (e *env) node() (root, cfg string, elsewhere bool, err error) {
	root = e.namedRoot()
	if root == "" { // then all is in the config
		cfg, err = e.namedConfig()
		return "", cfg, false, err
	}
	if root, err = filepath.Abs(root); err != nil {
		return "", "", false, fail("name it absolutely", "state root %s: %w", root, err)
	}
	if path := e.target.config; path != "" {
		return root, path, e.target.stateRoot != "" && !names(path, root), nil
	}
	// A state root from the environment is in force with any config, as it is for
	// the gate. Of one that a flag names, the config must say the same.
	is := func(path string) bool { return e.target.stateRoot == "" || names(path, root) }
	if path := e.getenv(envConfig); path != "" && is(path) {
		return root, path, false, nil
	}
	copied := filepath.Join(root, stateroot.NodeConfig)
	for _, path := range []string{filepath.Join(e.system, usualConfig), copied} {
		if _, err := os.Stat(path); err == nil && is(path) {
			e.found(path)
			return root, path, false, nil
		}
	}
	if _, err := os.Stat(copied); err != nil {
		return root, "", false, nil
	}
	e.found(copied)
	return root, copied, true, nil
}

// names reports whether the config at path says that the state root is root, or
// cannot be read: its reader then reports why.
func names(path, root string) bool {
	cfg, err := config.Load(path)
	if err != nil {
		return true
	}
	a, errA := os.Stat(cfg.Root.Root)
	b, errB := os.Stat(root)
	return filepath.Clean(cfg.Root.Root) == root || errA == nil && errB == nil && os.SameFile(a, b)
}

// evidence is the path whose history is to be read.
func (e *env) evidence() (path string, err error) {
	path = e.target.journal
	switch {
	case path == "":
		path, err = e.root()
	case e.target.stateRoot != "" || e.target.config != "":
		err = fail("drop one of them", "--journal and a state root both name a history")
	}
	if err == nil {
		path, err = e.fetch(path)
	}
	if err != nil {
		return "", err
	}
	e.warnLogSkipped(path)
	return path, nil
}

// warnLogSkipped warns if the log of the filesystem that evidence lies on was
// not replayed.
func (e *env) warnLogSkipped(path string) {
	if e.logSkipped = history.LogSkipped(path, e.mounts()); e.logSkipped != "" {
		fmt.Fprintf(e.stderr, "edgectl: warning: %s: %s\n", path, history.WarnLogSkipped(e.logSkipped))
	}
}
