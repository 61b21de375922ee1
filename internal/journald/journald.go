// Package journald writes entries to systemd's journal by its native protocol:
// one datagram an entry, which holds fields in the form of the Journal Export
// Format. See systemd.journal-fields(7) and
// https://systemd.io/JOURNAL_NATIVE_PROTOCOL.
package journald

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// Socket is the path of the socket of the running system's journal.
const Socket = "/run/systemd/journal/socket"

// Identifier is the SYSLOG_IDENTIFIER of every entry: journalctl -t edged.
const Identifier = "edged"

// MessageID returns the MESSAGE_ID of a kind of message, 32 digits: the UUIDv5 of
// its text in a namespace of this project. A new message thus has one too. It
// never changes, because catalogues and alerts depend on it.
func MessageID(text string) string {
	// 3f6d2a52-6a0e-4d3c-9a1b-0c5d1f7be184
	namespace := uuid.UUID{0x3f, 0x6d, 0x2a, 0x52, 0x6a, 0x0e, 0x4d, 0x3c, 0x9a, 0x1b, 0x0c, 0x5d, 0x1f, 0x7b, 0xe1, 0x84}
	id := uuid.NewSHA1(namespace, []byte(text))
	return hex.EncodeToString(id[:])
}

// Name returns the name of the field for an attribute of a log line: EDGE_ and
// the attribute's name in capitals. The journal drops fields whose names have
// other characters than A-Z, 0-9 and _, or more than 64.
func Name(attribute string) string {
	name := "EDGE_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, attribute)
	return name[:min(len(name), 64)]
}

// AppendField appends a field to an entry: NAME=value and a newline, or, if a
// line cannot hold the value, the name, a newline, the value's length in 8 bytes
// (little-endian), the value and a newline.
func AppendField(entry []byte, name, value string) []byte {
	entry = append(entry, name...)
	if strings.ContainsRune(value, '\n') {
		entry = append(entry, '\n')
		entry = binary.LittleEndian.AppendUint64(entry, uint64(len(value)))
	} else {
		entry = append(entry, '=')
	}
	return append(append(entry, value...), '\n')
}

// Send sends an entry to the journal at socket. It never waits: it returns an error
// if the entry is not accepted at once.
func Send(socket string, entry []byte) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open a socket for the journal: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing is buffered in it
	if err := unix.Sendto(fd, entry, unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: socket}); err != nil {
		return fmt.Errorf("send to the journal at %s: %w", socket, err)
	}
	return nil
}

// Unit returns the systemd unit that this process runs in, "" if it is not known.
//
// The journal looks up an entry's unit after the entry was sent, and finds none if
// the process has ended by then. journalctl -u also shows entries that name the
// unit in OBJECT_SYSTEMD_UNIT, if the process is privileged.
func Unit() string {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	return unitOf(string(data))
}

// unitOf returns the unit in the text of /proc/PID/cgroup: the first name in
// systemd's hierarchy that is not a slice.
func unitOf(cgroups string) string {
	for line := range strings.Lines(cgroups) {
		path, unified := strings.CutPrefix(line, "0::/")
		if !unified {
			var systemd bool
			if _, path, systemd = strings.Cut(line, ":name=systemd:/"); !systemd {
				continue
			}
		}
		for name := range strings.SplitSeq(strings.TrimSpace(path), "/") {
			if strings.HasSuffix(name, ".service") {
				return name
			}
			if !strings.HasSuffix(name, ".slice") {
				break
			}
		}
	}
	return ""
}
