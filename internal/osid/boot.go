package osid

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

// ErrBootID: the kernel's boot id is not a UUID.
var ErrBootID = errors.New("not a boot id")

const bootIDPath = "/proc/sys/kernel/random/boot_id"

// BootID returns the kernel's id of this boot, a UUID in lower case.
func BootID() (string, error) { return bootID(bootIDPath) }

func bootID(path string) (string, error) {
	const next = "mount /proc before the gate runs"
	data, err := durable.ReadHostFile(path, 128)
	if err != nil {
		return "", fmt.Errorf("read boot id: %w: %s", err, next)
	}
	id := strings.ToLower(strings.TrimSpace(string(data)))
	if !isUUID(id) {
		return "", fmt.Errorf("read boot id: %s: %w: %s", path, ErrBootID, next)
	}
	return id, nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// Uptime returns the time since boot in whole milliseconds, suspend included
// (CLOCK_BOOTTIME). It orders the events of one boot even if the wall clock is wrong.
func Uptime() (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, fmt.Errorf("read CLOCK_BOOTTIME: %w: run on Linux 2.6.39 or later", err)
	}
	return ts.Nano() / int64(time.Millisecond), nil
}
