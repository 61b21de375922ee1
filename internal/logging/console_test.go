package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fullPipe returns a pipe that accepts no byte until it is read.
func fullPipe(t *testing.T) (r, w *os.File, held int) {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(fds[1], true); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := syscall.Write(fds[1], make([]byte, 4096))
		if err != nil {
			break
		}
		held += n
	}
	if err := syscall.SetNonblock(fds[1], false); err != nil {
		t.Fatal(err)
	}
	r, w = os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
	return r, w, held
}

// TestConsoleBlocked: lines that nobody reads are dropped, each after its timeout,
// and the log continues when somebody reads again.
func TestConsoleBlocked(t *testing.T) {
	r, w, held := fullPipe(t)
	c := NewConsole(w, "")
	c.patience = 20 * time.Millisecond
	log, err := New(c, "logfmt", slog.LevelInfo, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // without the bound, the first of these never returns
		log.Error("dropped", "n", i)
	}
	if _, err := io.ReadFull(r, make([]byte, held)); err != nil {
		t.Fatal(err)
	}
	c.patience = time.Minute
	log.Error("accepted again")
	buf := make([]byte, 4096)
	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(string(buf[:n]), "accepted again") {
		more, err := r.Read(buf[n:])
		if err != nil {
			t.Fatalf("%q: %v", buf[:n], err)
		}
		n += more
	}
}

// TestConsoleBlockedForLong: many lines do not wait a second each.
func TestConsoleBlockedForLong(t *testing.T) {
	_, w, _ := fullPipe(t)
	c := NewConsole(w, "")
	c.patience, c.spare = time.Millisecond, 3*time.Millisecond
	for range 3 {
		_, _ = c.Write([]byte("dropped\n"))
	}
	c.patience = time.Hour // the test would not end
	if _, err := c.Write([]byte("dropped at once\n")); err != nil || c.spare != 0 {
		t.Errorf("%v, %v are left", err, c.spare)
	}
}

// TestConsoleBroken: a closed reader is no error.
func TestConsoleBroken(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	defer w.Close()
	if n, err := NewConsole(w, "").Write([]byte("line\n")); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// TestPriority: lines have their priority if systemd's journal reads them, in every
// format, and not otherwise.
func TestPriority(t *testing.T) {
	for _, format := range []string{"auto", "logfmt", "json", "pretty"} {
		for _, journal := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s %t", format, journal), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "stderr")
				f, err := os.Create(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				var st syscall.Stat_t
				if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
					t.Fatal(err)
				}
				stream := fmt.Sprintf("%d:%d", st.Dev, st.Ino)
				if !journal {
					stream += "0" // inherited: another file's
				}
				c := NewConsole(f, stream)
				c.socket = path // it takes no entries
				log, err := New(c, format, slog.LevelDebug, true)
				if err != nil {
					t.Fatal(err)
				}
				log.Debug("d")
				log.With("k", "v").Info("i")
				log.WithGroup("g").Warn("w", "text", "two\nlines")
				log.Error("e")
				Plain(c, slog.LevelError, "edged: bad\nRun it otherwise.\n")
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				var marks []string
				for line := range strings.Lines(string(data)) {
					mark := ""
					if line[0] == '<' {
						mark = line[:3]
					}
					marks = append(marks, mark)
				}
				want := "<7> <6> <4> <3> <3> <3>"
				if !journal {
					want = "     "
				}
				if got := strings.Join(marks, " "); got != want {
					t.Errorf("priorities %q, want %q:\n%s", got, want, data)
				}
			})
		}
	}
}
