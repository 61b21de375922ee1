package logging

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/journald"
)

// patience is the time in which standard error must accept a line; all lines
// together may wait for five times as long.
const patience = time.Second

// Console is the standard error of the gate: a write never fails and never delays the gate
// for more than a second per line and five seconds in all. A line that is not accepted by
// then is dropped. The reader may be gone, or hang while the gate holds the lock of the
// state root, and no decision of the gate may depend on it.
//
// A pipe that reports itself ready may still block, so a goroutine writes. If a write never
// ends, its goroutine lives until the process ends.
type Console struct {
	file     *os.File
	terminal bool
	journal  bool
	socket   string // of the journal
	patience time.Duration
	spare    time.Duration      // that is left for all later lines together
	fields   func() []slog.Attr // of every entry; see Annotate
	begin    sync.Once
	lines    chan line
}

// line is one write; done is closed when it has ended.
type line struct {
	text []byte
	done chan struct{}
}

// NewConsole returns the console of file. journalStream is $JOURNAL_STREAM: if
// it names file, systemd's journal reads the lines. [New] then sends it entries
// with fields or, if that fails, lines with their priority.
func NewConsole(file *os.File, journalStream string) *Console {
	return &Console{
		file: file, terminal: isTerminal(file), journal: isJournal(file, journalStream),
		socket: journald.Socket, patience: patience, spare: 5 * patience, lines: make(chan line),
	}
}

// Annotate adds the fields that fields returns to every later entry in systemd's
// journal. On another console it does nothing.
func (c *Console) Annotate(fields func() []slog.Attr) { c.fields = fields }

// Write passes p on and waits until it is written, within the Console's limits. It always reports
// success, because an error could not be reported anywhere.
func (c *Console) Write(p []byte) (int, error) {
	c.begin.Do(func() { go c.write() })
	l := line{bytes.Clone(p), make(chan struct{})} // the caller may use p again before a late write ends
	wait := min(c.patience, c.spare)
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	next := c.lines
	for {
		select {
		case next <- l:
			next = nil
		case <-l.done:
			return len(p), nil
		case <-timeout.C:
			c.spare -= wait
			return len(p), nil
		}
	}
}

func (c *Console) write() {
	for l := range c.lines {
		_, _ = c.file.Write(l.text) // the line is lost
		close(l.done)
	}
}

// Plain writes lines of text to w, with their priority if systemd's journal reads w. It is
// for errors of the command line, which include a bad log format.
func Plain(w io.Writer, level slog.Level, text string) {
	if c, ok := w.(*Console); ok && c.journal {
		mark := "<" + priority(level) + ">" // sd-daemon(3)
		text = mark + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+mark) + "\n"
	}
	_, _ = io.WriteString(w, text)
}

// isJournal reports whether file is the stream that $JOURNAL_STREAM names by device and
// inode. A process can inherit the variable although its standard error is another file.
func isJournal(file *os.File, journalStream string) bool {
	var st unix.Stat_t
	err := ask(file, func(fd int) error { return unix.Fstat(fd, &st) })
	return err == nil && journalStream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

func isTerminal(file *os.File) bool {
	return ask(file, func(fd int) error {
		_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		return err
	}) == nil
}

// ask calls question with file's descriptor. [os.File.Fd] would also make the
// descriptor blocking, for every process that shares it.
func ask(file *os.File, question func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var answer error
	if err := raw.Control(func(fd uintptr) { answer = question(int(fd)) }); err != nil {
		return err
	}
	return answer
}
