package main

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// node is a state root that the product made.
type node struct {
	b   *bench
	dir string
}

// newNode lays out a node that has never booted.
func (b *bench) newNode(name string) (*node, error) {
	n := &node{b, filepath.Join(b.dir, name)}
	_, err := command{args: []string{b.edgectl, "init", n.dir, "--demo"}}.run()
	return n, err
}

// bootedNode returns a node that has booted a number of times.
func (b *bench) bootedNode(name string, boots int) (*node, error) {
	n, err := b.newNode(name)
	for i := 0; i < boots && err == nil; i++ {
		if err = b.newBoot(); err == nil {
			_, err = n.boot().run()
		}
	}
	return n, err
}

// boot returns one precheck. The state root need not be a partition of its own.
func (n *node) boot() command {
	return command{
		args: []string{n.b.edged, "--config", filepath.Join(n.dir, "bootstrap", "config.yaml"), "precheck"},
		env:  []string{"EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1"},
	}
}

// edgectl returns a command on this node.
func (n *node) edgectl(args ...string) command {
	return command{args: append(append([]string{n.b.edgectl}, args...), "--state-root", n.dir)}
}

// remove removes the node.
func (n *node) remove() error { return os.RemoveAll(n.dir) }

// epochOf returns the boot epoch in the node's fingerprint file.
func epochOf(n *node) (uint64, error) {
	data, err := os.ReadFile(filepath.Join(n.dir, "bootstrap", "os_fingerprint.json"))
	if err != nil {
		return 0, err
	}
	var f struct {
		Epoch uint64 `json:"boot_epoch"`
	}
	err = json.Unmarshal(data, &f)
	return f.Epoch, err
}
