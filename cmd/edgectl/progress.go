package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// progress shows on a terminal how far a long command is; elsewhere it shows
// nothing. Commands that are done within a second never show it.
type progress struct {
	mu    sync.Mutex
	w     io.Writer // nil: nobody is watching
	began time.Time
	last  time.Time
	width int // columns of the line that is on the screen
}

const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

func newProgress(stderr io.Writer) *progress {
	p := &progress{began: time.Now()}
	if terminal(stderr) {
		p.w = stderr
	}
	return p
}

// at shows that done of total records are done; total 0 is not known.
func (p *progress) at(stage string, done, total uint64) {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.began) < progressAfter || now.Sub(p.last) < progressEvery {
		return
	}
	p.last = now
	line := fmt.Sprintf("%s: %d records", stage, done)
	if total > 0 {
		line = fmt.Sprintf("%s: %d of %d records (%d %%)", stage, done, total, done*100/total)
	}
	fmt.Fprintf(p.w, "\r%-*s", p.width, line)
	p.width = len(line)
}

// done takes the line off the screen.
func (p *progress) done() {
	if p.w == nil || p.width == 0 {
		return
	}
	fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
	p.width = 0
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
