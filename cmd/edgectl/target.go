package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/history"
)

// target is what a command works on, as flags and environment name it.
type target struct {
	stateRoot, config, journal string
}

func (t *target) flags(f *pflag.FlagSet) {
	f.StringVar(&t.stateRoot, "state-root", "", "the node's state root (default $EDGE_STATE_ROOT)")
	f.StringVar(&t.config, "config", "", "the node's config, which names the state root (default $EDGE_CONFIG)")
}

// evidenceFlag adds --journal, for commands that only read a history.
func (t *target) evidenceFlag(f *pflag.FlagSet) {
	f.StringVar(&t.journal, "journal", "", "a state root, a journal directory, an exported .jsonl or an audit bundle to read instead")
}

// root is the state root that is meant, absolute.
func (e *env) root() (string, error) {
	path, err := e.named()
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fail("name it absolutely", "state root %s: %w", path, err)
	}
	return abs, nil
}

// named applies the order of precedence: a flag before the environment. A
// config says what it says to the gate, where EDGE_STATE_ROOT overrides it.
func (e *env) named() (string, error) {
	t := e.target
	if t.stateRoot != "" && t.config != "" {
		return "", fail("drop one of them", "--state-root and --config both name a state root")
	}
	if t.stateRoot != "" {
		return t.stateRoot, nil
	}
	path := t.config
	if path == "" {
		if root := e.getenv(config.EnvStateRoot); root != "" {
			return root, nil
		}
		path = e.getenv("EDGE_CONFIG")
	}
	if path == "" {
		return "", fail("pass --state-root DIR or --config FILE, or set EDGE_STATE_ROOT", "no state root is named")
	}
	cfg, err := config.Load(path)
	if err != nil {
		return "", fail("correct the config, or name the state root with --state-root", "%w", err)
	}
	return cfg.StateRoot(e.getenv), nil
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
