// Package nodeinit lays out a state root for its first boot: directories, a commented config,
// the checkpoint key, and for a demonstration also TLS files, manifest keys and an empty signed
// manifest.
//
// It adds missing files and overwrites nothing. If one half of a pair exists and the other
// cannot be made from it, the pair is left as it is: a new half would not belong to the old
// one.
package nodeinit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/stateroot"
)

// Names below the state root that the gate does not know: TLS files, which a config may name
// anywhere, and the demonstration's private keys.
const (
	dirTLS      = "tls"
	fileCA      = "tls/ca.crt"
	fileCAKey   = "tls/ca.key"
	fileCert    = "tls/node.crt"
	fileKey     = "tls/node.key"
	dirDemo     = "demo"
	fileSignKey = "demo/manifest-verify.key"
)

// Options are the choices of Init.
type Options struct {
	// Node is the edge_domain_id of a new config; "" means the host's name, with
	// other characters replaced.
	Node string
	Demo bool
	// Hostname and Now are those of the host if nil.
	Hostname func() (string, error)
	Now      func() time.Time
}

// Action is what Init did with one file or directory.
type Action string

// Actions.
const (
	Created Action = "created"
	Kept    Action = "kept"
	Skipped Action = "skipped" // missing and not made; Note has the reason
)

// Item is one file or directory. Path is relative to the state root.
type Item struct {
	Path   string `json:"path"`
	Action Action `json:"action"`
	Note   string `json:"note"`
}

// Result is the result of Init.
type Result struct {
	StateRoot string `json:"state_root"`
	Node      string `json:"node"`
	Items     []Item `json:"items"`
	// SkipMountCheck: the gate refuses this directory unless it skips the checks of
	// the filesystem and the mounts. Why is the reason.
	SkipMountCheck bool   `json:"skip_mount_check"`
	Why            string `json:"skip_mount_check_why,omitempty"`
	// Missing is what the node needs beside the config.
	Missing []Missing `json:"missing"`
}

// layout is a state root that Init is laying out.
type layout struct {
	opt   Options
	fs    *durable.Root
	items []Item
	root  string
	node  string
}

// Init lays out the state root at dir, and makes dir if it is missing.
func Init(ctx context.Context, dir string, opt Options) (*Result, error) {
	if opt.Hostname == nil {
		opt.Hostname = os.Hostname
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("lay out %s: %w; name an absolute path", dir, err)
	}
	if err := os.MkdirAll(root, 0o750); err != nil {
		return nil, fmt.Errorf("lay out %s: %w; name a directory that you may make or write to", root, err)
	}
	fsys, err := durable.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("lay out %s: %w; the gate follows no symbolic link: name the directory itself", root, err)
	}
	defer fsys.Close() //nolint:errcheck // everything written was flushed
	// A gate that runs now might see only some of the files.
	if err := stateroot.Lock(ctx, fsys, stateroot.LockWait, stateroot.Clock{}); err != nil {
		return nil, fmt.Errorf("lay out %s: %w", root, err)
	}
	l := &layout{opt: opt, fs: fsys, root: root}
	steps := []func() error{l.name, l.dirs, l.config, l.checkpointKey}
	if opt.Demo {
		steps = append(steps, l.tls, l.manifest)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, fmt.Errorf("lay out %s: %w", root, err)
		}
	}
	res := &Result{StateRoot: root, Node: l.node, Items: l.items, Missing: l.missing()}
	_, err = stateroot.Check(root, stateroot.Options{})
	if errors.Is(err, stateroot.ErrFilesystem) || errors.Is(err, stateroot.ErrPartOfRoot) {
		res.SkipMountCheck, res.Why = true, why(err)
	}
	return res, nil
}

func why(err error) string {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Kind.Error()
	}
	return err.Error()
}

// name sets the node's name: that of an existing config, or else the option's or the host's.
func (l *layout) name() error {
	if data, _, err := durable.ReadFile(l.fs, stateroot.NodeConfig, config.MaxBytes); err == nil {
		if cfg, err := config.Parse(stateroot.NodeConfig, data); err == nil {
			l.node = cfg.Identity.EdgeDomainID
			if l.opt.Node != "" && l.opt.Node != l.node {
				return fmt.Errorf("%s names the node %q, but --node names %q; omit --node, or edit the config before the first boot",
					stateroot.NodeConfig, l.node, l.opt.Node)
			}
			return nil
		}
	}
	l.node = l.opt.Node
	if l.node == "" {
		host, err := l.opt.Hostname()
		if err != nil {
			return fmt.Errorf("the host's name cannot be read: %w; pass --node", err)
		}
		l.node = sanitise(host)
	}
	if l.node == "" || l.node != sanitise(l.node) {
		return fmt.Errorf("%q is no node name, which has 1 to %d of the characters A-Z a-z 0-9 . _ -; pass --node", l.node, maxNode)
	}
	return nil
}

// maxNode is the greatest length of an edge_domain_id in bytes.
const maxNode = 128

// sanitise returns a node name for a host name.
func sanitise(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, s)
	return s[:min(len(s), maxNode)]
}

// dirs makes the directories of a first run. The gate makes the journal's, with its first
// record.
func (l *layout) dirs() error {
	names := []string{stateroot.EdgeSegments, stateroot.EdgeRelay, stateroot.Identity, stateroot.Runtime,
		stateroot.Binaries, stateroot.Epoch, stateroot.Bootstrap}
	for _, name := range names {
		there, err := l.exists(name)
		if err != nil {
			return err
		}
		l.done(name+"/", !there, "")
	}
	return stateroot.CreateDirs(l.fs)
}

func (l *layout) exists(name string) (bool, error) {
	_, err := l.fs.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (l *layout) done(name string, created bool, note string) {
	action := Kept
	if created {
		action = Created
	}
	l.items = append(l.items, Item{name, action, note})
}

func (l *layout) skip(name, note string) {
	l.items = append(l.items, Item{name, Skipped, note})
}

// write makes the file name unless it exists.
func (l *layout) write(name string, data []byte, perm fs.FileMode, note string) error {
	there, err := l.exists(name)
	if err != nil {
		return err
	}
	if !there {
		if err := durable.WriteFile(l.fs, name, data, perm); err != nil {
			return err
		}
	}
	l.done(name, !there, note)
	return nil
}

// pair reports which halves of a pair exist.
func (l *layout) pair(a, b string) (hasA, hasB bool, err error) {
	if hasA, err = l.exists(a); err == nil {
		hasB, err = l.exists(b)
	}
	return hasA, hasB, err
}

func (l *layout) mkdir(name string, perm fs.FileMode) error {
	there, err := l.exists(name)
	if err != nil {
		return err
	}
	l.done(name+"/", !there, "")
	return durable.MkdirAll(l.fs, name, perm)
}
