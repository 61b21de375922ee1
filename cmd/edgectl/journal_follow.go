package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/evidence"
)

// followEvery is how often a followed journal is looked at. A look at one that
// has not changed lists a directory; nothing is watched, locked or woken.
const followEvery = 500 * time.Millisecond

// tick waits for the next look, and is false once there will be none.
func tick(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(followEvery):
		return true
	}
}

// followed is how far a follower has come.
type followed struct {
	journal string
	seq     uint64
}

func positionOf(src *evidence.Source) followed { return followed{src.ID(), src.Tip().Seq} }

// follow looks at path at each tick and has show tell what was appended, until
// the ticks end. A journal that a salvage has swapped in is told from its
// beginning. While there is nothing readable at path it waits, and says so
// once. The error is show's.
func (e *env) follow(ctx context.Context, path string, at followed, tick func(context.Context) bool,
	show func(src *evidence.Source, from uint64) error) error {
	seen, waiting := "", false
	for tick(ctx) {
		// Looked at before it is opened: what comes later is seen next time.
		now := sight(path)
		if now == seen {
			continue
		}
		src, err := evidence.OpenDamaged(path)
		if err != nil {
			if !waiting {
				fmt.Fprintf(e.stderr, "edgectl: waiting: %s\n", strings.TrimSpace(err.Error()))
			}
			waiting = true
			continue
		}
		seen, waiting = now, false
		next := at.seq + 1
		switch tip := src.Tip().Seq; {
		case src.ID() != at.journal:
			fmt.Fprintf(e.stderr, "edgectl: journal %s is gone; here is %s\n", at.journal, src.ID())
			next = src.First()
		case tip < at.seq:
			fmt.Fprintf(e.stderr, "edgectl: the journal ends at record %d now, it had %d: verify it\n", tip, at.seq)
		}
		if next <= src.Tip().Seq {
			err = show(src, next)
		}
		at = positionOf(src)
		_ = src.Close() // read-only
		if err != nil {
			return err
		}
	}
	return nil
}

// sight is what tells evidence that was written to from evidence at rest:
// names, sizes and times of the files around the newest record.
func sight(path string) string {
	at, kind, err := evidence.Detect(path)
	if err != nil {
		return err.Error()
	}
	if kind != evidence.StateRoot && kind != evidence.Directory {
		info, err := os.Stat(at)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(at, info.Size(), info.ModTime())
	}
	root, err := evidence.OpenTree(at)
	if err != nil {
		return err.Error()
	}
	defer root.Close() //nolint:errcheck // read-only
	var b strings.Builder
	layout := evidence.Layout(kind)
	infos, err := root.ReadDir(layout.Dir)
	fmt.Fprintln(&b, at, err)
	for _, i := range infos {
		fmt.Fprintln(&b, i.Name, i.Ino, i.Size, i.ModTime.UnixNano())
	}
	if layout.Head != "" {
		info, err := root.Lstat(layout.Head)
		fmt.Fprintln(&b, err, info.Ino, info.ModTime.UnixNano())
	}
	return b.String()
}
