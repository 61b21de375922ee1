package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/history"
)

// followEvery is how often a followed journal is looked at. A look at one that
// has not changed lists a directory; nothing is watched, locked or woken.
const followEvery = 500 * time.Millisecond

// tick waits for the next look. Its error ends the looks: that of ctx, or that
// of a standard output whose reader is gone.
func (e *env) tick(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(followEvery):
		return closed(e.stdout)
	}
}

// closed writes to an output whose reading end is gone, and nothing to any
// other. A journal may rest for weeks: without this, a follower would see only
// then that nobody reads it.
func closed(w io.Writer) error {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd())}} //nolint:gosec // a descriptor is small
	if n, err := unix.Poll(fds, 0); err != nil || n == 0 || fds[0].Revents&(unix.POLLERR|unix.POLLHUP) == 0 {
		return nil //nolint:nilerr // interrupted: looked at again with the next tick
	}
	_, err := f.WriteString("\n")
	return err
}

// followed is how far a follower has come.
type followed struct {
	journal string
	seq     uint64
}

func positionOf(src *history.Source) followed { return followed{src.ID(), src.Tip().Seq} }

// follow looks at path at each tick and has show print what was appended, until
// a tick fails. A journal that a salvage has swapped in is shown from its
// beginning. While there is nothing readable at path it waits, and says so
// once. The error is that of tick or of show.
func (e *env) follow(ctx context.Context, path string, at followed, tick func(context.Context) error,
	show func(src *history.Source, from uint64) error) error {
	e.progress.end() // it waits until a signal ends it
	seen, waiting := "", false
	for {
		if err := tick(ctx); err != nil {
			return err
		}
		// Looked at before it is opened: what comes later is seen next time.
		now := sight(path)
		if now == seen {
			continue
		}
		src, err := history.Open(path)
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
}

// sight changes whenever the evidence is written to: it has names, sizes and times
// of the files around the newest record.
func sight(path string) string {
	at, kind, err := history.Detect(path)
	if err != nil {
		return err.Error()
	}
	if kind != history.StateRoot && kind != history.Directory {
		info, err := os.Stat(at)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(at, info.Size(), info.ModTime())
	}
	root, err := history.OpenTree(at)
	if err != nil {
		return err.Error()
	}
	defer root.Close() //nolint:errcheck // read-only
	var b strings.Builder
	layout := history.Layout(kind)
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
