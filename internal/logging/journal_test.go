package logging

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/journald"
)

// journalConsole returns a console that the test reads in the place of systemd's
// journal: entries from a socket, lines from a file.
func journalConsole(t *testing.T) (c *Console, entries *net.UnixConn, lines string) {
	t.Helper()
	lines = filepath.Join(t.TempDir(), "stderr")
	f, err := os.Create(lines)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	c = NewConsole(f, fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	c.socket = filepath.Join(t.TempDir(), "socket")
	entries, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: c.socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = entries.Close() })
	return c, entries, lines
}

// receive returns the fields of the next entry.
func receive(t *testing.T, entries *net.UnixConn) map[string][]string {
	t.Helper()
	buf := make([]byte, 1<<20)
	_ = entries.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := entries.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string][]string{}
	for e := buf[:n]; len(e) > 0; {
		end := bytes.IndexByte(e, '\n')
		name, value, inline := strings.Cut(string(e[:end]), "=")
		e = e[end+1:]
		if !inline {
			size := binary.LittleEndian.Uint64(e)
			value, e = string(e[8:8+size]), e[8+size+1:]
		}
		fields[name] = append(fields[name], value)
	}
	return fields
}

// systemd's journal receives an entry with fields for each record, in every format.
func TestJournal(t *testing.T) {
	for _, format := range []string{"auto", "logfmt", "json", "pretty"} {
		t.Run(format, func(t *testing.T) {
			c, entries, lines := journalConsole(t)
			epoch := 3
			c.Annotate(func() []slog.Attr { return []slog.Attr{slog.String("node", "depot-4"), slog.Int("boot_epoch", epoch)} })
			log, err := New(c, format, slog.LevelDebug, true)
			if err != nil {
				t.Fatal(err)
			}
			dry := log.With("dry_run", true)
			dry.Warn("edge.os.update_detected", "changed", []string{"etc_os_release", "uname_release"}, "attempt", 2)
			got := receive(t, entries)
			if message := got["MESSAGE"]; len(message) != 1 || !strings.Contains(message[0], "edge.os.update_detected") || strings.HasSuffix(message[0], "\n") {
				t.Errorf("MESSAGE is %q", message)
			}
			delete(got, "MESSAGE")
			delete(got, "OBJECT_SYSTEMD_UNIT") // as the test is run
			want := map[string][]string{
				"MESSAGE_ID": {journald.MessageID("edge.os.update_detected")}, "PRIORITY": {"4"}, "SYSLOG_IDENTIFIER": {"edged"},
				"EDGE_EVENT": {"edge.os.update_detected"}, "EDGE_DRY_RUN": {"true"}, "EDGE_CHANGED": {"etc_os_release", "uname_release"},
				"EDGE_ATTEMPT": {"2"}, "EDGE_NODE": {"depot-4"}, "EDGE_BOOT_EPOCH": {"3"},
			}
			if !maps.EqualFunc(got, want, slices.Equal) {
				t.Errorf("%q, want %q", got, want)
			}

			// The console's fields are read when an entry is sent; attributes take precedence.
			epoch = 4
			log.WithGroup("g").With("a", slog.GroupValue(slog.Int("b", 1))).Error("e", "err", "two\nlines")
			log.Info("i", "boot_epoch", 9, "at", time.Date(2026, 3, 4, 12, 0, 0, 0, time.FixedZone("", 7200)))
			got = receive(t, entries)
			for name, want := range map[string]string{"PRIORITY": "3", "EDGE_BOOT_EPOCH": "4", "EDGE_G_A_B": "1", "EDGE_G_ERR": "two\nlines"} {
				if !slices.Equal(got[name], []string{want}) {
					t.Errorf("%s is %q, want %q", name, got[name], want)
				}
			}
			got = receive(t, entries)
			for name, want := range map[string]string{"PRIORITY": "6", "EDGE_BOOT_EPOCH": "9", "EDGE_AT": "2026-03-04T10:00:00Z"} {
				if !slices.Equal(got[name], []string{want}) {
					t.Errorf("%s is %q, want %q", name, got[name], want)
				}
			}
			if data, err := os.ReadFile(lines); err != nil || len(data) > 0 {
				t.Errorf("the console has %q, %v", data, err)
			}

			// An entry that the journal does not accept becomes a line.
			if err := entries.Close(); err != nil {
				t.Fatal(err)
			}
			log.Error("edge.gone", "k", "v")
			if data, err := os.ReadFile(lines); err != nil || !strings.HasPrefix(string(data), "<3>") || !strings.Contains(string(data), "edge.gone") {
				t.Errorf("the console has %q, %v", data, err)
			}
		})
	}
}

// Loggers that were derived from one logger do not share their attributes.
func TestJournalDerived(t *testing.T) {
	c, entries, _ := journalConsole(t)
	log, err := New(c, "logfmt", slog.LevelInfo, true)
	if err != nil {
		t.Fatal(err)
	}
	parent := log.With("a", 1, "b", 2, "c", 3) // 3 attributes in an array of 4
	first, second := parent.With("child", "first"), parent.With("child", "second")
	first.Info("m")
	if got := receive(t, entries)["EDGE_CHILD"]; !slices.Equal(got, []string{"first"}) {
		t.Errorf("the first child has %q", got)
	}
	second.Info("m", "own", 1)
	if got := receive(t, entries)["EDGE_CHILD"]; !slices.Equal(got, []string{"second"}) {
		t.Errorf("the second child has %q", got)
	}
}

// A journal that does not read delays nobody: entries that it does not accept go to
// the console, and none is lost as long as the console accepts them.
func TestJournalFull(t *testing.T) {
	c, entries, lines := journalConsole(t)
	log, err := New(c, "logfmt", slog.LevelInfo, true)
	if err != nil {
		t.Fatal(err)
	}
	const many = 2000
	for i := range many {
		log.Info("m", "n", i)
	}
	data, err := os.ReadFile(lines)
	if err != nil {
		t.Fatal(err)
	}
	overflowed := bytes.Count(data, []byte("\n"))
	if overflowed == 0 {
		t.Fatalf("%d entries are kept for a journal that does not read", many)
	}
	for range many - overflowed {
		receive(t, entries)
	}
	log.Info(strings.Repeat("m", 8<<20)) // larger than any datagram
	if data, err = os.ReadFile(lines); err != nil || bytes.Count(data, []byte("\n")) != overflowed+1 {
		t.Errorf("a line of 8 MiB is lost: %v", err)
	}
}

// Times are in UTC in every time zone.
func TestUTC(t *testing.T) {
	here := time.Local
	time.Local = time.FixedZone("", 7200)
	defer func() { time.Local = here }()
	for _, format := range []string{"logfmt", "json", "pretty"} {
		var b bytes.Buffer
		log, err := New(&b, format, slog.LevelInfo, true)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("i", "at", time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local))
		if line := b.String(); strings.Contains(line, "+02:00") || strings.Count(line, "Z") != 2 || !strings.Contains(line, "2026-03-04T10:00:00") {
			t.Errorf("%s: %s", format, line)
		}
	}
}
