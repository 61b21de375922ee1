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

// progress shows on a terminal how far a long command is: the records that are
// done if the command counts them, and the time in any case. Elsewhere, on a
// terminal that cannot overwrite a line, and in the first second it shows
// nothing. Its line is taken off the screen before anything else is written
// there.
type progress struct {
	mu      sync.Mutex
	screen  io.Writer // nil if there is no terminal
	columns int       // of the screen
	began   time.Time
	ended   bool   // the command has ended, or what it prints shows how far it is
	stage   string // what the command does; its name until it counts
	counts  bool
	done    uint64 // records
	total   uint64 // records; 0 if not known
	shown   int    // columns of the line that is on the screen
}

const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

// watch makes e's outputs take the progress line off a terminal before they
// write to it. It returns the function that ends the progress.
func (e *env) watch() (end func()) {
	p := &e.progress
	if columns := width(e.stderr); columns > 0 && e.getenv("TERM") != "dumb" {
		p.screen, p.columns, p.began = e.stderr, columns, time.Now()
		e.stderr = above{p, e.stderr, false}
	}
	if e.columns = width(e.stdout); e.columns > 0 {
		e.stdout = above{p, e.stdout, true}
	}
	if p.screen == nil {
		return func() {}
	}
	tick := time.NewTicker(progressEvery)
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case now := <-tick.C:
				p.draw(now)
			case <-ended:
				return
			}
		}
	}()
	return func() {
		tick.Stop()
		close(ended)
		p.end()
	}
}

// begin names the command that is watched.
func (p *progress) begin(command string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage = command
}

// at shows that done of total records are done; total 0 is not known.
func (p *progress) at(stage string, done, total uint64) {
	if p.screen == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage, p.counts, p.done, p.total = stage, true, done, total
}

// end takes the line off the screen and shows no other.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.ended = true
}

// draw shows the line of now.
func (p *progress) draw(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	spent := now.Sub(p.began)
	if p.ended || spent < progressAfter {
		return
	}
	line := p.stage + ":"
	switch {
	case p.counts && p.total > 0:
		line += fmt.Sprintf(" %d of %s (%d %%),", p.done, records(p.total), p.done*100/p.total)
	case p.counts:
		line += fmt.Sprintf(" %s,", records(p.done))
	}
	line += fmt.Sprintf(" %d s", int(spent.Seconds()))
	line = line[:min(len(line), p.columns-1)] // a full line would wrap and stay
	fmt.Fprintf(p.screen, "\r%-*s", p.shown, line)
	p.shown = len(line)
}

func (p *progress) erase() {
	if p.shown > 0 {
		fmt.Fprintf(p.screen, "\r%s\r", strings.Repeat(" ", p.shown))
		p.shown = 0
	}
}

// above writes to a terminal on which a progress line may be.
type above struct {
	p      *progress
	w      io.Writer
	result bool // what is written is the command's result: it shows how far the command is
}

func (a above) Write(b []byte) (int, error) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.p.erase()
	a.p.ended = a.p.ended || a.result
	return a.w.Write(b)
}

// width returns the columns of the terminal that w is, 0 if it is none. A
// terminal that does not know its size has 80.
func width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	fd := int(f.Fd()) //nolint:gosec // a descriptor is small
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		return 0
	}
	if size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil && size.Col > 0 {
		return int(size.Col)
	}
	return 80
}
