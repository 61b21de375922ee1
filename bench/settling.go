package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// settlingDue is the number of records in the tail at which a boot settles.
const settlingDue = 33

// settlingBoot measures a boot that settles the tail. Each round boots a copy,
// made and flushed beforehand, of a node whose next boot settles.
func (b *bench) settlingBoot() ([]row, error) {
	n, err := b.newNode("settling")
	if err != nil {
		return nil, err
	}
	for records := 0; records < settlingDue-1; {
		if err := b.newBoot(); err != nil {
			return nil, err
		}
		if _, err := n.boot().run(); err != nil {
			return nil, err
		}
		use, err := tailOf(n.dir)
		if err != nil {
			return nil, err
		}
		records = use.Records
	}
	copies := make([]node, b.runs+warmUps)
	for i := range copies {
		copies[i] = node{b, filepath.Join(b.dir, "settling-copies", strconv.Itoa(i))}
		if err := copyTree(copies[i].dir, n.dir); err != nil {
			return nil, err
		}
	}
	p, err := store{b, "pebble", "store"}.fresh("settling", b.runs)
	if err != nil {
		return nil, err
	}
	if err := flush(b.dir); err != nil {
		return nil, err
	}
	took, err := interleave(b.runs,
		subject{"settling", func(round int) (command, error) {
			c := n.boot()
			c.env = append(c.env, "EDGE_STATE_ROOT="+copies[round].dir)
			return c, b.newBoot()
		}},
		subject{"P", p})
	if err != nil {
		return nil, err
	}
	for _, c := range copies {
		if use, err := tailOf(c.dir); err != nil || use.Records != 1 {
			return nil, fmt.Errorf("a boot left %d records in the tail, so it did not settle: %w", use.Records, err)
		}
	}
	s := took["settling"]
	return []row{measured("the boot that settles the tail", atMost(2.2, "× P"), s.over(took["P"]),
			fmt.Sprintf("medians: %.1f ms and P %.1f ms; each on a copy of a node whose tail holds %d records", s.ms(), took["P"].ms(), settlingDue-1))},
		os.RemoveAll(filepath.Join(b.dir, "settling-copies"))
}

// copyTree copies regular files and folders by reading and writing: files with shared blocks would not be overwritten in
// place.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(at, info.Mode().Perm())
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(at, data, info.Mode().Perm())
	})
}
