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
)

// patience is how long standard error may take to accept a line.
const patience = time.Second

// Console is standard error as the gate writes to it: it never fails and never
// holds the gate up. A line that standard error does not accept within a
// second is dropped. The reader may be gone, or hang while the gate holds the
// lock of the state root, and what the gate decides must not depend on it.
//
// A pipe can be asked whether it would block and then block all the same, so
// the write is left to a goroutine. One that never ends keeps that goroutine
// until the process ends.
type Console struct {
	file     *os.File
	terminal bool
	journal  bool
	patience time.Duration
	begin    sync.Once
	lines    chan line
}

// line is one write, and the sign that it has ended.
type line struct {
	text []byte
	done chan struct{}
}

// NewConsole returns the console of file. journalStream is $JOURNAL_STREAM: if
// it names file, systemd's journal reads the lines, and they carry their
// priority.
func NewConsole(file *os.File, journalStream string) *Console {
	return &Console{
		file: file, terminal: isTerminal(file), journal: isJournal(file, journalStream),
		patience: patience, lines: make(chan line),
	}
}

// Write hands p over and waits until it is written, or for a second. It always
// reports success: there is nobody to tell.
func (c *Console) Write(p []byte) (int, error) {
	c.begin.Do(func() { go c.write() })
	l := line{bytes.Clone(p), make(chan struct{})} // p is the caller's again before a late write ends
	timeout := time.NewTimer(c.patience)
	defer timeout.Stop()
	select {
	case c.lines <- l:
	case <-timeout.C:
		return len(p), nil
	}
	select {
	case <-l.done:
	case <-timeout.C:
	}
	return len(p), nil
}

func (c *Console) write() {
	for l := range c.lines {
		_, _ = c.file.Write(l.text) // the line is lost, and the log with it
		close(l.done)
	}
}

// Plain writes lines of text to w. Only systemd's journal is told their level.
// It is for what is wrong with a command line, which includes the log format.
func Plain(w io.Writer, level slog.Level, text string) {
	if c, ok := w.(*Console); ok && c.journal {
		mark := priority(level)
		text = mark + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+mark) + "\n"
	}
	_, _ = io.WriteString(w, text)
}

// priority is the mark that systemd's journal takes from the beginning of a
// line (sd-daemon(3)).
func priority(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "<3>"
	case level >= slog.LevelWarn:
		return "<4>"
	case level >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

// isJournal reports whether file is the stream that $JOURNAL_STREAM names by
// device and inode. The variable alone says nothing: it is inherited by
// processes whose standard error leads elsewhere.
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
